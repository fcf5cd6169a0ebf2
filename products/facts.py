"""What is kept on products and places on their teams: see makerlog.api.recounting."""

from makerlog.api.folded import Folded, folded_fields
from makerlog.api.recounting import Comparison, Kept
from products.models import Project

KEPT: list[Comparison] = [
    *map(Folded, folded_fields(Project)),
    Kept(
        "being listed of product",
        "products_product",
        "kept.listed",
        """NOT kept.hidden AND NOT kept.private
        AND NOT EXISTS (SELECT FROM accounts_maker WHERE id = kept.author_id AND private)""",
        owner="kept.author_id",
    ),
    Kept(
        "being listed of place",
        "products_membership",
        "kept.listed",
        "SELECT listed FROM products_product WHERE id = kept.product_id",
        owner="(SELECT author_id FROM products_product WHERE id = kept.product_id)",
    ),
]
