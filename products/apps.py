from django.apps import AppConfig


class ProductsConfig(AppConfig):
    name = "products"

    def ready(self) -> None:
        from makerlog import content
        from products.actions import relist_products

        content.on_relist(relist_products)
