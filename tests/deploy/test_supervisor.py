"""`make run` starts everything, says so, and stops it in order. The supervisor, servers and gunicorn are real."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import psutil
import pytest

from deploy.child import Child
from deploy.embedded import Postgres, Valkey, end, gone, wait_until
from makerlog.env import runtime_dir
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = "tests.deploy.small_app"
REAL = "deploy.supervisor"
PASSWORDS = ("password", "repeat_password")
UNSET = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PUBLIC_URL")


class Service:
    """One supervisor on one data folder, and what it said."""

    def __init__(self, data_dir: Path, module: str = SMALL, **variables: str) -> None:
        self.data_dir = data_dir
        self.port = int(variables.get("PORT") or free_port())
        inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
        given = {"DATA_DIR": str(data_dir), "PORT": str(self.port), "WEB_CONCURRENCY": "2", **variables}
        self.log = data_dir.with_name(f"{time.monotonic_ns()}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=ROOT,
                env=inherited | given,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def output(self) -> str:
        return self.log.read_text()

    def started(self) -> "Service":
        self.wait_for(lambda: "Ctrl-C stops everything." in self.output())
        return self

    def wait_for(self, condition: Callable[[], bool]) -> None:
        wait_until(lambda: condition() or self.process.poll() is not None, seconds=60)
        assert condition(), self.output()

    def end(self, which: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(which)
        return self.process.wait(45)

    def failure(self) -> str:
        """The sentence of a service that cannot start or go on."""
        assert self.process.wait(45) == 1, self.output()
        assert "Traceback" not in self.output()
        return self.output().splitlines()[-1]

    def ask(self, path: str, method: str = "GET", body: str | None = None, token: str = "") -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {token}"} if token else {})
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def web(self) -> list[psutil.Process]:
        return Child(self.data_dir / "run" / "web.json", []).processes()

    def worker(self) -> list[psutil.Process]:
        return Child(self.data_dir / "run" / "worker.json", []).processes()

    def servers(self) -> list[psutil.Process]:
        return [process for process in mains(self.data_dir) if process]


class Request(threading.Thread):
    """A request in flight. ``body`` is the answer; empty when the connection was cut."""

    def __init__(self, service: Service, path: str) -> None:
        super().__init__(daemon=True)
        self.service, self.path, self.body = service, path, b""
        self.start()
        service.wait_for(lambda: (service.data_dir / "slow").exists())

    def run(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.body = self.service.ask(self.path)[1]


def mains(data_dir: Path) -> list[psutil.Process | None]:
    return [Postgres(data_dir, True).main_process(), Valkey(data_dir, True).main_process()]


def everything(data_dir: Path) -> list[psutil.Process]:
    ours = [Child(data_dir / "run" / f"{name}.json", []).processes() for name in ("web", "worker")]
    return [*chain(*ours), *Postgres(data_dir, True).processes(), *Valkey(data_dir, True).processes()]


def private_files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.stat().st_mode & 0o777 == 0o600}


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder whose processes are gone when the test is over, whatever it did to them.

    Not under tmp_path: as root, a second pytest takes the servers' own user the way through pytest's folder again.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data")
        yield path
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
            supervisor = psutil.Process(int((path / "run" / "supervisor.lock").read_text()))
            if "deploy" in " ".join(supervisor.cmdline()):
                end([supervisor], signal.SIGKILL, 5)
        end(everything(path), signal.SIGKILL, 5)
        shutil.rmtree(runtime_dir(path), ignore_errors=True)


def test_it_says_what_to_do_and_sigterm_ends_everything(data_dir: Path) -> None:
    service = Service(data_dir).started()
    address = f"http://127.0.0.1:{service.port}"
    assert f"Makerlog is up: {address}" in service.output()
    assert f"{address}/docs/" in service.output()
    assert f"{address}/admin/   user admin, password password" in service.output()
    assert "curl -H 'Authorization: Token mkl_token'" in service.output()
    assert {each.laddr.ip for each in service.web()[0].net_connections("tcp") if each.laddr.port == service.port} == {
        "127.0.0.1"
    }
    processes = everything(data_dir)
    assert len(processes) > 5
    assert service.end(signal.SIGTERM) == 0
    assert [process for process in processes if not gone(process)] == []
    assert everything(data_dir) == []


def test_it_listens_where_host_says(data_dir: Path) -> None:
    service = Service(data_dir, HOST="::1").started()
    address = f"http://[::1]:{service.port}"
    assert f"Makerlog is up: {address}" in service.output()
    with contextlib.closing(http.client.HTTPConnection("::1", service.port, timeout=30)) as connection:
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
    assert service.end(signal.SIGTERM) == 0


def test_ctrl_c_lets_requests_finish_before_the_servers_stop(data_dir: Path) -> None:
    service = Service(data_dir).started()
    request = Request(service, "/slow")  # asks PostgreSQL at its end
    os.killpg(service.process.pid, signal.SIGINT)
    assert service.process.wait(45) == 0
    request.join(10)
    assert request.body == b"done"
    stopped = [(data_dir / "logs" / name).stat().st_mtime_ns for name in ("valkey.log", "postgres.log")]
    assert stopped == sorted(stopped)
    assert everything(data_dir) == []


def test_a_second_signal_cuts_requests_short(data_dir: Path) -> None:
    service = Service(data_dir).started()
    request = Request(service, "/stuck")
    service.process.send_signal(signal.SIGTERM)
    service.process.send_signal(signal.SIGTERM)  # as when a group and make both pass on the same one
    assert not wait_until(lambda: service.process.poll() is not None, seconds=1.5)
    assert service.end(signal.SIGTERM) == 0
    request.join(10)
    assert request.body == b""
    assert everything(data_dir) == []


def test_a_second_supervisor_is_one_sentence_and_disturbs_nothing(data_dir: Path) -> None:
    first = Service(data_dir).started()
    second = Service(data_dir)
    assert second.failure() == (
        f"Error: The service of {data_dir} runs already (process {first.process.pid}); "
        "stop it first, or set another DATA_DIR and PORT."
    )
    assert first.ask("/") == (200, b"done")
    assert first.end(signal.SIGTERM) == 0


def test_after_a_kill_the_next_start_takes_the_servers_over(data_dir: Path) -> None:
    first = Service(data_dir).started()
    servers, web = first.servers(), [*first.web(), *first.worker()]
    first.end(signal.SIGKILL)
    assert first.ask("/") == (200, b"done")
    second = Service(data_dir, PORT=str(first.port)).started()
    assert second.servers() == servers
    assert all(gone(process) for process in web)
    assert second.end(signal.SIGTERM) == 0
    assert everything(data_dir) == []


def test_workers_that_outlive_gunicorn_do_not_hold_the_port(data_dir: Path) -> None:
    first = Service(data_dir).started()
    first.wait_for(lambda: len(first.web()) == 3)
    master, *workers = first.web()
    first.end(signal.SIGKILL)
    end([master], signal.SIGKILL, 5)
    assert [process.is_running() for process in workers] == [True, True]
    second = Service(data_dir, PORT=str(first.port)).started()
    assert all(gone(process) for process in workers)
    assert second.end(signal.SIGTERM) == 0


def test_after_a_kill_of_everything_the_next_start_mends_it(data_dir: Path) -> None:
    first = Service(data_dir).started()
    first.end(signal.SIGKILL)
    end(everything(data_dir), signal.SIGKILL, 5)
    second = Service(data_dir, PORT=str(first.port)).started()
    assert second.ask("/") == (200, b"done")
    assert second.end(signal.SIGTERM) == 0


def test_a_stranger_with_the_recorded_process_id_is_left_alone(data_dir: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        (data_dir / "run").mkdir(parents=True)
        record = {"session": stranger.pid, "created": 0, "command": ["gunicorn", "-c", "deploy/gunicorn.conf.py"]}
        (data_dir / "run" / "web.json").write_text(json.dumps(record))
        Child(data_dir / "run" / "web.json", []).stop(seconds=1)
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize(
    ("victim", "sentence"),
    [
        ("gunicorn", r"Error: The web server ended unexpectedly \(exit code -9\); the lines above say why\."),
        ("postgres", r"Error: PostgreSQL ended unexpectedly: .+"),
    ],
)
def test_a_child_that_dies_ends_the_whole(data_dir: Path, victim: str, sentence: str) -> None:
    service = Service(data_dir).started()
    end([service.web()[0] if victim == "gunicorn" else service.servers()[0]], signal.SIGKILL, 5)
    assert re.fullmatch(sentence, service.failure())
    assert everything(data_dir) == []


def test_a_worker_that_dies_is_started_anew(data_dir: Path) -> None:
    service = Service(data_dir).started()
    [worker] = service.worker()
    end([worker], signal.SIGKILL, 5)
    service.wait_for(lambda: [found.pid for found in service.worker()] not in ([], [worker.pid]))
    assert service.ask("/") == (200, b"done")
    assert service.end(signal.SIGTERM) == 0
    assert everything(data_dir) == []


def test_a_worker_that_never_stays_ends_the_whole(data_dir: Path) -> None:
    service = Service(data_dir, WORKER_CODE="3")
    assert service.failure() == (
        "Error: The worker of background jobs ended 6 times within 60 s (exit code 3); the lines above say why."
    )
    assert everything(data_dir) == []


def test_data_that_cannot_be_prepared_end_the_whole(data_dir: Path) -> None:
    service = Service(data_dir, PREPARE_CODE="3")
    assert service.failure() == "Error: The data could not be prepared; the lines above say why."
    assert everything(data_dir) == []


def test_a_signal_during_the_start_ends_it(data_dir: Path) -> None:
    service = Service(data_dir)
    service.wait_for(lambda: (data_dir / "run" / "supervisor.lock").exists())
    assert service.end(signal.SIGTERM) == 0
    assert everything(data_dir) == []


def test_a_taken_port_is_one_sentence(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = Service(data_dir, REAL, PORT=str(port))
        assert service.failure() == (
            f"Error: Port {port} is taken by another program; choose another one: PORT={port + 1} make run."
        )
    assert len(service.output().splitlines()) == 1


def test_an_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    service = Service(tmp_path / "file", REAL)
    assert service.failure() == f"Error: DATA_DIR is {tmp_path / 'file'}, which cannot be written: Not a directory."
    assert len(service.output().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_URL", "postgresql://a:b@127.0.0.1:1/x", "DATABASE_URL does not answer: .+ Connection refused."),
        ("DATABASE_URL", "mysql://127.0.0.1/x", "DATABASE_URL must look like postgresql://.+"),
        ("REDIS_URL", "redis://127.0.0.1:1/0", "REDIS_URL does not answer: .+ Connection refused."),
        ("REDIS_URL", "nonsense", "REDIS_URL must look like redis://.+"),
        ("PORT", "0", "PORT must be from 1 to 65535, not 0."),
    ],
)
def test_a_wrong_setting_is_one_sentence(data_dir: Path, name: str, value: str, sentence: str) -> None:
    service = Service(data_dir, REAL, **{name: value})
    assert re.fullmatch(f"Error: {sentence}", service.failure())
    assert len(service.output().splitlines()) == 1


def test_the_whole_service_posts_a_task_and_starts_again_sooner(data_dir: Path) -> None:
    begun = time.monotonic()
    first = Service(data_dir, REAL).started()
    first_s = time.monotonic() - begun
    token = re.findall(r"Token   (mkl_\S+)", first.output())[0]
    status, body = first.ask("/tasks/", "POST", '{"content": "Started Makerlog", "done": true}', token)
    assert status == 201, body
    register = {"email": "new@example.com", "username": "newcomer", **dict.fromkeys(PASSWORDS, "correct horse")}
    assert first.ask("/accounts/register/", "POST", json.dumps(register))[0] == 201
    first.wait_for(lambda: "Subject: Makerlog: Activate your account" in first.output())  # the worker's console
    assert private_files(data_dir / "secrets") >= {"demo_token", "admin_password", "SECRET_KEY"}
    assert first.end(signal.SIGTERM) == 0
    assert everything(data_dir) == []

    begun = time.monotonic()
    second = Service(data_dir, REAL).started()
    second_s = time.monotonic() - begun
    assert second_s < first_s  # which made the data
    assert f"Token   {token}" in second.output()
    status, listed = second.ask("/tasks/?username=demo&limit=1")
    assert json.loads(listed)["results"][0]["id"] == json.loads(body)["id"]
    assert [second.ask(path)[0] for path in ("/docs/", "/schema/", "/admin/login/")] == [200, 200, 200]
    assert second.end(signal.SIGTERM) == 0
