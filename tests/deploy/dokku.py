"""A `dokku` for tests: takes of Dokku 0.35 to 0.38 what our script and documents type, and refuses all else.

The tables below were read from Dokku's own code (and from its plugins for PostgreSQL, Redis and certificates):
`python -m tests.deploy.dokku compare FOLDER` holds them against clones of those in FOLDER, version by version.
What `dokku run` and herokuish do to words is done here too. State is a JSON file, named by DOKKU_STATE.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

ROOT = Path(__file__).resolve().parent.parent.parent
VERSIONS = ("0.35.0", "0.35.20", "0.36.0", "0.36.11", "0.37.0", "0.37.10", "0.38.0", "0.38.27")
State = dict[str, Any]


class RefusedError(Exception):
    """What Dokku would print before it ends with 1."""


@dataclass(frozen=True)
class Entry:
    """``options``: those we use, each with whether a value follows; ``since`` and ``until``: the versions that have it, the
    second excluded; ``words``: how many follow, at least."""

    words: int = 1
    options: dict[str, bool] | None = None
    since: tuple[int, int] = (0, 35)
    until: tuple[int, int] = (1, 0)


# Core: plugins/NAME/Makefile or plugins/NAME/subcommands/ for the names, plugins/NAME/src/subcommands/subcommands.go,
# subcommands/ or internal-functions for the options.
CORE = {
    "app-json:set": Entry(3),
    "apps:create": Entry(),
    "apps:exists": Entry(),
    "checks:set": Entry(3),
    "config:get": Entry(2),
    "config:set": Entry(2, {"--no-restart": False}),
    "docker-options:add": Entry(3),
    "docker-options:report": Entry(),
    "domains:set": Entry(2),
    "logs:set": Entry(3),
    "nginx:set": Entry(3),
    "plugin:install": Entry(),
    "plugin:list": Entry(0),
    "ps:rebuild": Entry(),
    "ps:report": Entry(1, {"--deployed": False}),
    "ps:restart": Entry(),
    "ps:scale": Entry(1, {"--skip-deploy": False}),
    "ps:set": Entry(3),
    "ps:start": Entry(),
    "ps:stop": Entry(),
    "registry:login": Entry(2, {"--password-stdin": False}),
    "registry:set": Entry(3),
    "resource:limit": Entry(1, {"--memory": True, "--process-type": True}),
    "scheduler-k3s:cluster-add": Entry(until=(0, 37)),
    "scheduler-k3s:cluster:add": Entry(since=(0, 37)),
    "scheduler-k3s:initialize": Entry(0, {"--ingress-class": True}),
    "scheduler:set": Entry(3),
    "storage:ensure-directory": Entry(),
    "storage:list": Entry(),
    "storage:mount": Entry(2),
}
# Commands that are a whole plugin: plugins/NAME/subcommands/default or plugins/NAME/src/subcommands/subcommands.go.
DEFAULTS = {"logs": Entry(), "run": Entry(2, {"--no-tty": False, "-e": True})}
# The plugins, whatever Dokku they are in: subcommands/NAME, common-functions.
LINK = Entry(2, {"--alias": True, "--no-restart": False})
SERVICE = {
    "create": Entry(1, {"--config-options": True}),
    "destroy": Entry(1, {"--force": False}),
    "exists": Entry(),
    "export": Entry(),
    "info": Entry(),
    "link": LINK,
    "linked": Entry(2),
    "restart": Entry(),
    "unlink": Entry(2, {"--no-restart": False}),
}
CERTIFICATES = {
    "active": Entry(),
    "cron-job": Entry(0, {"--add": False}),
    "enable": Entry(),
    "set": Entry(3),
}
PLUGINS = {"postgres": SERVICE, "redis": SERVICE, "letsencrypt": CERTIFICATES}
EXTERNAL = {f"{plugin}:{name}": entry for plugin, names in PLUGINS.items() for name, entry in names.items()}
ENTRIES = CORE | DEFAULTS | EXTERNAL

# The properties that each `:set` takes: DefaultProperties and GlobalProperties in the Go of a plugin, VALID_KEYS elsewhere.
PROPERTIES = {
    "app-json:set": {"appjson-path": (0, 35)},
    "checks:set": {"wait-to-retire": (0, 35)},
    "letsencrypt:set": {"email": (0, 35)},
    "logs:set": {"max-size": (0, 35)},
    "nginx:set": {"nginx-conf-sigil-path": (0, 35)},
    "ps:set": {"restart-policy": (0, 35), "stop-timeout-seconds": (0, 36)},
    "registry:set": {"push-on-release": (0, 35)},
    "scheduler:set": {"selected": (0, 35)},
}
ALIASES = {"postgres": "DATABASE", "redis": "REDIS"}


# --- What is typed ---


def parse(words: list[str], version: tuple[int, int]) -> tuple[str, list[str], dict[str, str]]:
    """The command, what follows it, and its options. Raises RefusedError."""
    if not words or words[0] not in ENTRIES:
        raise RefusedError(f"{' '.join(words[:1])} is not a dokku command")
    name, rest = words[0], words[1:]
    entry = ENTRIES[name]
    if not entry.since <= version < entry.until:
        raise RefusedError(f"{name} is not a dokku command in this version")
    arguments, options = split_options(name, entry.options or {}, rest)
    if len(arguments) < entry.words:
        raise RefusedError(f"{name} takes {entry.words} words, not {arguments}")
    check_property(name, arguments, version)
    return name, arguments, options


def split_options(name: str, known: dict[str, bool], words: list[str]) -> tuple[list[str], dict[str, str]]:
    arguments: list[str] = []
    options: dict[str, str] = {}
    while words:
        word = words.pop(0)
        verbatim = name == "docker-options:add" or (name == "run" and arguments)
        if verbatim or not word.startswith("-"):
            arguments.append(word)
        elif word not in known:
            raise RefusedError(f"{name} has no option {word}")
        elif known[word]:
            options[word] = "\n".join(filter(None, [options.get(word), words.pop(0)]))
        else:
            options[word] = ""
    return arguments, options


def check_property(name: str, arguments: list[str], version: tuple[int, int]) -> None:
    if name in PROPERTIES:
        since = PROPERTIES[name].get(arguments[1])
        if since is None or version < since:
            raise RefusedError(f"Invalid property specified: {name} {arguments[1]}")


# --- What it does ---


def app_of(state: State, name: str) -> Any:
    if name not in state["apps"]:
        raise RefusedError(f"App {name} does not exist")
    return state["apps"][name]


def dispatch(state: State, name: str, arguments: list[str], options: dict[str, str]) -> int:
    if name in PROPERTIES:
        app_of(state, arguments[0])["properties"][f"{name.removesuffix(':set')} {arguments[1]}"] = arguments[2]
        return 0
    plugin, _, command = name.partition(":")
    if plugin in PLUGINS and plugin not in state["plugins"]:
        raise RefusedError(f"{name} is not a dokku command: the plugin is not installed")
    if plugin in ALIASES:
        return SERVICES[command](state, plugin, arguments, options)
    return COMMANDS.get(name, with_app)(state, arguments, options)


def with_app(state: State, arguments: list[str], options: dict[str, str]) -> int:
    """Any command that changes nothing that we look at."""
    app_of(state, arguments[0])
    return 0


def print_slowly(lines: list[str]) -> int:
    """As several programs in a row print: a reader that leaves after the first line breaks the pipe of the rest."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        time.sleep(0.05)
    return 0


