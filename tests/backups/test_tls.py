"""A backup and its restore over TLS, on the oldest and the newest PostgreSQL that a test can have."""

import base64
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from makerlog.env import runtime_dir
from tests.backups.servers import Server, debian_server, wheel_server
from tests.backups.test_drill import Drill
from tests.conftest import DATA_DIR, SERVERS

NAMES = ("makerlog_tls", "makerlog_tls_drill")


@dataclass
class TlsDrill(Drill):
    server: Server | None = None

    def database(self, name: str) -> str:
        assert self.server is not None
        return self.server.url(name)


@pytest.fixture(params=[15, 18])
def drill(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TlsDrill]:
    place = tmp_path / "server"
    place.mkdir()
    if request.param == 18 and not any(each.title == "PostgreSQL" for each in SERVERS.servers):
        pytest.skip("DATABASE_URL is set: the wheel's PostgreSQL is not running")
    running = debian_server(place) if request.param == 15 else wheel_server(place, runtime_dir(DATA_DIR))
    with running as server:
        made = TlsDrill(tmp_path, name=NAMES[0], server=server)
        for name in NAMES:
            made.sql(f"DROP DATABASE IF EXISTS {name}", "postgres")
            made.sql(f"CREATE DATABASE {name}", "postgres")
        try:
            yield made
        finally:
            for name in NAMES:
                with contextlib.suppress(Exception):
                    made.sql(f"DROP DATABASE {name} WITH (FORCE)", "postgres")


def quoted(*words: str) -> str:
    """As makerlog-manage hands them to manage.py."""
    return base64.b64encode("".join(f"{word}\0" for word in words).encode()).decode()


def test_a_backup_over_tls_is_restored_row_for_row_as_the_drill_says(drill: TlsDrill) -> None:
    """Typed as in deploy/README.md: the drill's database in a variable of the app, the service's own left alone."""
    assert drill.server is not None
    assert drill.sql("SHOW server_version_num")[0][0].startswith(str(drill.server.major))
    drill.works("migrate")
    drill.works("demo", "--makers", "6", "--tasks", "40", "--products", "3", "--discussions", "3")
    media = drill.folder / "media" / "avatars" / "one.png"
    media.parent.mkdir(parents=True)
    media.write_bytes(b"one")
    drill.works("backup", drill.folder / "backup")
    before = drill.rows()
    media.unlink()
    drill.settings["DRILL_URL"] = drill.database(NAMES[1])
    words = quoted("restore", str(drill.folder / "backup"), "--database", "DRILL_URL")
    assert "Restored, and all alike" in drill.works("quoted", words)
    assert not media.exists()
    assert drill.rows() == before
    drill.settings["DATABASE_URL"] = drill.database(NAMES[1])
    assert drill.sql("SELECT count(*) FROM tasks_task", NAMES[1]) == [(40,)]
    drill.works("demo", "--tasks", "3")  # numbers go on where they were
    assert drill.sql("SELECT count(*) FROM tasks_task", NAMES[1]) == [(43,)]
