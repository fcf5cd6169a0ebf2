"""What products are tagged with, read from the newest of them: never from all."""

from collections import Counter

from django.db.models import QuerySet

from makerlog.api.text import fold
from makerlog.api.window import read_from
from products.models import Product

CANDIDATES = 1_000
MAX_TAGS_NAMED = 20
MAX_RELATED = 20


def newest() -> QuerySet[Product]:
    return Product.objects.filter(listed=True).order_by("-created_at", "-id")[:CANDIDATES]


def common(part: str) -> list[str]:
    """The tags that hold ``part``, those that are used most first."""
    part = fold(part.strip().lstrip("#＃﹟"))
    counts = Counter(tag for tags in newest().values_list("tags", flat=True) for tag in tags if part in fold(tag))
    return sorted(counts, key=lambda tag: (-counts[tag], tag))[:MAX_TAGS_NAMED]


def related(product: Product) -> QuerySet[Product]:
    """Of the candidates, the newest that share a tag with ``product``."""
    if not product.tags:
        return Product.objects.none()
    sharing = Product.objects.filter(tags__overlap=product.tags).exclude(pk=product.pk)
    return read_from(sharing, newest()).order_by("-created_at", "-id")[:MAX_RELATED]