def install_plugin(state: State, arguments: list[str], options: dict[str, str]) -> int:
    name = arguments[1] if len(arguments) > 1 else re.sub(r".*/dokku-|\.git$", "", arguments[0])
    if name in state["plugins"]:
        raise RefusedError(f"plugin {name} is installed already")
    state["plugins"].append(name)
    return 0


def list_plugins(state: State, arguments: list[str], options: dict[str, str]) -> int:
    return print_slowly([f"  {name} 1.0.0 enabled    a plugin" for name in [*state["plugins"], "storage", "trace"]])


def create_app(state: State, arguments: list[str], options: dict[str, str]) -> int:
    if arguments[0] in state["apps"]:
        raise RefusedError("Name is already taken")
    kinds: list[str] = ["mounts", "docker_options", "domains"]
    state["apps"][arguments[0]] = {"config": {}, "properties": {}, "scale": {}, "limits": {}, "deployed": False} | {
        kind: [] for kind in kinds
    }
    return 0


def set_config(state: State, arguments: list[str], options: dict[str, str]) -> int:
    for pair in arguments[1:]:
        key, equals, value = pair.partition("=")
        if not equals:
            raise RefusedError(f"Invalid env pair: {pair}")
        app_of(state, arguments[0])["config"][key] = value
    return 0


