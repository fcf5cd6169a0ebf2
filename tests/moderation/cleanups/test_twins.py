"""A clean-up that is undone leaves no trace: what was written meanwhile is as if nothing had ever been hidden."""

import io
import random

import pytest
from django.core.management import call_command
from django.utils import timezone

from moderation import actions
from moderation.cleanups import Posts, step, work
from moderation.models import Cleanup
from tests.moderation.cleanups.twins import Community, picture, write

pytestmark = pytest.mark.django_db


def recounted() -> str:
    """What ``recount`` says; a CommandError where something differs."""
    out = io.StringIO()
    call_command("recount", stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("seed", range(4))
def test_what_was_hidden_and_shown_again_equals_its_twin(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose posts are hidden: all of the community's, by their token, or the spammer's. A few at a time, so that writes come
    before, between and after the batches."""
    monkeypatch.setattr("moderation.cleanups.BATCH", 4)
    dice = random.Random(seed)
    left, right = Community("left"), Community("right")
    write([left, right], 120, dice, between=lambda: None)
    assert picture(left) == picture(right)
    whose = {"token": 1} if seed % 2 else {"maker": left.makers["spammer"].pk}
    cleanup = actions.hide_posts(posts=Posts(**whose, until=timezone.now()))
    write([left, right], 60, dice, between=lambda: step(cleanup.pk) and None)
    if seed % 3:  # else it is undone while it hides
        list(work(cleanup.pk))
        assert recounted() == "0 differences.\n"
        assert picture(left) != picture(right)
        write([left, right], 40, dice, between=lambda: None)
    actions.unhide_posts(cleanup=cleanup.pk)
    write([left, right], 40, dice, between=lambda: step(cleanup.pk) and None)
    list(work(cleanup.pk))
    assert Cleanup.objects.get().state == "shown"
    assert picture(left) == picture(right)
    assert recounted() == "0 differences.\n"
