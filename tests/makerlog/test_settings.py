"""Settings come from the environment, are all documented, and an unusable one is named in a sentence."""

import ipaddress
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from makerlog import settings
from makerlog.env import (
    Environment,
    SettingError,
    development_secret,
    embedded_database_url,
    embedded_redis_url,
    runtime_dir,
)

EXAMPLE = settings.BASE_DIR / ".env.example"


def documented() -> set[str]:
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", EXAMPLE.read_text(), re.MULTILINE))


def test_every_setting_is_in_the_example() -> None:
    missing = settings.env.names - documented()
    assert not missing, f"Explain {sorted(missing)} in .env.example, with the default."


def test_everything_in_the_example_is_a_setting() -> None:
    unknown = documented() - settings.env.names
    assert not unknown, f"makerlog/settings.py reads no {sorted(unknown)}; take it out of .env.example."


def test_the_example_sets_nothing() -> None:
    assert [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")] == []


def test_text_is_read() -> None:
    assert Environment({"NAME": "value"}).text("NAME") == "value"


def test_text_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("value\n")
    assert Environment({"NAME_FILE": str(tmp_path / "secret")}).text("NAME") == "value"


def test_the_variable_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file")
    assert Environment({"NAME": "value", "NAME_FILE": str(tmp_path / "secret")}).text("NAME") == "value"


def test_a_default_is_used() -> None:
    assert Environment({}).text("NAME", "default") == "default"


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_variable_is_an_unset_one(empty: str, tmp_path: Path) -> None:
    (tmp_path / "ranges").write_text("10.0.0.0/8")
    (tmp_path / "empty").touch()
    environment = Environment({"NAME": empty, "HELD": empty, "HELD_FILE": str(tmp_path / "ranges"), "BARE_FILE": empty})
    assert environment.text("NAME", "default") == "default"
    assert environment.flag("NAME", True)
    assert environment.integer("NAME", 5, least=1, most=9) == 5
    assert environment.choice("NAME", "INFO", ("DEBUG", "INFO")) == "INFO"
    assert environment.words("NAME", "a,b") == ["a", "b"]
    assert environment.path("NAME", "somewhere") == Path.cwd() / "somewhere"
    assert environment.networks("HELD").path == tmp_path / "ranges"
    assert environment.text("BARE", "default") == "default"
    assert Environment({"NAME_FILE": str(tmp_path / "empty")}).integer("NAME", 5, least=1, most=9) == 5


def test_every_setting_may_be_empty() -> None:
    """Settings are read once: in a process of its own. Of what libraries read, WEB_CONCURRENCY is one of gunicorn's own."""
    program = (
        "from makerlog.env import drop_empty_variables; drop_empty_variables(); import makerlog.settings as settings;"
        "print(*sorted(f'{name}={getattr(settings, name)!r}' for name in dir(settings) if name.isupper()), sep='\\n')"
    )
    empty = dict.fromkeys(documented() | {f"{name}_FILE" for name in documented()}, "")
    needed = {"PATH": os.environ["PATH"], "DATA_DIR": str(settings.DATA_DIR)}

    def read(variables: dict[str, str]) -> str:
        run = subprocess.run(
            [sys.executable, "-c", program], env=variables, cwd=settings.BASE_DIR, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        return re.sub(r"0x[0-9a-f]+", "", run.stdout)

    assert read(needed | {name: "" for name in empty if name != "DATA_DIR"}) == read(needed)


def test_the_names_that_were_asked_for_are_known() -> None:
    environment = Environment({})
    environment.flag("ONE", True)
    environment.networks("TWO")
    assert environment.names == {"ONE", "TWO"}


@pytest.mark.parametrize(("value", "flag"), [("1", True), ("Yes", True), ("0", False), ("off", False)])
def test_a_flag_is_read(value: str, flag: bool) -> None:
    assert Environment({"NAME": value}).flag("NAME", not flag) is flag


def test_a_whole_number_is_read() -> None:
    assert Environment({"NAME": "7"}).integer("NAME", 1, least=1, most=9) == 7


def test_a_choice_is_read_in_any_case() -> None:
    assert Environment({"NAME": " info"}).choice("NAME", "DEBUG", ("DEBUG", "INFO")) == "INFO"
    assert Environment({}).choice("NAME", "DEBUG", ("DEBUG", "INFO")) == "DEBUG"


def test_words_are_split_and_trimmed() -> None:
    assert Environment({"NAME": "a, b,,c "}).words("NAME") == ["a", "b", "c"]


def test_networks_are_addresses_and_ranges() -> None:
    expected = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::1/128")]
    assert list(Environment({"NAME": "10.0.0.0/8,2001:db8::1"}).networks("NAME")) == expected


def test_a_path_is_absolute() -> None:
    assert Environment({"NAME": "somewhere"}).path("NAME", ".") == Path.cwd() / "somewhere"


WRONG: list[tuple[Callable[[Environment], Any], dict[str, str], str]] = [
    (lambda env: env.text("NAME"), {}, "NAME is not set; see .env.example for what it holds."),
    (
        lambda env: env.text("NAME"),
        {"NAME_FILE": "/nowhere/at/all"},
        "NAME_FILE names /nowhere/at/all, which cannot be read: No such file or directory.",
    ),
    (lambda env: env.flag("NAME", True), {"NAME": "maybe"}, "NAME must be 1 or 0, not 'maybe'."),
    (
        lambda env: env.choice("NAME", "INFO", ("DEBUG", "INFO")),
        {"NAME": "loud"},
        "NAME must be one of DEBUG, INFO, not 'loud'.",
    ),
    (lambda env: env.integer("NAME", 1, least=1, most=9), {"NAME": "10"}, "NAME must be from 1 to 9, not 10."),
    (
        lambda env: env.integer("NAME", 1, least=1, most=9),
        {"NAME": "many"},
        "NAME holds 'many', which is not a whole number: invalid literal for int() with base 10: 'many'.",
    ),
    (
        lambda env: env.networks("NAME"),
        {"NAME": "10.0.0.1/8"},
        "NAME holds '10.0.0.1/8', which is not an address or CIDR range: 10.0.0.1/8 has host bits set.",
    ),
]


@pytest.mark.parametrize(("read", "variables", "sentence"), WRONG)
def test_what_cannot_be_used_is_named_in_one_sentence(
    read: Callable[[Environment], Any], variables: dict[str, str], sentence: str
) -> None:
    with pytest.raises(SettingError) as caught:
        read(Environment(variables))
    assert str(caught.value) == sentence


def test_a_development_secret_is_made_once_and_is_private(tmp_path: Path) -> None:
    first = development_secret(tmp_path, "KEY")
    assert development_secret(tmp_path, "KEY") == first
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "secrets" / "KEY").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["KEY"]


def test_a_secret_in_an_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingError) as caught:
        development_secret(tmp_path / "file", "KEY")
    assert str(caught.value) == f"DATA_DIR is {tmp_path / 'file'}, which cannot be written: Not a directory."


