from django.apps import AppConfig


class ProductsConfig(AppConfig):
    name = "products"

    def ready(self) -> None:
        from makerlog import content
        from products.erasure import erase
        from products.visibility import relist

        content.on_relist(relist)
        content.on_erase(erase)
