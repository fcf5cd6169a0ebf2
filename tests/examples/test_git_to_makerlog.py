"""The example app on a real repository, against the real service."""

import json
import os
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from examples.git_to_makerlog import Commit, main, task_of
from tests.makers import caller

FIRST_DAY = date(2024, 2, 26)  # a leap day follows
COMMITS = 57  # more than one batch


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("MAKERLOG_TOKEN", raising=False)


def git(folder: Path, *arguments: str, **variables: str) -> None:
    me = {f"GIT_{who}_{what}": "alice@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, **me, **quiet, **variables},
    )


def commit(folder: Path, subject: str, when: str) -> None:
    git(
        folder, "commit", "--allow-empty", "--allow-empty-message", "-m", subject,
        GIT_AUTHOR_DATE=when, GIT_COMMITTER_DATE="2025-01-01T00:00:00+00:00",
    )  # fmt: skip


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A commit a day, each at noon UTC, though their committer dates are all the same."""
    folder = tmp_path_factory.mktemp("history")
    git(folder, "init", "-q")
    for number in range(COMMITS):
        day = FIRST_DAY + timedelta(days=number)
        commit(folder, f"Step {number}: naïve “quotes”, <b> & 100 %", f"{day.isoformat()}T14:00:00+02:00")
    return folder


@pytest.fixture
def repository(history: Path, tmp_path: Path) -> Path:
    """One of its own, to be added to."""
    return Path(shutil.copytree(history, tmp_path / "repository"))


@pytest.fixture
def service(live_server: Any, settings: Any) -> str:
    settings.PUBLIC_URL = live_server.url
    return str(live_server.url)


def read(url: str, token: str) -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Token {token}"})  # noqa: S310  (our own server)
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        return json.load(response)


def read_to_the_end(url: str, token: str) -> list[Any]:
    found = []
    while url:
        page = read(url, token)
        found += page["results"]
        url = page["next"]
    return found


@pytest.mark.django_db(transaction=True)
def test_a_history_is_posted_once_each_commit_on_its_own_day(
    repository: Path, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    alice, bob = caller("alice"), caller("bob")
    command = [str(repository), "--url", service, "--token", alice.token, "--project", "makerlog"]

    assert main(command) == 0
    assert capsys.readouterr().out == "57 new, 0 known already.\n"
    assert main(command) == 0
    assert capsys.readouterr().out == "0 new, 57 known already.\n"

    tasks = read_to_the_end(f"{service}/tasks/?username=alice&limit=10&ordering=created_at", bob.token)
    assert [task["content"] for task in tasks] == [
        f"Step {number}: naïve “quotes”, <b> & 100 % #makerlog" for number in range(COMMITS)
    ]
    assert all(task["done"] and task["project_set"][0]["name"] == "makerlog" for task in tasks)
    for number in range(COMMITS):
        day = FIRST_DAY + timedelta(days=number)
        found = read(f"{service}/users/alice/tasks_for_day/?day={day}", bob.token)
        assert [task["id"] for task in found] == [tasks[number]["id"]]


@pytest.mark.django_db(transaction=True)
def test_what_came_since_is_all_that_a_later_run_adds(
    repository: Path, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    alice = caller("alice")
    command = [str(repository), "--url", service, "--token", alice.token]
    assert main([*command, "--limit", "2"]) == 0
    commit(repository, "", "2024-06-01T12:00:00+00:00")
    assert main([*command, "--limit", "2"]) == 0
    assert capsys.readouterr().out == "2 new, 0 known already.\n1 new, 1 known already.\n"


@pytest.mark.django_db(transaction=True)
def test_a_refused_token_is_one_sentence(repository: Path, service: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(repository), "--url", service, "--token", "mkl_nobody"]) == 1
    said = capsys.readouterr().err
    assert "answered 401" in said
    assert said.startswith("Error: ")


# --- A service in trouble ---


class Troubled(BaseHTTPRequestHandler):
    """Answers from a script: a status with headers, or None to hang up; at its end all tasks are new."""

    script: list[tuple[int, dict[str, str]] | None]
    keys: list[str | None]

    def do_POST(self) -> None:
        self.keys.append(self.headers["Idempotency-Key"])
        tasks = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        step = self.script.pop(0) if self.script else (207, {})
        if step is None:
            return
        status, headers = step
        body = json.dumps([{"status": 201}] * len(tasks) if status == 207 else {"detail": "Not now.", "code": "busy"})
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def troubled() -> Iterator[tuple[str, type[Troubled]]]:
    handler = type("Handler", (Troubled,), {"script": [], "keys": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()
        thread.join()


def test_it_waits_as_long_as_it_is_told_and_asks_again_with_the_same_key(
    repository: Path, troubled: tuple[str, type[Troubled]], capsys: pytest.CaptureFixture[str]
) -> None:
    url, handler = troubled
    handler.script = [(429, {"Retry-After": "7"}), (503, {"Retry-After": "3"}), None, (502, {})]
    waits: list[float] = []
    assert main([str(repository), "--url", url, "--token", "mkl_x"], waits.append) == 0
    assert capsys.readouterr().out == "57 new, 0 known already.\n"
    assert waits == [7, 3, 4, 8]
    first, second = handler.keys[:5], handler.keys[5:]
    assert len(set(first)) == 1
    assert len(second) == 1
    assert second[0] not in first


def test_it_gives_up_after_a_bounded_number_of_tries(
    repository: Path, troubled: tuple[str, type[Troubled]], capsys: pytest.CaptureFixture[str]
) -> None:
    url, handler = troubled
    handler.script = [(503, {})] * 100
    waits: list[float] = []
    assert main([str(repository), "--url", url, "--token", "mkl_x"], waits.append) == 1
    assert "gave no answer in 8 tries" in capsys.readouterr().err
    assert len(handler.keys) == 8
    assert sum(waits) < 120


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ((302, {"Location": "http://127.0.0.1:9/"}), "answered 302"),
        ((429, {"Retry-After": "3600"}), "asks to come back in 3600 seconds"),
        ((403, {}), "answered 403: Not now."),
        ((200, {}), "is not Makerlog's API"),
    ],
)
def test_what_no_waiting_mends_ends_it_at_once(
    repository: Path,
    troubled: tuple[str, type[Troubled]],
    capsys: pytest.CaptureFixture[str],
    step: tuple[int, dict[str, str]],
    sentence: str,
) -> None:
    url, handler = troubled
    handler.script = [step]
    assert main([str(repository), "--url", url, "--token", "mkl_x"]) == 1
    assert sentence in capsys.readouterr().err
    assert len(handler.keys) == 1


# --- Bad input ---


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--token", ""], "A token is needed"),
        (["--token", "a b"], "A token is needed"),
        (["--token", "x", "--project", "two words"], "--project is 'two words'"),
        (["--token", "x", "--project", "42"], "--project is '42'"),
        (["--token", "x", "--limit", "0"], "--limit is 0"),
        (["--token", "x", "--url", "file:///etc"], "--url is 'file:///etc'"),
    ],
)
def test_bad_options_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert main([str(tmp_path), *options]) == 1
    assert sentence in capsys.readouterr().err


def test_a_folder_without_history_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(tmp_path, "init", "-q")
    assert main([str(tmp_path), "--token", "x"]) == 1
    assert "git cannot read the history" in capsys.readouterr().err


def test_a_long_subject_is_shortened_and_keeps_its_project() -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC)
    task = task_of(Commit("c0ffee", 0, "x" * 600), "makerlog", now)
    assert len(task["content"]) == 500
    assert task["content"].endswith("x… #makerlog")


def test_a_commit_from_the_future_was_done_now() -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC)
    assert task_of(Commit("c0ffee", 10**12, "Fix"), None, now)["done_at"] == now.isoformat()
