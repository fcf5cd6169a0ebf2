"""What Dokku reads of the repository fits together: Procfile, deploy/app.json, .python-version, deploy/setup-dokku.sh."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded import wait_until
from deploy.serve import OPS_PORT
from makerlog import settings
from makerlog.gate.door import FrontDoor
from makerlog.gate.limits import Limits
from manage import decode_words
from tests.deploy.hosts import ROOT, Data, ask, data
from tests.gate.serving import mirror, serve
from tests.ports import free_port

SCRIPT = ROOT / "deploy" / "setup-dokku.sh"


@pytest.fixture
def app() -> Any:
    return json.loads((ROOT / "deploy" / "app.json").read_text())


def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def test_every_process_that_stays_is_checked_before_it_takes_over(app: Any) -> None:
    assert procfile().keys() == {"web", "ops", "worker", "release"}
    assert app["healthchecks"].keys() == {"web", "ops", "worker"}


def test_ops_listens_where_nginx_and_its_check_look(app: Any) -> None:
    """Dokku gives a port to web alone: 5000, and nginx asks both containers there."""
    assert app["healthchecks"]["ops"][0]["port"] == int(OPS_PORT) == 5000


@pytest.fixture(scope="module")
def shared() -> Iterator[Data]:
    with data() as shared:
        yield shared


@contextlib.contextmanager
def started(shared: Data, process: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A line of the Procfile, started word for word as herokuish does (procfile-exec in its include/procfile.bash), with the
    variables that Dokku gives to a container of that kind."""
    line = procfile()[process]
    given = {"LINE": line, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "WEB_CONCURRENCY": ""}
    command = ["bash", "-c", 'set -- "$LINE"; exec $(eval echo "$@")']
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        env=shared.variables | given | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield running
    finally:
        running.terminate()
        running.communicate(timeout=60)


def test_web_serves_at_the_port_that_dokku_gives_it(shared: Data) -> None:
    port = free_port()
    with started(shared, "web", PORT=str(port)):
        assert wait_until(lambda: ask("127.0.0.1", port, "/health").status == 200, seconds=40)


def test_ops_serves_at_its_own_port_though_dokku_gives_it_an_empty_one(shared: Data) -> None:
    with started(shared, "ops", PORT="", GUNICORN_CMD_ARGS="--print-config") as configured:
        assert re.search(rf"bind += \['0\.0\.0\.0:{OPS_PORT}'\]", configured.communicate(timeout=60)[0])
    port = free_port()  # a test must not take a port that is not its own
    with started(shared, "ops", PORT=str(port)):
        assert wait_until(lambda: ask("127.0.0.1", port, "/admin/login/").status == 200, seconds=40)
        # What watches the containers knows them by their addresses; anybody else asks for the service by its name.
        for path, status in (
            ("/health/ready", 200),
            ("/health/ready/", 200),
            ("/metrics", 200),
            ("/admin/", 400),
        ):
            assert ask("127.0.0.1", port, path, Host="172.17.0.9:5000").status == status, path


def test_worker_stays_up_and_release_ends_well(shared: Data) -> None:
    with started(shared, "worker", PORT="") as worker, started(shared, "release", PORT="") as release:
        output, _ = release.communicate(timeout=60)
        assert release.returncode == 0, output
        time.sleep(5)  # as long as Dokku's check of it waits: deploy/app.json
        assert worker.poll() is None, worker.communicate()[0]


def test_the_formation_leaves_scaling_to_a_command(app: Any) -> None:
    """Any "quantity" there forbids `dokku ps:scale`, which is what an operator types in a flood."""
    assert all("quantity" not in each for each in app["formation"].values())


def test_health_checks_pass_whatever_the_host_and_without_tls(app: Any) -> None:
    with serve(FrontDoor(mirror)) as service:
        for name in ("web", "ops"):
            check = app["healthchecks"][name][0]
            answer = service.get(check["path"], headers={"Host": "172.17.0.9:5000"})
            assert answer.status == 200
            assert check["content"] in answer.body.decode()


def test_python_is_a_version_that_the_project_takes() -> None:
    named = (ROOT / ".python-version").read_text().strip()
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert tuple(map(int, named.split("."))) >= tuple(map(int, required.removeprefix(">=").split(".")))


def test_files_are_where_the_script_says_and_it_says_so_before_the_first_push() -> None:
    text = SCRIPT.read_text()
    push = text.index("git push dokku")
    for path in ("deploy/app.json", "deploy/nginx.conf.sigil"):
        assert text.index(f"-path {path}") < push
        assert (ROOT / path).exists()
    order = [
        "apps:create",
        "app-json:set",
        "postgres:create",
        "storage:ensure-directory",
        "config:set",
        "ps:scale",
        "logs:set",
        "domains:set",
    ]
    places = [text.index(f"dokku {word}") for word in order]
    assert places == sorted(places)
    assert (
        places[-1]
        < push
        < text.index("letsencrypt:enable")
        < text.index("letsencrypt:cron-job")
        < text.index("createsuperuser")
    )


