"""What is kept on makers: see makerlog.api.recounting."""

from makerlog.accounts.models import Maker
from makerlog.api.folded import Folded, folded_fields
from makerlog.api.recounting import Comparison, Kept

KEPT: list[Comparison] = [
    *map(Folded, folded_fields(Maker)),
    Kept(
        "followers of maker",
        "accounts_maker",
        "kept.follower_count",
        "SELECT count(*) FROM accounts_follow WHERE followed_id = kept.id",
    ),
    Kept(
        "bytes of files of maker",
        "accounts_maker",
        "kept.media_bytes",
        "SELECT coalesce(sum(bytes), 0) FROM accounts_storedfile WHERE maker_id = kept.id",
    ),
]
