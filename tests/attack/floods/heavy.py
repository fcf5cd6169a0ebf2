"""What one maker writes who means harm, and tokens to ask in vain with: `DATA_DIR=... python -m tests.attack.floods.heavy`.

Prints one line of JSON, a Heavy.
"""

import json
import os
import random
import string
from dataclasses import asdict, dataclass

DISCUSSIONS = 2_000
LETTERS = 19_900


@dataclass(frozen=True)
class Heavy:
    """``scoped``: a token that may do next to nothing; ``suspended``: one of a maker who is suspended."""

    scoped: str
    suspended: str


def made() -> Heavy:
    from django.utils import timezone

    from discussions.models import Discussion
    from makerlog.accounts.actions import create_token
    from makerlog.accounts.models import Maker
    from moderation.actions import suspend

    author, out = Maker.objects.filter(is_staff=False, is_active=True, private=False).order_by("-pk")[:2]
    words = ["".join(random.choices(string.ascii_lowercase, k=7)) for _ in range(5_000)]
    now = timezone.now()
    for start in range(0, DISCUSSIONS, 200):
        Discussion.objects.bulk_create(
            Discussion(
                author=author,
                title="Heavy",
                slug=f"heavy-{start + number}",
                body=" ".join(random.choices(words, k=LETTERS // 8)),
                created_at=now,
            )
            for number in range(200)
        )
    scoped = create_token(maker=author, name="scoped", scopes=["products:read"])[1]
    suspended = create_token(maker=out, name="out")[1]
    suspend(maker=out, kind=Maker.Suspension.OUT, reason="attack")
    return Heavy(scoped, suspended)


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "makerlog.settings")
    django.setup()
    print(json.dumps(asdict(made())))  # noqa: T201