def get_config(state: State, arguments: list[str], options: dict[str, str]) -> int:
    config = app_of(state, arguments[0])["config"]
    if arguments[1] not in config:
        return 1
    return print_slowly([config[arguments[1]]])


def add_docker_option(state: State, arguments: list[str], options: dict[str, str]) -> int:
    app_of(state, arguments[0])["docker_options"].append(" ".join(arguments[2:]))
    return 0


def report_docker_options(state: State, arguments: list[str], options: dict[str, str]) -> int:
    given = " ".join(app_of(state, arguments[0])["docker_options"])
    return print_slowly(["=====> docker options", f"  Docker options deploy: {given}", "  Docker options run: "])


def set_domains(state: State, arguments: list[str], options: dict[str, str]) -> int:
    app_of(state, arguments[0])["domains"] = arguments[1:]
    return 0


def ensure_directory(state: State, arguments: list[str], options: dict[str, str]) -> int:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", arguments[0]):
        raise RefusedError("Directory can only contain the following set of characters: [A-Za-z0-9_-]")
    Path("/var/lib/dokku/data/storage", arguments[0]).mkdir(parents=True, exist_ok=True)
    return 0


def mount(state: State, arguments: list[str], options: dict[str, str]) -> int:
    """In the container, that is: here both are on one machine."""
    mounts = app_of(state, arguments[0])["mounts"]
    if arguments[1] in mounts:
        raise RefusedError("Mount path already exists.")
    mounts.append(arguments[1])
    on_host, inside = arguments[1].split(":")
    Path(inside).parent.mkdir(parents=True, exist_ok=True)
    Path(inside).symlink_to(on_host)
    return 0


def list_mounts(state: State, arguments: list[str], options: dict[str, str]) -> int:
    return print_slowly([f"{arguments[0]} volume bind-mounts:", *app_of(state, arguments[0])["mounts"]])


def scale(state: State, arguments: list[str], options: dict[str, str]) -> int:
    app_of(state, arguments[0])["scale"] |= dict(pair.split("=") for pair in arguments[1:])
    return 0


def limit(state: State, arguments: list[str], options: dict[str, str]) -> int:
    app_of(state, arguments[0])["limits"][options["--process-type"]] = options["--memory"]
    return 0


def report_ps(state: State, arguments: list[str], options: dict[str, str]) -> int:
    deployed = str(app_of(state, arguments[0])["deployed"]).lower()
    return print_slowly([deployed] if options else [f"=====> {arguments[0]} ps information", f"  Deployed: {deployed}"])


def log_in_to_registry(state: State, arguments: list[str], options: dict[str, str]) -> int:
    """Its password is a third word, or comes by the standard input."""
    if len(arguments) < 3 and "--password-stdin" not in options:
        raise RefusedError("Missing password argument")
    return 0


def without_app(state: State, arguments: list[str], options: dict[str, str]) -> int:
    return 0


def enable_certificate(state: State, arguments: list[str], options: dict[str, str]) -> int:
    app = app_of(state, arguments[0])
    if "letsencrypt email" not in app["properties"] or not app["deployed"]:
        raise RefusedError("letsencrypt needs an e-mail address, and an app that answers")
    app["certificates"] = app.get("certificates", 0) + 1
    return 0