def test_the_embedded_servers_have_short_addresses_of_their_own() -> None:
    one, other = Path("/data/" + "long/" * 50), Path("/data")
    assert len(str(runtime_dir(one))) < 90
    assert runtime_dir(one) != runtime_dir(other)
    assert embedded_database_url(one) == f"postgresql://makerlog@{str(runtime_dir(one)).replace('/', '%2F')}/makerlog"
    assert embedded_redis_url(one) == f"unix://{runtime_dir(one)}/valkey.sock"


def test_what_the_database_url_asks_for_is_kept() -> None:
    """In a process of its own: settings are read once."""
    program = "from makerlog.settings import DATABASES; print(DATABASES['default']['OPTIONS']['sslmode'])"
    variables = {
        **os.environ,
        "DATABASE_URL": "postgresql://maker:secret@database:5432/makerlog?sslmode=require",
        "SECRET_KEY": "a",
        "TOKEN_PEPPERS": "b",
    }
    run = subprocess.run([sys.executable, "-c", program], env=variables, cwd=settings.BASE_DIR, capture_output=True)
    assert (run.stdout, run.stderr) == (b"require\n", b"")


@pytest.mark.parametrize(
    ("given", "secured"),
    [
        ({}, "False True"),
        ({"EMAIL_PORT": "465"}, "True False"),
        ({"EMAIL_PORT": "465", "EMAIL_USE_SSL": "0"}, "False True"),
        ({"EMAIL_USE_SSL": "1"}, "True False"),
        ({"EMAIL_PORT": "25", "EMAIL_USE_TLS": "0"}, "False False"),
        ({"EMAIL_PORT": "465", "EMAIL_USE_TLS": "1"}, None),
    ],
)
def test_mail_has_tls_as_its_port_does(given: dict[str, str], secured: str | None) -> None:
    program = "from makerlog.settings import EMAIL_USE_SSL, EMAIL_USE_TLS; print(EMAIL_USE_SSL, EMAIL_USE_TLS)"
    run = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | given, cwd=settings.BASE_DIR, capture_output=True, text=True
    )
    assert run.stdout.strip() == (secured or "")
    assert secured or "EMAIL_USE_SSL and EMAIL_USE_TLS are both 1" in run.stderr
