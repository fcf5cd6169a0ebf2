"""The embedded servers start, are found again, mend themselves after a crash, and stop. Real processes throughout."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import redis

from deploy.embedded import Embedded, EmbeddedError, Postgres, Valkey, end, gone, wait_until
from makerlog.env import embedded_database_url, embedded_redis_url, runtime_dir

ROOT = Path(__file__).resolve().parent.parent.parent
START = """
import sys
from pathlib import Path
from deploy.embedded import Embedded
Embedded(Path(sys.argv[1]), fast=len(sys.argv) == 2).start()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder whose servers are gone when the test is over, whatever it did to them.

    Not under tmp_path: as root, a second pytest takes the servers' own user the way through pytest's folder again.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data")
        yield path
        for server in (Postgres(path, True), Valkey(path, True)):
            end(server.processes(), signal.SIGKILL, 5)
        shutil.rmtree(runtime_dir(path), ignore_errors=True)


@pytest.fixture
def embedded(data_dir: Path) -> Iterator[Embedded]:
    """Not started yet; stopped when the test is over."""
    embedded = Embedded(data_dir, fast=True)
    yield embedded
    embedded.stop()


@pytest.fixture
def servers(embedded: Embedded) -> Embedded:
    embedded.start()
    return embedded


def start_elsewhere(data_dir: Path, *arguments: str) -> None:
    """In a process that ends at once, and leaves the servers running."""
    subprocess.run([sys.executable, "-c", START, str(data_dir), *arguments], cwd=ROOT, check=True)


def kill(data_dir: Path) -> None:
    """kill -9 of everything, as when the power goes."""
    processes = [*Postgres(data_dir, True).processes(), *Valkey(data_dir, True).processes()]
    assert len(processes) > 2
    end(processes, signal.SIGKILL, 5)


def pids(embedded: Embedded) -> list[int]:
    return [server.process.pid for server in embedded.servers if server.process]


def query(data_dir: Path, sql: str) -> object:
    with contextlib.closing(psycopg2.connect(embedded_database_url(data_dir))) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchone() if cursor.description else None


def client(data_dir: Path) -> redis.Redis:
    return redis.Redis.from_url(embedded_redis_url(data_dir))


def test_both_start_and_answer(servers: Embedded, data_dir: Path) -> None:
    assert query(
        data_dir, "SELECT current_database(), current_user, current_setting('server_version_num')::int / 10000"
    ) == (
        "makerlog",
        "makerlog",
        18,
    )
    with client(data_dir) as valkey:
        assert valkey.ping() is True


def test_they_listen_on_private_unix_sockets_only(servers: Embedded, data_dir: Path) -> None:
    for server in servers.servers:
        assert server.process is not None
        assert server.process.net_connections(kind="inet") == []
        assert server.directory.stat().st_mode & 0o777 == 0o700
    assert runtime_dir(data_dir).stat().st_mode & 0o777 == 0o700
    assert query(data_dir, "SHOW max_connections") == ("200",)


def test_each_has_a_session_of_its_own(servers: Embedded) -> None:
    sessions = [os.getsid(pid) for pid in pids(servers)]
    assert sessions == pids(servers)
    assert os.getsid(0) not in sessions


def test_a_second_start_finds_the_first(servers: Embedded, data_dir: Path) -> None:
    second = Embedded(data_dir, fast=True)
    second.start()
    assert pids(second) == pids(servers)
    second.stop()


def test_the_last_to_stop_ends_them(data_dir: Path) -> None:
    first, second = Embedded(data_dir, fast=True), Embedded(data_dir, fast=True)
    first.start()
    second.start()
    first.stop()
    assert second.ended() is None
    second.stop()
    assert [server.processes() for server in second.servers] == [[], []]


def test_servers_of_an_earlier_process_can_be_stopped(data_dir: Path) -> None:
    start_elsewhere(data_dir)
    later = Embedded(data_dir)
    assert all(server.main_process() for server in later.servers)
    later.stop()
    assert [server.processes() for server in later.servers] == [[], []]


def test_stopping_what_does_not_run_is_nothing(data_dir: Path) -> None:
    Embedded(data_dir).stop()
    assert not (data_dir / "postgres").exists()


