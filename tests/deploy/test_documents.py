"""deploy/setup-dokku.sh, and each line of deploy/README.md and deploy/runbook.md, run as typed on a machine with Dokku."""

import datetime
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.hosts import ROOT, Data, data
from tests.deploy.machine import Machine, quote

SETUP = "APP=makerlog DOMAIN=makerlog.example.com EMAIL=you@example.com bash deploy/setup-dokku.sh"
MAIL = "EMAIL_HOST=smtp.example.com EMAIL_HOST_USER=u EMAIL_HOST_PASSWORD=p DEFAULT_FROM_EMAIL=hello@example.com"
TODAY = datetime.datetime.now().astimezone().date().isoformat()  # as `date +%F` says
VERSIONS = ["0.35.0", "0.36.0", "0.38.27"]

PAGES = ["deploy/README.md", "deploy/runbook.md"]
PROGRAMS = "APP=|dokku|makerlog-manage|manage.py|git|nginx|systemctl|sed|curl|psql|tail|du|df|logrotate|ls|python|make"
LINE = re.compile(rf"(?:{PROGRAMS})\S* [^`]*")

# What stands for something else in a line, and an instance of it.
INSTANCES = [
    ("ADDRESS_OR_CIDR", "93.184.216.34"),
    ("ADDRESS", "93.184.216.34"),
    ("route NAME", "route /users/alice/"),
    ("suspend NAME", "suspend demo"),
    ("reset_second_factor NAME", "reset_second_factor demo"),
    ("unban ID", "unban 93.184.216.34"),
    ("/app/backups/FILE", "/app/backups/leaked"),
    ("> FILE", "> /tmp/exported"),
    ("DATE", TODAY),
    (" USER", " somebody"),
]
# Those that ask before they act.
ANSWERS = {"revoke_tokens": "y\n", "revoke_leaked": "y\n", "postgres:destroy drill-db": "drill-db\n"}
# Not run, and why. Each is still bash, and names a program that is known here.
NOT_RUN = {
    "git push": "to another machine",
    "curl -s https://CDN": "a CDN's lists; the stand-in of curl would fill the file with nonsense",
    "tail -f": "never ends",
    "make ": "a suite of tests or figures of its own",
    "python -m": "a suite of tests or figures of its own",
    "manage.py demo": "minutes; tests/demo runs it smaller",
    "manage.py worker": "never ends; test_dokku.py starts it",
    "manage.py ...": "any command",
    "makerlog-manage ...": "any command",
    "psql ": "test_pgbouncer.py runs deploy/roles.sql, and makes its roles",
    "nginx -s reload": "no nginx runs there; nginx -t in front of it is run",
    "curl -i https://your.domain": "no domain",
}


def lines_of(page: str) -> list[str]:
    """Indented, or between backticks, in their order; without what a # explains."""
    text = (ROOT / page).read_text().replace("\\\n        ", "")
    typed = [line[0] or line[1] for line in re.findall(r"^    (\S.*)$|`([^`]+)`", text, re.MULTILINE)]
    return [re.sub(r"\s+# .*", "", line) for line in typed if LINE.fullmatch(line) and line != "dokku run"]


def as_typed(line: str) -> str:
    line = line.replace("manage.py", "makerlog-manage") if line.startswith("manage.py") else line
    for word, instance in INSTANCES:
        line = line.replace(word, instance)
    return line


def reason_not_to_run(line: str) -> str:
    return next((reason for start, reason in NOT_RUN.items() if line.startswith(start)), "")


@pytest.fixture(scope="module")
def shared() -> Iterator[Data]:
    with data() as shared:
        yield shared


