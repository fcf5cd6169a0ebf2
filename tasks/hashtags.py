"""``#name`` in a task's content names a project of its author's, as UAX 31 has hashtags; never inside an address."""

import re
from unicodedata import category

from makerlog.api.text import IGNORABLE, fold, to_nfc
from tasks.models import MAX_PROJECTS

MAX_NAME = 50  # characters, as a project's name
MARKS = "".join(chr(code) for code in range(0x20000) if category(chr(code)) in {"Mn", "Mc"})
SOFT = "\u00ad\u2060\ufeff"  # not shown within a word, and of no meaning there
JOINERS = f"\u200c\u200d{SOFT}"
# Not after a letter (a#b; a mark that only says how an emoji looks is no letter's), nor in an entity (&#39;), a path (/#b),
# a parameter (=#b) or a mailbox (@#b).
HASHTAG = re.compile(
    rf"(?<![\w{IGNORABLE.sub('', MARKS)}&/#＃﹟@=])[#＃﹟]"
    rf"([^\W_](?:[\w{MARKS}-]|[{JOINERS}](?=[\w{MARKS}])){{0,{MAX_NAME - 1}}})(?![\w{MARKS}-])"
)
# From where on it is an address, to its end: a scheme, www., or a name that ends in letters, with a path, query or port.
BREAKS = r"\s<>\"'`。、「」（）！？，；"
ADDRESS = re.compile(rf"(?:://|\bwww\.|(?<=\w)\.[^\W\d_][\w{MARKS}]{{1,23}}(?:[/?]|:\d))[^{BREAKS}]*", re.IGNORECASE)


def project_names(content: str) -> list[str]:
    """The first ``MAX_PROJECTS`` names, each once however it is written. All digits (``#42``) name an issue, no project."""
    names: dict[str, str] = {}
    for name in HASHTAG.findall(ADDRESS.sub(" ", to_nfc(content))):
        if not (key := fold(name)).isdigit():
            names.setdefault(key, name.translate(dict.fromkeys(map(ord, SOFT))))
    return list(names.values())[:MAX_PROJECTS]
