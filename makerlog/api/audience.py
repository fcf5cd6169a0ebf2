"""Who reads, as far as what they see depends on it: nobody in particular, a maker, or a maker who moderates; and which."""

from copy import copy
from typing import Any, NamedTuple


class Audience(NamedTuple):
    """``pk``: the reader's id, None of nobody in particular. What one audience sees differs by nothing but that."""

    reader: Any
    moderates: bool

    @property
    def pk(self) -> int | None:
        return self.reader.pk

    @property
    def kind(self) -> tuple[bool, bool]:
        return self.reader.is_authenticated, self.moderates

    def with_id(self, pk: int | None) -> Any:
        """The same kind of reader under another id."""
        if not self.reader.is_authenticated:
            return self.reader
        other = copy(self.reader)
        other.pk = pk
        return other


def audience_of(reader: Any) -> Audience:
    """Of a maker, or of Django's AnonymousUser."""
    return Audience(reader, moderates(reader))


def moderates(reader: Any) -> bool:
    """Whether ``reader`` sees what is hidden, and hides it."""
    return getattr(reader, "is_moderator", False) or getattr(reader, "is_superuser", False)
