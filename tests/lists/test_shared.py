"""Only what was answered to nobody in particular is anybody's: of every list and detail, whoever warmed the caches."""

from datetime import timedelta

import pytest

from makerlog.gate.wsgi import PUBLIC_FOR
from tests.lists.catalogue import BOUNDED, LISTS, Listing
from tests.lists.reading import alice, readers_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("listing", LISTS + BOUNDED, ids=str)
def test_what_comes_with_a_token_is_never_shared(listing: Listing) -> None:
    readers = readers_of(listing)
    listing.add(alice(), 1, timedelta(minutes=1))
    for who, client in readers.items():
        answer = client.get(listing.url)
        shared = answer.wsgi_request.META.get(PUBLIC_FOR)
        assert shared == (1.0 if who == "anonymous" else None), who
