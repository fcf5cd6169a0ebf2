"""The restore drill: a community with uploads is backed up, its database dropped, and all of it is there again."""

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.conf import settings
from django.db import connection

from makerlog.backups.manifest import BackupError, checked
from makerlog.backups.media import ASIDE
from tests.s3 import running_bucket

ROOT = Path(__file__).resolve().parent.parent.parent
NAME = "makerlog_drill"
UPLOADS = {"avatars/one.png": b"\x89PNG one", "attachments/two.jpg": bytes(range(256)) * 9000, "icons/empty.png": b""}
AUDITED = """
    INSERT INTO moderation_auditentry (act, subject, reason, details) VALUES ('ban', 'ban:1', 'é \\ "', '{"a": [1.5]}')
"""

pytestmark = pytest.mark.django_db  # makes the test database, from which the drill's own is copied


@dataclass
class Drill:
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    name: str = NAME
    largest: int = resource.RLIM_INFINITY  # file that a command can write, in bytes

    def database(self, name: str) -> str:
        return urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}").geturl()

    def sql(self, statement: str, name: str = "") -> list[Any]:
        with contextlib.closing(psycopg2.connect(self.database(name or self.name))) as line:
            line.autocommit = True
            with line.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "DATABASE_URL": self.database(self.name), "DATA_DIR": str(self.folder), "DEBUG": "1"}
        variables |= {"PROCESS": "command", **self.settings}
        command = [sys.executable, "-W", "ignore", "manage.py", *map(str, arguments)]
        limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (self.largest, self.largest))
        return subprocess.run(
            command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, preexec_fn=limit
        )

    def works(self, *arguments: str | Path) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fails(self, *arguments: str | Path) -> str:
        done = self.run(*arguments)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        return done.stderr

    def rows(self) -> dict[str, list[str]]:
        """Every row of every table, as text: not by the code that is tested."""
        names = self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return {name: [row for (row,) in self.sql(f'SELECT t::text FROM "{name}" t ORDER BY 1')] for (name,) in names}

    def uploads(self) -> dict[str, bytes]:
        media = self.folder / "media"
        return {str(path.relative_to(media)): path.read_bytes() for path in media.rglob("*") if path.is_file()}

    def drop(self) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {NAME}", "postgres")


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any) -> Iterator[Drill]:
    made = Drill(tmp_path_factory.mktemp("drill"))
    made.drop()
    with django_db_blocker.unblock():
        connection.close()  # a database in use is no template
    made.sql(f"CREATE DATABASE {NAME} TEMPLATE {connection.settings_dict['NAME']}", "postgres")
    made.works("demo", "--makers", "12", "--tasks", "150", "--products", "5", "--discussions", "5")
    made.sql("UPDATE accounts_maker SET avatar = 'avatars/one.png' WHERE id = (SELECT min(id) FROM accounts_maker)")
    made.sql(AUDITED)
    for name, content in UPLOADS.items():
        path = made.folder / "media" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    yield made
    made.drop()


@pytest.fixture(scope="module")
def backup(drill: Drill) -> Path:
    folder = drill.folder / "backups" / "one"
    said = drill.works("backup", folder)
    assert f"{sum(map(len, drill.rows().values())):,} rows of {len(drill.rows())} tables, 3 uploads" in said
    return folder


@pytest.fixture
def copy(backup: Path, tmp_path: Path) -> Path:
    """To be damaged."""
    return Path(shutil.copytree(backup, tmp_path / "copy"))


def test_a_dropped_database_and_its_uploads_are_back_row_for_row(drill: Drill, backup: Path) -> None:
    before = drill.rows()
    assert len(before["tasks_task"]) == 150
    drill.drop()
    drill.sql(f"CREATE DATABASE {NAME}", "postgres")
    shutil.rmtree(drill.folder / "media")
    assert "Restored, and all alike" in drill.works("restore", backup)
    assert drill.rows() == before
    assert drill.uploads() == UPLOADS
    with pytest.raises(psycopg2.Error, match="append-only"):  # triggers came back as well
        drill.sql("UPDATE moderation_auditentry SET act = 'x'")
    drill.works("migrate", "--check")
    drill.works("demo", "--tasks", "3")  # numbers go on where they were
    assert len(drill.rows()["tasks_task"]) == 153


