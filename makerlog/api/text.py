"""Text as everybody means it: one spelling (NFC), one key for what counts as the same name, and what shows nothing.

Every comparison of names goes by ``fold``, and the database keeps what it gave: PostgreSQL and Python turn some letters
small in different ways, and two that disagree make one name two, or two names one.
"""

import re
from functools import lru_cache
from unicodedata import combining, normalize

# Unicode's Default_Ignorable_Code_Point: shown as nothing by whatever shows text.
IGNORABLE_CLASS = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
IGNORABLE = re.compile(f"[{IGNORABLE_CLASS}]+")
# Blanks and controls, and signs that draw nothing, beside the above. (NUL is refused by whoever reads text.)
UNSEEN = re.compile(rf"[\s\x01-\x1f\x7f-\x9f\u2800\ufff9\ufffa\ufffb\U0001d159\U00016fe4{IGNORABLE_CLASS}]*")
DOTLESS_I, DOTTED_I = "\u0131", re.compile("i\u0307+")

MAX_MARKS = 30  # in a row, as UAX 15 has its stream-safe form
MARK_CLASS = "".join(chr(code) for code in range(0x20000) if combining(chr(code)))
MARKS = re.compile(f"[{MARK_CLASS}]{{{MAX_MARKS}}}(?=[{MARK_CLASS}])")
GRAPHEME_JOINER = "\u034f"


def to_nfc(text: str) -> str:
    """``text`` in NFC. It may be longer than before: check lengths afterwards."""
    return text if text.isascii() else normalize("NFC", with_marks_apart(text))


def with_marks_apart(text: str) -> str:
    """``text`` with a sign that is not shown after each ``MAX_MARKS`` marks in a row. `normalize` sorts marks one by one:
    20,000 of them take 0.8 s, four times as many sixteen times as long."""
    return MARKS.sub(rf"\g<0>{GRAPHEME_JOINER}", text)


def fold(text: str) -> str:
    """The key under which names are the same: without case, compatibility forms and what is not shown; NFKC.

    Never to be shown, and up to 18 times as long. The four Turkish letters i are one: under every other rule `#ISPARTA`
    and `#ısparta` would be two projects, one of them perhaps private. Giving it what it gave changes nothing.
    """
    return text.lower() if text.isascii() else fold_unicode(text)


@lru_cache(maxsize=2_000)
def fold_unicode(text: str) -> str:
    apart = normalize("NFKD", normalize("NFKD", with_marks_apart(text)).casefold()).casefold()
    letters = DOTTED_I.sub("i", IGNORABLE.sub("", apart).replace(DOTLESS_I, "i"))
    return normalize("NFKC", with_marks_apart(letters))


def is_blank(text: str) -> bool:
    """Whether nothing of ``text`` would be seen: blanks of any kind, controls, joiners, marks of direction."""
    return UNSEEN.fullmatch(text) is not None
