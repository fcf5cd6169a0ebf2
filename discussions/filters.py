"""The parameters of /discussions/ and the indexes that serve them."""

from discussions.models import Discussion
from makerlog.accounts.filters import MakerFilter
from makerlog.api.filters import ChoiceFilter, Index, KeysetFilterSet, SearchFilter, UpdatedSinceFilter


class DiscussionFilter(KeysetFilterSet):
    type = ChoiceFilter(choices=Discussion.Type.choices)
    owner = MakerFilter()
    user = MakerFilter()
    search = SearchFilter("title", "body", help_text="In the title or the body.")
    updated_since = UpdatedSinceFilter(
        help_text="What changed since, oldest change first. `/discussions/deleted/` tells what is gone."
    )

    indexes = (
        Index(),
        Index(frozenset({"updated_since"}), key=("updated_at", "id"), ascending=True),
        Index(frozenset({"owner"}), within=("author",)),
        Index(frozenset({"user"}), within=("author",)),
        Index(frozenset({"type"}), within=("type",)),
    )

    class Meta:
        model = Discussion
        fields: list[str] = []
