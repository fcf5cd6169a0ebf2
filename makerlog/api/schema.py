"""OpenAPI from the same classes that answer."""

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema


class AutoSchema(SpectacularAutoSchema):
    """Groups operations by the first word of their path; lists are known by their pagination."""

    def get_tags(self) -> list[str]:
        return [self.path.strip("/").split("/")[0]]