def test_data_outlive_a_stop(data_dir: Path) -> None:
    embedded = Embedded(data_dir)
    embedded.start()
    query(data_dir, "CREATE TABLE kept AS SELECT 42 AS number")
    with client(data_dir) as valkey:
        valkey.set("kept", "42")
    embedded.stop()
    embedded.start()
    assert query(data_dir, "SELECT number FROM kept") == (42,)
    with client(data_dir) as valkey:
        assert valkey.get("kept") == b"42"
    embedded.stop()


def test_one_alone_can_be_asked_for(data_dir: Path) -> None:
    embedded = Embedded(data_dir, postgres=False)
    embedded.start()
    assert [server.title for server in embedded.servers] == ["Valkey"]
    assert not (data_dir / "postgres").exists()
    embedded.stop()


def test_a_start_after_a_crash_mends_itself(data_dir: Path, embedded: Embedded) -> None:
    start_elsewhere(data_dir, "durable")
    query(data_dir, "CREATE TABLE kept AS SELECT 42 AS number")
    kill(data_dir)
    assert (data_dir / "postgres" / "postmaster.pid").exists()
    embedded.start()
    assert query(data_dir, "SELECT number FROM kept") == (42,)


def test_orphans_of_a_killed_postmaster_do_not_stand_in_the_way(data_dir: Path, embedded: Embedded) -> None:
    start_elsewhere(data_dir)
    postgres = Postgres(data_dir, True)
    orphans = [process for process in postgres.processes() if process != postgres.main_process()]
    for process in orphans:
        process.suspend()
    end([postgres.main_process() or pytest.fail("not up")], signal.SIGKILL, 5)
    embedded.start()
    assert all(gone(process) for process in orphans)


def test_a_reused_process_id_is_no_running_server(data_dir: Path, embedded: Embedded) -> None:
    start_elsewhere(data_dir)
    kill(data_dir)
    for path in (data_dir / "postgres" / "postmaster.pid", runtime_dir(data_dir) / ".s.PGSQL.5432.lock"):
        path.write_text("\n".join([str(os.getppid()), *path.read_text().splitlines()[1:]]) + "\n")
    embedded.start()
    assert query(data_dir, "SELECT 1") == (1,)


def test_a_server_whose_folder_was_deleted_is_replaced(data_dir: Path, embedded: Embedded) -> None:
    start_elsewhere(data_dir)
    old = [server.main_process() for server in Embedded(data_dir).servers]
    shutil.rmtree(data_dir)
    embedded.start()
    assert query(data_dir, "SELECT 1") == (1,)
    assert all(gone(process) for process in old if process)


def test_deleted_sockets_are_made_again(data_dir: Path, embedded: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    start_elsewhere(data_dir)
    shutil.rmtree(runtime_dir(data_dir))
    for server in embedded.servers:
        monkeypatch.setattr(server, "adopt_seconds", 0.1)
    embedded.start()
    assert query(data_dir, "SELECT 1") == (1,)


def test_an_interrupted_initdb_is_done_again(data_dir: Path) -> None:
    draft = data_dir / "postgres.new"
    (draft / "base" / "1").mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    embedded = Embedded(data_dir, fast=True, valkey=False)
    embedded.start()
    assert not draft.exists()
    embedded.stop()


def test_an_end_nobody_asked_for_is_told(servers: Embedded) -> None:
    assert servers.ended() is None
    postgres = servers.servers[0].process
    assert postgres is not None
    postgres.send_signal(signal.SIGINT)
    assert wait_until(lambda: gone(postgres), seconds=10)
    assert str(servers.ended()).startswith("PostgreSQL ended unexpectedly: ")
    assert str(servers.ended()).endswith("database system is shut down")


def test_an_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError) as caught:
        Embedded(tmp_path / "file").start()
    assert str(caught.value) == f"DATA_DIR is {tmp_path / 'file'}, which cannot be used: Not a directory."


def test_a_server_that_will_not_start_is_quoted(data_dir: Path) -> None:
    start_elsewhere(data_dir)
    kill(data_dir)
    (data_dir / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedError) as caught:
        Embedded(data_dir, fast=True).start()
    assert "PostgreSQL did not start: " in str(caught.value)
    assert "database files are incompatible with server" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sockets_in_somebody_elses_folder_are_refused(data_dir: Path, tmp_path: Path) -> None:
    runtime_dir(data_dir).symlink_to(tmp_path)
    with pytest.raises(EmbeddedError, match="belongs to another user"):
        Embedded(data_dir, fast=True).start()
    runtime_dir(data_dir).unlink()