def has_certificate(state: State, arguments: list[str], options: dict[str, str]) -> int:
    """Says false and ends with 0 where there is none (fn-letsencrypt-is-active)."""
    return print_slowly([str("certificates" in app_of(state, arguments[0])).lower()])


def run(state: State, arguments: list[str], options: dict[str, str]) -> int:
    """As plugins/scheduler-docker-local/scheduler-run and herokuish's procfile-exec hand words on; without a terminal, no
    standard input either."""
    app = app_of(state, arguments[0])
    if not app["deployed"]:
        raise RefusedError("Successfully deploy your app to fix dokku run calls")
    given = dict(pair.split("=", 1) for pair in options.get("-e", "").split("\n") if pair)
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "DATA_DIR": "/app/.data", "PORT": ""}
    has_tty = sys.stdin.isatty() and "--no-tty" not in options
    command = ["bash", "-c", 'shopt -s nullglob; exec $(eval echo "$@")', "herokuish", *arguments[1:]]
    done = subprocess.run(
        command, cwd=ROOT, env=path | app["config"] | given, stdin=None if has_tty else subprocess.DEVNULL
    )
    return done.returncode


COMMANDS: dict[str, Callable[[State, list[str], dict[str, str]], int]] = {
    "apps:create": create_app,
    "config:get": get_config,
    "config:set": set_config,
    "docker-options:add": add_docker_option,
    "docker-options:report": report_docker_options,
    "domains:set": set_domains,
    "letsencrypt:active": has_certificate,
    "letsencrypt:cron-job": without_app,
    "letsencrypt:enable": enable_certificate,
    "plugin:install": install_plugin,
    "plugin:list": list_plugins,
    "ps:report": report_ps,
    "ps:scale": scale,
    "registry:login": log_in_to_registry,
    "resource:limit": limit,
    "run": run,
    "scheduler-k3s:cluster-add": without_app,
    "scheduler-k3s:cluster:add": without_app,
    "scheduler-k3s:initialize": without_app,
    "storage:ensure-directory": ensure_directory,
    "storage:list": list_mounts,
    "storage:mount": mount,
}


# --- Data servers: databases of the test's own server ---


def service_of(state: State, plugin: str, name: str) -> Any:
    if name not in state["services"][plugin]:
        raise RefusedError(f"{plugin} service {name} does not exist")
    return state["services"][plugin][name]


def create_service(state: State, plugin: str, arguments: list[str], options: dict[str, str]) -> int:
    name = arguments[0]
    if name in state["services"][plugin]:
        raise RefusedError(f"{plugin} service {name} already exists")
    url = state["servers"][plugin]
    if plugin == "postgres":
        database = name.replace("-", "_")
        on_server(state, f"CREATE DATABASE {database} TEMPLATE {state['templates'].get(name, 'template0')}")
        url = url.rpartition("/")[0] + f"/{database}"
    state["services"][plugin][name] = {"url": url, "links": [], "options": options}
    return 0


def destroy_service(state: State, plugin: str, arguments: list[str], options: dict[str, str]) -> int:
    if service_of(state, plugin, arguments[0])["links"]:
        raise RefusedError("Cannot delete linked service")
    if "--force" not in options and input(f'To proceed, type "{arguments[0]}"\n> ') != arguments[0]:
        raise RefusedError("Confirmation did not match")
    on_server(state, f"DROP DATABASE {arguments[0].replace('-', '_')}")
    del state["services"][plugin][arguments[0]]
    return 0


def on_server(state: State, statement: str) -> None:
    with contextlib.closing(
        psycopg2.connect(state["servers"]["postgres"].rpartition("/")[0] + "/postgres")
    ) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


def service_exists(state: State, plugin: str, arguments: list[str], options: dict[str, str]) -> int:
    service_of(state, plugin, arguments[0])
    return 0