@pytest.fixture
def machine(shared: Data, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    made = Machine(tmp_path, shared, getattr(request, "param", VERSIONS[-1]))
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize("machine", VERSIONS, indirect=True)
def test_the_script_sets_a_machine_up_in_two_runs(machine: Machine) -> None:
    first = machine.type(SETUP)
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.rstrip().endswith("git push dokku HEAD:main")
    app = machine.app
    assert app["config"]["PUBLIC_URL"] == "https://makerlog.example.com"
    assert app["scale"] == {"web": "1", "ops": "1", "worker": "1"}
    assert app["limits"] == {"web": "1g", "ops": "512m", "worker": "512m"}
    assert app["domains"] == ["makerlog.example.com"]
    assert [each.split(":")[1] for each in app["mounts"]] == [
        "/app/.data/media",
        "/app/.data/exports",
        "/app/backups",
        "/app/proxies",
    ]
    assert ("ps stop-timeout-seconds" in app["properties"]) is ("DOKKU_DOCKER_STOP_TIMEOUT" not in app["config"])

    machine.deploy()
    machine.type(f"dokku config:set --no-restart makerlog {MAIL}")  # of which the first run has said that it is missing
    app = machine.app
    second = machine.type(SETUP)
    assert second.returncode == 0, second.stdout + second.stderr
    assert machine.app["certificates"] == 1
    assert "System check identified no issues" in second.stdout, second.stdout + second.stderr
    assert second.stdout.rstrip().endswith("asked https://makerlog.example.com/health")
    after = machine.app
    for kind in ("config", "mounts", "docker_options", "limits"):
        assert after[kind] == app[kind], kind


def test_the_nightly_line_of_cron_makes_a_backup(machine: Machine) -> None:
    machine.type(SETUP)
    machine.deploy()
    line = machine.type("cat /etc/cron.d/makerlog-backup").stdout.partition(" root ")[2].strip()
    done = machine.type(line.replace("\\%", "%"))
    assert done.returncode == 0, done.stderr
    made = machine.type("ls /var/lib/dokku/data/storage/makerlog-backups").stdout.split()
    assert made == [TODAY]


def test_each_documented_line_runs_as_typed(machine: Machine, shared: Data) -> None:
    machine.type(SETUP)
    machine.deploy()
    token, leaked = (
        re.findall(r"mkl_\S+", machine.type("makerlog-manage create_token demo --name leaked").stdout)[0] for _ in "12"
    )
    # check_ban ends with 1 where no ban stands.
    machine.type("makerlog-manage ban 93.184.216.0/24 --applies-to anonymous")
    machine.type(f"echo {leaked} > /var/lib/dokku/data/storage/makerlog-backups/leaked")
    failed = []
    for page in PAGES:
        for line in lines_of(page):
            if reason_not_to_run(line) or line.startswith("APP="):
                continue
            typed = as_typed(line.replace("mkl_...", token[:15])).replace("&& nginx -s reload", "")
            answer = next((answer for word, answer in ANSWERS.items() if word in typed), "")
            done = machine.type(typed, answer, "/home" if ".conf" in typed else str(ROOT))
            if done.returncode:
                failed.append(f"{typed}\n{done.stdout[-500:]}{done.stderr[-500:]}")
    assert not failed, "\n\n".join(failed)


@pytest.mark.parametrize("page", PAGES)
def test_what_is_not_run_is_bash_and_names_a_program(page: str, machine: Machine) -> None:
    lines = [line for line in lines_of(page) if reason_not_to_run(line)]
    assert lines
    for line in lines:
        assert machine.type(f"bash -n -c {quote(as_typed(line))}").returncode == 0, line
    names = {line.split()[0] for line in lines} - {"manage.py", "makerlog-manage", "psql", "python"}
    for name in names:
        assert machine.type(f"command -v {name}").returncode == 0, name


def test_every_reason_is_still_needed() -> None:
    lines = [line for page in PAGES for line in lines_of(page)]
    for start in NOT_RUN:
        assert any(line.startswith(start) for line in lines), start


def test_dokku_of_a_version_is_told_its_own_names(machine: Machine) -> None:
    machine.type("dokku apps:create makerlog")
    assert machine.type("dokku scheduler-k3s:cluster-add ssh://root@second.example.com").returncode == 1
    assert machine.type("dokku scheduler-k3s:cluster:add ssh://root@second.example.com").returncode == 0
    assert machine.type("dokku ps:set makerlog stop-timeout 40").returncode == 1
