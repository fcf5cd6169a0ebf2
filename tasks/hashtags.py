"""``#name`` in a task's content names a project of its author's."""

import re

from tasks.models import MAX_PROJECTS

HASHTAG = re.compile(r"(?<![\w&/#])#([^\W_][\w-]{0,49})(?![\w-])")


def project_names(content: str) -> list[str]:
    """The first ``MAX_PROJECTS`` names, each once whatever its case. All digits (``#42``) name an issue, no project."""
    names: dict[str, str] = {}
    for name in HASHTAG.findall(content):
        if not name.isdigit():
            names.setdefault(name.lower(), name)
    return list(names.values())[:MAX_PROJECTS]