def link(state: State, plugin: str, arguments: list[str], options: dict[str, str]) -> int:
    service, config = service_of(state, plugin, arguments[0]), app_of(state, arguments[1])["config"]
    key = f"{options.get('--alias', ALIASES[plugin])}_URL"
    if arguments[1] in service["links"] or key in config:
        raise RefusedError("Already linked, or the alias is in use")
    service["links"].append(arguments[1])
    config[key] = service["url"]
    return 0


def linked(state: State, plugin: str, arguments: list[str], options: dict[str, str]) -> int:
    return 0 if arguments[1] in service_of(state, plugin, arguments[0])["links"] else 1


def unlink(state: State, plugin: str, arguments: list[str], options: dict[str, str]) -> int:
    service, app = service_of(state, plugin, arguments[0]), app_of(state, arguments[1])
    service["links"].remove(arguments[1])
    app["config"] = {key: value for key, value in app["config"].items() if value != service["url"]}
    return 0


SERVICES = {
    "create": create_service,
    "destroy": destroy_service,
    "exists": service_exists,
    "export": service_exists,
    "info": service_exists,
    "link": link,
    "linked": linked,
    "restart": service_exists,
    "unlink": unlink,
}


# --- The program ---


def main(words: list[str]) -> int:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    file = Path(os.environ["DOKKU_STATE"])
    state = json.loads(file.read_text())
    try:
        version = tuple(map(int, state["version"].split(".")[:2]))
        code = dispatch(state, *parse(words, (version[0], version[1])))
    except RefusedError as error:
        sys.stderr.write(f" !     {error}\n")
        return 1
    file.write_text(json.dumps(state))
    return code


# --- The tables against Dokku's own code ---


def differences(clones: Path) -> Iterator[str]:
    for version in VERSIONS:
        core, number = Sources(clones / "dokku+dokku/repo", f"v{version}"), tuple(map(int, version.split(".")[:2]))
        for name, entry in (CORE | DEFAULTS).items():
            yield from core.compare(version, name, entry, has=entry.since <= number < entry.until)
        for name, properties in PROPERTIES.items():
            for each, since in properties.items() if name in CORE else ():
                if core.mentions(name, each) != (number >= since):
                    yield f"{version}: {name} {each}"
    for name, entry in EXTERNAL.items():
        plugin = Sources(clones / f"dokku+dokku-{name.partition(':')[0]}/repo", "HEAD", within="")
        yield from plugin.compare("plugin", name, entry, has=True)


class Sources:
    """A clone at one version. ``within``: where plugins lie."""

    def __init__(self, clone: Path, version: str, within: str = "plugins/{}/") -> None:
        self.clone, self.version, self.within = clone, version, within

    def git(self, *arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=self.clone, capture_output=True, text=True).stdout

    def folder(self, name: str) -> str:
        plugin = name.partition(":")[0]
        return self.within.format("nginx-vhosts" if plugin == "nginx" else plugin)

    def mentions(self, name: str, text: str) -> bool:
        """As a word of its own, in code that is no test."""
        pattern = rf"(^|[^[:alnum:]-]){re.escape(text)}([^[:alnum:]-]|$)"
        where = [self.folder(name) or ".", ":!*_test.go", ":!*.md", ":!*.bats"]
        return bool(self.git("grep", "-lE", "-e", pattern, self.version, "--", *where))

    def has(self, name: str) -> bool:
        folder, (_, _, command) = self.folder(name), name.partition(":")
        path = f"{folder}subcommands/{command or 'default'}"
        listed = self.git("show", f"{self.version}:{folder}Makefile").split()
        return bool(self.git("ls-tree", self.version, path)) or f"subcommands/{command}" in listed or not command

    def compare(self, version: str, name: str, entry: Entry, *, has: bool) -> Iterator[str]:
        if self.has(name) != has:
            yield f"{version}: {name}"
        for option in entry.options or {} if has else ():
            if not self.mentions(name, option) and not self.mentions(name, option.lstrip("-")):
                yield f"{version}: {name} {option}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["compare"]:
        sys.exit("\n".join(differences(Path(sys.argv[2]))) or 0)
    sys.exit(main(sys.argv[1:]))
