"""Imports point one way; this holds the line."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# From the bottom up: a module imports from its own layer and from lower ones, which come earlier in this list.
LAYERS = [
    ["makerlog.env"],
    ["makerlog.gate"],
    ["makerlog.api"],
    ["makerlog.content"],
    ["makerlog.changes"],
    ["makerlog.live"],
    ["makerlog.accounts"],
    ["products"],
    ["tasks"],
    ["discussions"],
    ["makerlog.notifications", "makerlog.feeds", "makerlog.search", "makerlog.stats", "makerlog.webhooks"],
    ["makerlog.exports"],
    ["moderation"],
    # The composition root: imports everybody, imported by nobody.
    [
        "makerlog.settings",
        "makerlog.urls",
        "makerlog.routing",
        "makerlog.asgi",
        "makerlog.wsgi",
        "makerlog.demo",
        "makerlog.jobs",
        "makerlog.backups",
    ],
]
KERNEL_WITHOUT_MODELS = ("makerlog.env", "makerlog.gate")


def layer(module: str) -> int | None:
    for height, names in enumerate(LAYERS):
        if any(module == name or module.startswith(f"{name}.") for name in names):
            return height
    return None


def modules() -> list[Path]:
    folders = ["makerlog", "products", "tasks", "discussions", "moderation"]
    found = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    return sorted(file for file in found if "migrations" not in file.parts)


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(file: Path) -> tuple[str, ...]:
    return tuple(imported(file))


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively; name the module in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_a_module_imports_downwards_only(file: Path) -> None:
    own = layer(name_of(file))
    if own is None:
        assert name_of(file) == "makerlog", f"{file} is in no layer; add it to LAYERS"
        return
    wrong = [name for name in imports(file) if (other := layer(name)) is not None and other > own]
    assert wrong == [], (
        f"{name_of(file)} must not import {', '.join(wrong)}: imports point one way. Move what both need down,"
        " or register a function in the composition root (see makerlog.content.on_relist)."
    )


@pytest.mark.parametrize("file", [file for file in modules() if layer(name_of(file)) == len(LAYERS) - 1], ids=name_of)
def test_nobody_imports_the_composition_root(file: Path) -> None:
    root = name_of(file)
    importers = [name_of(other) for other in modules() if root in set(imports(other)) | prefixes(other)]
    allowed = {other for other in importers if layer(other) == layer(root)}
    assert set(importers) - allowed == set()


def prefixes(file: Path) -> set[str]:
    return {name.rpartition(".")[0] for name in imports(file)}


@pytest.mark.parametrize("file", [f for f in modules() if name_of(f).startswith(KERNEL_WITHOUT_MODELS)], ids=name_of)
def test_the_gate_knows_no_django(file: Path) -> None:
    assert [name for name in imports(file) if name.split(".")[0] in {"django", "rest_framework"}] == []
