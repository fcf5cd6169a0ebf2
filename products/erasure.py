"""What becomes of the products of a maker who goes, beyond what a cascade does."""

from makerlog import content
from makerlog.api.files import forget_files
from products.actions import lock_makers
from products.models import Product, Project


def erase(maker: int) -> None:
    """What a maker leaves behind: nobody's task stays private for the sake of a product that is gone."""
    products = Product.objects.filter(author=maker)
    forget_files(products.exclude(icon="").values_list("icon", flat=True))
    held = list(Project.objects.filter(products__in=products).exclude(author=maker).values_list("pk", flat=True))
    lock_makers(Project.objects.filter(pk__in=held).values_list("author", flat=True))
    Product.projects.through.objects.filter(product__in=products).delete()
    if held:
        content.relist(projects=held)
    Product.objects.filter(memberships__maker=maker).exclude(author=maker).change()
