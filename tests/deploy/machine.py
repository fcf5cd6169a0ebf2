"""A machine with Dokku, for what somebody types there: this one, seen from a mount namespace in which /app, /etc/cron.d,
/etc/nginx, /usr/local/bin, /var and whatever else a deploy writes are of the test's own. Needs root, on Linux."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from makerlog.env import embedded_database_url
from tests.debian import needs
from tests.deploy.dokku import on_server
from tests.deploy.hosts import ROOT, Data

# Its own root folder: everything of the real one, but for what is written here.
BUILD = r"""
set -e
root=$1
mount -t tmpfs none "$root"
for each in /*; do
  if [ -L "$each" ]; then cp -a "$each" "$root$each"
  elif [ -d "$each" ]; then mkdir "$root$each"; mount --rbind "$each" "$root$each"; fi
done
for each in /etc/cron.d /etc/nginx /etc/logrotate.d /usr/local/bin /var /run /home; do
  mount -t tmpfs none "$root$each"
done
cp -a /etc/nginx/. "$root/etc/nginx"
mkdir -p "$root/app" "$root/var/log/nginx" "$root/var/lib/nginx" "$root/var/lib/docker/containers" "$root/home/dokku"
touch "$root/var/log/nginx/makerlog-access.log"
printf '/var/log/nginx/*.log {\n}\n' >"$root/etc/logrotate.d/nginx"
touch "$root/.of-a-test"
exec chroot "$root" sh -c 'echo ready; exec sleep 900'
"""

# Programs of the machine that would reach out of the test, or that Debian does not always bring.
PROGRAMS = {
    "dokku": f'#!/bin/sh\nexec env PYTHONPATH={ROOT} {sys.executable} -m tests.deploy.dokku "$@"\n',
    "docker": '#!/bin/sh\n[ "$1 $2 $3" = "network inspect bridge" ] && echo 172.17.0.1\n',
    "systemctl": '#!/bin/sh\ncase "$1 $2" in "reload nginx" | "restart nginx") ;; *) exit 1 ;; esac\n',
    "logrotate": '#!/bin/sh\nfor file; do :; done\ntest -e "$file"\n',
    "curl": '#!/bin/sh\nfor url; do :; done\necho "asked $url"\n',
}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def needs_mounts() -> None:
    """The right to make a mount namespace; else the test is skipped, or fails where NO_SKIPS is set."""
    made = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True)
    if made.returncode:
        sentence = f"mount namespaces cannot be made here: {made.stderr.strip()}"
        (pytest.fail if os.environ.get("NO_SKIPS") else pytest.skip)(sentence)


class Machine:
    """``shared``: the data servers that Dokku's plugins would start; ``version``: Dokku's."""

    def __init__(self, folder: Path, shared: Data, version: str) -> None:
        needs_mounts()
        needs("nginx")
        self.state_file = folder / "dokku.json"
        self.programs = folder / "bin"
        self.programs.mkdir()
        for name, text in PROGRAMS.items():
            (self.programs / name).write_text(text)
            (self.programs / name).chmod(0o755)
        servers = {"postgres": embedded_database_url(shared.folder), "redis": shared.variables["REDIS_URL"]}
        templates = {"makerlog-db": "makerlog"}  # as if the first push had brought its tables, and years their rows
        services: dict[str, Any] = {"postgres": {}, "redis": {}}
        empty = {"version": version, "plugins": [], "apps": {}, "servers": servers, "templates": templates}
        self.write_state(empty | {"services": services})
        root = folder / "root"
        root.mkdir()
        command = ["unshare", "-m", "--propagation", "private", "bash", "-c", BUILD, "build", str(root)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def state(self) -> Any:
        return json.loads(self.state_file.read_text())

    def write_state(self, state: Any) -> None:
        self.state_file.write_text(json.dumps(state))

    @property
    def app(self) -> Any:
        return self.state()["apps"]["makerlog"]

    def deploy(self) -> None:
        """As a push would."""
        state = self.state()
        state["apps"]["makerlog"]["deployed"] = True
        self.write_state(state)

    def type(self, line: str, answer: str = "", folder: str = str(ROOT)) -> subprocess.CompletedProcess[str]:
        """``line`` in root's bash there. ``answer``: typed at a terminal, which else there is none of."""
        if answer:
            line = f"script --quiet --return --command {quote(line)} /dev/null"
        enter = ["nsenter", "--target", str(self.process.pid), "--mount", "--root", "--wd"]
        command = [*enter, "bash", "-c", f"test -e /.of-a-test && cd {folder} && {line}"]
        environment = {"PATH": f"{self.programs}:{PATH}", "DOKKU_STATE": str(self.state_file), "HOME": "/root"}
        return subprocess.run(command, env=environment, input=answer, capture_output=True, text=True, timeout=120)

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()
        for name in self.state()["services"]["postgres"]:
            on_server(self.state(), f"DROP DATABASE {name.replace('-', '_')} WITH (FORCE)")


def quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
