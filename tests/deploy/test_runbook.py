"""What the runbook and deploy/README.md tell somebody to type exists."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from moderation.models import RouteSwitch
from tests.deploy.hosts import ROOT

PAGES = ["deploy/runbook.md", "deploy/README.md", "deploy/staff.md", "examples/README.md", "README.md"]
TYPED = re.compile(r"manage\.py ([a-z_]+)([^`\n|]*)")
NAMED = re.compile(r"`((?:makerlog|moderation|deploy|tests|tasks)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_their_options_are_there(page: str) -> None:
    commands = get_commands()
    for name, rest in TYPED.findall((ROOT / page).read_text()):
        assert name in commands, name
        app = commands[name]
        parser = load_command_class(app, name).create_parser("manage.py", name) if isinstance(app, str) else None
        for option in re.findall(r"--[a-z-]+", rest):
            assert parser is not None
            assert option in parser._option_string_actions, f"{name} {option}"


@pytest.mark.parametrize("page", PAGES)
def test_files_are_there(page: str) -> None:
    for path in NAMED.findall((ROOT / page).read_text()):
        assert (ROOT / path).exists(), path


def test_routes_are_switched_to_what_there_is() -> None:
    text = Path(ROOT / "deploy/runbook.md").read_text()
    states = set(re.findall(r"manage\.py route NAME (\w+)", text)) | set(
        re.findall(r"\(or `(\w+)`, or `(\w+) ", text)[0]
    )
    assert states <= set(RouteSwitch.State.values)
    assert states
