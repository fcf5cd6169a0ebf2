"""Every table that refers to a maker is exported, or said to be left out; no secret is in an export."""

import re

import pytest
from django.apps import apps
from django.db.models import Field

from makerlog.accounts.models import Maker
from makerlog.api.checks import Order, indexed, serves
from makerlog.exports.sections import LEFT_OUT, SECTIONS, Section

SECRET = re.compile(r"password|secret|digest|pepper|token|key|hash")
NO_SECRETS = {"accounts.Maker.digest"}  # a setting: whether a maker wants that mail


def referring() -> list[Field]:
    fields = [field for model in apps.get_models(include_auto_created=True) for field in model._meta.local_fields]
    return [field for field in fields if field.related_model is Maker]


def label(field: Field) -> str:
    return f"{field.model._meta.label}.{field.name}"


def test_every_table_that_refers_to_a_maker_is_exported_or_left_out_for_a_reason() -> None:
    exported = {f"{section.model._meta.label}.{section.of}" for section in SECTIONS} - {"accounts.Maker.id"}
    found = {label(field) for field in referring()}
    missing = found - exported - {*LEFT_OUT}
    assert not missing, (
        f"{sorted(missing)} refer to a maker: give each a Section in makerlog/exports/sections.py, or say in LEFT_OUT why a"
        " maker who asks for all that is theirs does not get it."
    )
    assert ({*LEFT_OUT} - found, exported & {*LEFT_OUT}) == (set(), set())
    assert all(LEFT_OUT.values())


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_no_column_that_sounds_like_a_secret_is_exported(section: Section) -> None:
    names = {f"{section.model._meta.label}.{name}" for name in section.columns if SECRET.search(name)}
    assert names - NO_SECRETS == set()


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_a_section_is_read_by_an_index_that_begins_with_its_maker(section: Section) -> None:
    by_key = any(serves(fields, Order(section.model, section.key, (section.of,))) for fields in indexed(section.model))
    alone = section.key == ("id",) and section.model._meta.get_field(section.of).db_index
    assert by_key or alone or section.of == "id"


def test_each_section_is_a_file_of_its_own() -> None:
    names = [section.name for section in SECTIONS]
    assert len(names) == len({*names})