def test_what_is_there_is_given_up_only_when_told_to(drill: Drill, backup: Path) -> None:
    wanted = checked(backup).tables["tasks_task"].rows
    drill.works("demo", "--tasks", "7")
    before = drill.rows()
    assert "--replace" in drill.fails("restore", backup)
    assert drill.rows() == before
    drill.works("restore", backup, "--replace")
    assert len(drill.rows()["tasks_task"]) == wanted < len(before["tasks_task"])


def test_while_others_are_connected_nothing_is_restored(drill: Drill, backup: Path) -> None:
    with contextlib.closing(psycopg2.connect(drill.database(drill.name))):
        assert "Stop the service first" in drill.fails("restore", backup, "--replace")


def test_what_is_not_as_the_manifest_says_is_undone(drill: Drill, copy: Path) -> None:
    """A dump that PostgreSQL takes, and that is not what was counted; an upload was replaced since."""
    (drill.folder / "media" / "avatars" / "one.png").write_bytes(b"since")
    before, uploads, path = drill.rows(), drill.uploads(), copy / "manifest.json"
    said = json.loads(path.read_text())
    said["tables"]["tasks_task"][0] += 1
    said["tables"]["accounts_maker"][1] += "1"
    path.write_text(json.dumps(said))
    told = drill.fails("restore", copy, "--replace")
    assert "accounts_maker has other rows than it had" in told
    assert "tasks_task has 150 rows in place of 151" in told
    assert (drill.rows(), drill.uploads()) == (before, uploads)


def test_uploads_of_s3_come_back_and_a_restore_that_fails_leaves_them(drill: Drill, tmp_path: Path) -> None:
    with running_bucket() as bucket:
        remote, folder = Drill(drill.folder, bucket.settings), tmp_path / "remote"
        bucket.kept.update(whole := {f"/uploads/{name}": content for name, content in UPLOADS.items()})
        assert "3 uploads" in remote.works("backup", folder)
        bucket.kept.clear()
        bucket.kept["/uploads/avatars/one.png"] = b"since"
        before, uploads, bucket.refuses = drill.rows(), dict(bucket.kept), "icons/empty.png"
        assert "403" in remote.fails("restore", folder, "--replace")
        attachment = {"/uploads/attachments/two.jpg": UPLOADS["attachments/two.jpg"]}  # nothing refers to it
        assert (drill.rows(), bucket.kept) == (before, uploads | attachment)
        bucket.refuses = ""
        remote.works("restore", folder, "--replace")
        assert bucket.kept == whole


def test_what_a_restore_left_aside_when_it_was_cut_off_is_told(drill: Drill, backup: Path) -> None:
    aside = drill.folder / "media" / ASIDE / "avatars" / "one.png"
    aside.parent.mkdir(parents=True)
    aside.write_bytes(b"of before")
    assert f"{ASIDE}/avatars/one.png" in drill.fails("restore", backup, "--replace")
    assert aside.read_bytes() == b"of before"
    shutil.rmtree(drill.folder / "media" / ASIDE)


def test_a_backup_never_overwrites_another(drill: Drill, backup: Path) -> None:
    assert "is there already" in drill.fails("backup", backup)


@pytest.mark.parametrize("name", ["tables/tasks_task.copy.gz", "media/avatars/one.png", "media/attachments/two.jpg"])
def test_one_wrong_byte_is_noticed_before_anything_is_touched(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BackupError, match=f"is damaged: {name} not as written. Nothing was touched"):
        checked(copy)


@pytest.mark.parametrize("name", ["tables/tasks_task.copy.gz", "media/icons/empty.png"])
def test_a_missing_file_is_noticed(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BackupError, match=name):
        checked(copy)


