"""What old maker apps send, field by field."""

from typing import Any

import pytest
from django.utils.datastructures import MultiValueDict
from rest_framework import serializers

from makerlog.api.fields import (
    FlexibleBooleanField,
    FlexibleListField,
    NullableTextField,
    TextField,
    UtcDateTimeField,
    says_nothing,
    unpacked,
)


class Sent(serializers.Serializer):
    team = FlexibleListField(child=serializers.IntegerField(), required=False, max_length=3)
    text = TextField(max_length=5)
    maybe = NullableTextField(max_length=5)
    flag = FlexibleBooleanField(required=False)
    at = UtcDateTimeField(required=False, allow_null=True)


class Form(MultiValueDict):
    """What a form's data look like to a serializer."""


def read(data: Any) -> dict[str, Any]:
    serializer = Sent(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


@pytest.mark.parametrize("said", ["", " ", "null", "undefined", " null\n"])
def test_some_words_say_nothing(said: str) -> None:
    assert says_nothing(said) is True


@pytest.mark.parametrize("said", [None, 0, False, [], "None", "NULL", "0", "nullable"])
def test_others_say_something(said: Any) -> None:
    assert says_nothing(said) is False


@pytest.mark.parametrize(
    "said",
    [[1, 2], ["1", "2"], "1,2", " 1 , 2 ", "[1, 2]", '["1","2"]', {"0": 1, "1": 2}, '{"0": 1, "1": 2}', ("1", 2)],
)
def test_a_list_is_understood_in_all_its_spellings(said: Any) -> None:
    assert read({"team": said}) == {"team": [1, 2]}


@pytest.mark.parametrize(
    ("sent", "found"), [(["1", "2"], [1, 2]), (["1,2"], [1, 2]), (["[1,2]"], [1, 2]), (["7"], [7]), ([""], [])]
)
def test_a_list_in_a_form_is_repeated_or_one_text(sent: list[str], found: list[int]) -> None:
    assert read(Form({"team": sent})) == {"team": found}


@pytest.mark.parametrize("said", ["", "null", "undefined", [], {}, "[]", "{}"])
def test_an_empty_list_is_empty(said: Any) -> None:
    assert read({"team": said}) == {"team": []}


@pytest.mark.parametrize(
    "said", ["x", "1,x", "[1", "{", "[[1]]", [[1]], [None], 7, True, [1, 2, 3, 4], "1,2,3,4", "[" * 50_000]
)
def test_a_list_that_is_none_is_refused(said: Any) -> None:
    with pytest.raises(serializers.ValidationError):
        read({"team": said})


def test_a_list_left_out_stays_out() -> None:
    assert read({}) == read(Form({})) == {}


def test_text_is_never_null_where_it_may_be_empty() -> None:
    assert read({"text": None}) == read({"text": ""}) == {"text": ""}
    assert read({"maybe": None}) == read({"maybe": "null"}) == read({"maybe": ""}) == {"maybe": None}


@pytest.mark.parametrize("said", [None, "", "null", "undefined"])
def test_a_boolean_that_says_nothing_was_not_sent(said: Any) -> None:
    assert read({"flag": said}) == {}


def test_a_boolean_that_a_form_leaves_out_was_not_sent() -> None:
    assert read(Form({"text": ["x"]})) == {"text": "x"}


@pytest.mark.parametrize(
    ("said", "found"), [("true", True), ("1", True), (1, True), ("off", False), ("False", False), (0, False)]
)
def test_a_boolean_is_understood_in_many_spellings(said: Any, found: bool) -> None:
    assert read({"flag": said}) == {"flag": found}


@pytest.mark.parametrize("said", [[], {}, "perhaps", 2, 1.5])
def test_a_boolean_that_is_none_is_refused(said: Any) -> None:
    with pytest.raises(serializers.ValidationError):
        read({"flag": said})


def test_a_boolean_at_the_end_of_a_body_never_closed_keeps_its_line_s_end() -> None:
    assert read({"flag": "true\r\n"}) == {"flag": True}
    assert read({"flag": "false\r\n"}) == {"flag": False}


def test_go_s_zero_time_says_nothing() -> None:
    assert read({"at": "0001-01-01T00:00:00Z"}) == {"at": None}


@pytest.mark.parametrize(
    "said", [0, 1.5, True, [], {}, "x", "2026", "12:00", "2026-01-01T25:00", "9999-12-31T23:59:59-14:00", "٢٠٢٦"]
)
def test_a_moment_that_is_none_is_refused(said: Any) -> None:
    with pytest.raises(serializers.ValidationError):
        read({"at": said})


def test_unpacking_leaves_what_is_no_list_for_the_field_to_refuse() -> None:
    assert (unpacked(7), unpacked("a, b"), unpacked("[bad")) == (7, ["a", "b"], ["[bad"])


@pytest.mark.parametrize("long", [[None] * 100_000, ",".join("x" * 100_000), '{"0": 1, "1": 1, "2": 1, "3": 1}'])
def test_a_list_that_is_too_long_is_one_error_not_one_for_each_item(long: Any) -> None:
    with pytest.raises(serializers.ValidationError) as caught:
        read({"team": long})
    assert caught.value.detail == {"team": ["Ensure this field has no more than 3 elements."]}