def test_the_script_sets_nothing_that_the_service_does_not_read() -> None:
    text = SCRIPT.read_text()
    within = "".join(re.findall(r"config:set (?:.*\\\n)*.*", text))
    names = set(re.findall(r"\b((?!DOKKU_)[A-Z][A-Z_]+)=", within))  # its own are Dokku's
    assert {"PUBLIC_URL", "SECRET_KEY", "TOKEN_PEPPERS", "TRUSTED_PROXIES_FILE"} <= names
    assert {name.removesuffix("_FILE") for name in names} <= settings.env.names


def test_a_stop_lasts_as_long_as_gunicorn_may_take() -> None:
    """By the name of Dokku 0.36 and newer, and by the one before it."""
    stops = re.findall(r"stop-timeout-seconds (\d+)|DOKKU_DOCKER_STOP_TIMEOUT=(\d+)", SCRIPT.read_text())
    assert [int(newer or older) >= 30 + Limits().stop_seconds for newer, older in stops] == [True, True]


@pytest.mark.parametrize("name", ["", "node.example", "Shop", "-x", "a b", "x" * 32])
def test_the_script_refuses_a_name_that_would_break_a_file(name: str) -> None:
    variables = {"APP": name, "DOMAIN": "x.example", "EMAIL": "x@example.com", "PATH": ""}
    done = subprocess.run(["/bin/bash", str(SCRIPT)], env=variables, capture_output=True, text=True)
    assert (done.returncode, done.stderr.startswith("APP is ")) == ((2, True) if name else (127, False)), done.stderr


# `dokku run` hands its words to herokuish, which starts them as a line of the Procfile: include/procfile.bash.
DOKKU = """#!/bin/bash
[ "$1" = run ] && shift && [ "$1" = --no-tty ] && shift && shift
exec $(eval echo "$@")
"""
WORDS = [
    ["lockdown", "normal", "--notice", 'Back at noon; sorry, it\'s "us" & `them` $HOME * (x) \\n > here'],
    ["ban", "93.184.216.34", "--reason", "", "--preview"],
    ["ban", "2a00:1450::/48", "--reason", "हिन्दी  two  blanks\nand a line"],
]


@pytest.mark.parametrize("words", WORDS)
def test_the_installed_command_keeps_words_as_they_were_typed(words: list[str], tmp_path: Path) -> None:
    written = re.search(r'cat >"/usr/local/bin/\$APP-manage" (<<MANAGE\n.*?\nMANAGE\n)', SCRIPT.read_text(), re.DOTALL)
    assert written is not None
    program = subprocess.run(["bash", "-c", f"cat {written[1]}"], env={"APP": "shop"}, capture_output=True).stdout
    for name, content in {"manage": program, "dokku": DOKKU.encode(), "python": b'#!/bin/sh\nprintf %s "$3"\n'}.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run([str(tmp_path / "manage"), *words], env={"PATH": path}, capture_output=True, text=True)
    assert (decode_words(done.stdout), done.stderr) == (words, "")


def test_the_script_is_bash() -> None:
    assert subprocess.run(["bash", "-n", str(SCRIPT)], capture_output=True).returncode == 0
    if program := shutil.which("shellcheck"):
        done = subprocess.run([program, str(SCRIPT)], capture_output=True, text=True)
        assert not done.stdout


def test_the_nightly_backup_is_a_line_that_cron_takes() -> None:
    """An unescaped % ends a command there."""
    found = re.search(r'cat >"/etc/cron.d/\$APP-backup" (<<CRON\n.*?\nCRON\n)', SCRIPT.read_text(), re.DOTALL)
    assert found is not None
    written = subprocess.run(
        ["bash", "-c", f"cat {found[1]}"], env={"APP": "shop"}, capture_output=True, text=True
    ).stdout
    backup = '/usr/local/bin/shop-manage backup "/app/backups/$(date +\\%F)"'
    assert written.startswith(f"20 3 * * * root {backup} && find /var/lib/dokku/data/storage/shop-backups ")
    assert written.count("\n") == 1


def test_static_files_are_collected_without_a_secret(tmp_path: Path) -> None:
    """As a buildpack does, on a machine that knows no setting."""
    variables = {"PATH": "/usr/bin:/bin", "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "manage.py", "collectstatic", "--noinput", "--dry-run"]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