def test_a_backup_that_was_cut_off_is_none(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    with pytest.raises(BackupError, match="no whole backup"):
        checked(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 2, "tables": 3, "files": {}}'])
def test_half_a_manifest_is_none(copy: Path, text: str) -> None:
    (copy / "manifest.json").write_text(text)
    with pytest.raises(BackupError, match="damaged"):
        checked(copy)


def test_only_its_owner_reads_a_backup(backup: Path) -> None:
    assert backup.stat().st_mode & 0o077 == 0


# --- What is not Makerlog's ---


@pytest.fixture
def neighbours(drill: Drill) -> Iterator[None]:
    """What a database has beside our tables: an extension in their schema, a reader's rights, a view and a table."""
    drill.sql("DROP ROLE IF EXISTS drill_reader")
    drill.sql("CREATE ROLE drill_reader; CREATE EXTENSION vector; GRANT SELECT ON tasks_task TO drill_reader")
    drill.sql("CREATE VIEW busy AS SELECT author_id FROM tasks_task; CREATE TABLE notes (text text, at vector(2))")
    drill.sql("INSERT INTO notes VALUES ('keep', '[1,2]')")
    yield
    drill.sql(
        "DROP VIEW busy; DROP TABLE notes; DROP EXTENSION vector; DROP OWNED BY drill_reader; DROP ROLE drill_reader"
    )


def test_a_restore_leaves_extensions_and_other_roles_rights_and_says_what_it_cannot_restore(
    drill: Drill, neighbours: None, tmp_path: Path
) -> None:
    before = drill.rows()
    drill.works("backup", folder := tmp_path / "backup")
    drill.sql("DELETE FROM notes; INSERT INTO notes VALUES ('since')")
    drill.works("demo", "--tasks", "2")
    said = drill.works("restore", folder, "--replace")
    told, _, rest = said.partition("Restored")
    assert "no migration makes them (their rows are in the backup): notes." in told
    assert "extension vector, rights of the role drill_reader, view public.busy" in told
    assert rest
    assert drill.rows() == {**before, "notes": ["(since,)"]}
    assert drill.sql("SELECT has_table_privilege('drill_reader', 'tasks_task', 'SELECT')") == [(True,)]
    assert drill.sql("SELECT count(*) FROM busy") == [(len(before["tasks_task"]),)]
    assert not drill.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'makerlog_restoring'")


def test_a_backup_of_before_an_upgrade_is_brought_to_the_code_that_restores_it(drill: Drill, tmp_path: Path) -> None:
    drill.works("migrate", "accounts", "0013")
    drill.works("backup", folder := tmp_path / "old")
    makers = len(drill.rows()["accounts_maker"])
    assert "Run `manage.py migrate`" in drill.fails("restore", folder, "--replace")
    drill.works("migrate")
    drill.works("demo", "--makers", "3")
    drill.works("restore", folder, "--replace")
    drill.works("migrate", "--check")
    assert len(drill.rows()["accounts_maker"]) == makers


def test_a_backup_of_newer_code_is_refused_by_the_migrations_that_are_not_here(drill: Drill, copy: Path) -> None:
    path = copy / "manifest.json"
    said = json.loads(path.read_text())
    said["migrations"].append(["tasks", "9999_next_year"])
    path.write_text(json.dumps(said))
    before = drill.rows()
    assert "newer code (version unknown), whose migrations this code has not: tasks.9999_next_year" in drill.fails(
        "restore", copy, "--replace"
    )
    assert drill.rows() == before


def test_a_number_that_was_given_since_the_backup_is_not_given_again(drill: Drill, backup: Path) -> None:
    [(given,)] = drill.sql("SELECT nextval('tasks_task_id_seq')")
    drill.works("restore", backup, "--replace")
    assert drill.sql("SELECT nextval('tasks_task_id_seq')") == [(given + 1,)]


def test_a_database_that_only_migrations_filled_is_an_empty_one(drill: Drill, backup: Path) -> None:
    """As a first deploy leaves it, and a restore that failed."""
    drill.drop()
    drill.sql(f"CREATE DATABASE {NAME}", "postgres")
    drill.works("migrate")
    drill.works("restore", backup)
    assert len(drill.rows()["tasks_task"]) == checked(backup).tables["tasks_task"].rows


# --- What fails ---


def test_a_backup_that_fails_leaves_nothing_behind(drill: Drill, tmp_path: Path) -> None:
    full = replace(drill, largest=1_000_000)
    assert "File too large" in full.fails("backup", tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []


def test_a_drill_takes_no_database_but_another_than_the_services(drill: Drill, backup: Path) -> None:
    for name in ("DRILL_URL", "DATABASE_URL"):  # one that is unset, and the service's own
        sentence = f"{name} must hold the address of another database"
        assert sentence in drill.fails("restore", backup, "--database", name)
