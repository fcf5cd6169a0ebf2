"""Which names are the same, and what is nothing."""

import sys
from unicodedata import category, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makerlog.api.text import fold, is_blank, to_nfc

ALL = [chr(code) for code in range(sys.maxunicode + 1) if category(chr(code)) not in {"Cs", "Cn", "Co"}]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("STRAẞE", "straße"),
        ("ΛΌΓΟΣ", "λόγος"),
        ("İstanbul", "istanbul"),
        ("ISPARTA", "ısparta"),
        ("DİYARBAKIR", "diyarbakır"),
        ("i\u0307\u0307", "İ"),
        ("é", "e\u0301"),
        ("한국", normalize("NFD", "한국")),
        ("ｍａｋｅｒ", "maker"),
        ("می\u200cخواهم", "میخواهم"),
        ("ma\u00adker", "maker"),
        ("maker\ufe0f", "maker"),
        ("\u212aelvin", "kelvin"),
    ],
)
def test_two_spellings_of_one_name_are_the_same(one, other):
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"), [("हिन्दी", "ह"), ("ก่อน", "กอน"), ("a1", "a2"), ("für", "fur"), ("שָׁלוֹם", "שלום")]
)
def test_two_names_stay_two(one, other):
    assert fold(one) != fold(other)


def test_no_letter_of_unicode_has_a_case_or_a_spelling_that_makes_it_another_name():
    for char in ALL:
        key = fold(char)
        spellings = {char.upper(), char.lower(), char.title(), char.casefold(), normalize("NFD", char), key}
        assert {fold(spelling) for spelling in spellings} == {key}, hex(ord(char))


@given(st.text(max_size=30))
def test_a_key_is_its_own_key_and_the_same_for_every_form_of_the_text(text):
    key = fold(text)
    assert fold(key) == key
    assert {fold(normalize(form, text)) for form in ("NFC", "NFD", "NFKC", "NFKD")} == {key}
    assert to_nfc(normalize("NFD", text)) == to_nfc(text)


@pytest.mark.parametrize(
    "text",
    ["", " \t\n", "\u200b", "\u2060\ufeff", "\u00ad", "\u00a0\u2003\u3000", "\u202e\u2066", "\u3164", "\u2800", "\x07"],
)
def test_what_nobody_sees_is_blank(text):
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", "\u200bа", "👩\u200d💻", "\u0301", "❤\ufe0f", "؀"])
def test_what_somebody_sees_is_not_blank(text):
    assert not is_blank(text)
