from django.apps import AppConfig


class ProductsConfig(AppConfig):
    name = "products"

    def ready(self) -> None:
        from makerlog import content
        from products.actions import erase_from_products, relist_products

        content.on_relist(relist_products)
        content.on_erase(erase_from_products)
