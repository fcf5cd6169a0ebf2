"""Reads settings from the environment, and says plainly what is wrong with one.

Nothing here knows Django. Every reader takes the setting's name and a default; a missing default means the
setting is required. ``NAME_FILE`` may name a file that holds the value of ``NAME`` (how secrets are mounted). An empty
variable is an unset one: platforms set what they have no value for.
"""

import contextlib
import hashlib
import ipaddress
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
T = TypeVar("T")

REQUIRED: Any = object()
TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}


class SettingError(Exception):
    """A setting is missing or cannot be used. The message is one sentence for the operator."""


class Environment:
    """Typed access to environment variables. Remembers each name it was asked for in ``names``."""

    def __init__(self, variables: Mapping[str, str] = os.environ) -> None:
        self.variables = variables
        self.names: set[str] = set()

    def text(self, name: str, default: str = REQUIRED) -> str:
        """The value of ``name``, or the content of the file that ``name``_FILE names."""
        self.names.add(name)
        path = self.file(name)
        value = _read(name, path) if path else self.variables.get(name, "")
        if value.strip():
            return value
        if default is REQUIRED:
            raise SettingError(f"{name} is not set; see .env.example for what it holds.")
        return default

    def file(self, name: str) -> Path | None:
        """The file that holds the value of ``name``; None where the variable itself does."""
        path = self.variables.get(f"{name}_FILE", "").strip()
        return Path(path) if path and not self.variables.get(name, "").strip() else None

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name, str(default)).strip().lower()
        if value not in TRUE | FALSE:
            raise SettingError(f"{name} must be 1 or 0, not {value!r}.")
        return value in TRUE

    def integer(self, name: str, default: int, *, least: int, most: int) -> int:
        value = self.text(name, str(default))
        number = _parse(name, value, int, "a whole number")
        if not least <= number <= most:
            raise SettingError(f"{name} must be from {least} to {most}, not {number}.")
        return number

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of ``choices``; the value may be in any case."""
        value = self.text(name, default).strip()
        for choice in choices:
            if choice.lower() == value.lower():
                return choice
        raise SettingError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")

    def words(self, name: str, default: str = "") -> list[str]:
        """A comma-separated list."""
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def networks(self, name: str) -> "Networks":
        """Addresses and CIDR ranges, with commas or on lines of their own. Host bits in a range are an error, not a guess.
        Those of a file can be followed while the process runs."""
        return Networks(name, self.text(name, ""), self.file(name))

    def path(self, name: str, default: str) -> Path:
        return Path(self.text(name, default)).expanduser().absolute()


class Networks(Sequence[Network]):
    """The ranges of a setting. Where NAME_FILE names their file, ``follow`` takes over what it says now; who holds this
    object sees that at once. Comments in the file begin with #."""

    def __init__(self, name: str, text: str, path: Path | None = None) -> None:
        """Raises SettingError."""
        self.name = name
        self.path = path
        self._read = self._in_force = text
        self._now = _networks(name, text)
        self.version = (
            0  # another number as soon as other ranges are in force: for whoever remembers what followed from them
        )

    def follow(self) -> bool:
        """Whether other ranges are in force now. Only what reads the same twice is taken over: a file is not written at
        once. Raises SettingError, once for each content that cannot be used; then what was in force stays so."""
        if self.path is None:
            return False
        before, self._read = self._read, _read(self.name, self.path)
        if self._read != before or self._read == self._in_force:
            return False
        self._in_force = self._read
        found = _networks(self.name, self._read)
        if self._now and not found:
            raise SettingError(f"{self.path} is empty now; {self.name} stays as it was. To have none, restart.")
        changed, self._now = found != self._now, found
        self.version += changed
        return changed

    def __len__(self) -> int:
        return len(self._now)

    def __iter__(self) -> Iterator[Network]:
        return iter(self._now)

    def __getitem__(self, index: Any) -> Any:
        return self._now[index]

    def __str__(self) -> str:
        return ", ".join(map(str, self._now)) or "none"


def _networks(name: str, text: str) -> list[Network]:
    lines = (line.partition("#")[0] for line in text.splitlines())
    words = " ".join(lines).replace(",", " ").split()
    return [_parse(name, word, ipaddress.ip_network, "an address or CIDR range") for word in words]


def _read(name: str, path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise SettingError(f"{name}_FILE names {path}, which cannot be read: {error.strerror}.") from error


def _parse(name: str, value: str, parser: Callable[[str], T], kind: str) -> T:
    try:
        return parser(value)
    except ValueError as error:
        raise SettingError(f"{name} holds {value!r}, which is not {kind}: {error}.") from error


def url_host(host: str) -> str:
    """``host`` as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def drop_empty_variables() -> None:
    """For the libraries that read the environment themselves: gunicorn does not start with WEB_CONCURRENCY=."""
    for name in [name for name, value in os.environ.items() if not value.strip()]:
        del os.environ[name]


def development_secret(data_dir: Path, name: str) -> str:
    """A random secret kept under ``data_dir``/secrets; made by whoever asks first."""
    path = data_dir / "secrets" / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Linked into place, so that of two processes starting together neither reads half a secret.
        draft = path.with_name(f"{name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
        return path.read_text()
    except OSError as error:
        raise SettingError(f"DATA_DIR is {data_dir}, which cannot be written: {error.strerror}.") from error


def runtime_dir(data_dir: Path) -> Path:
    """Where the embedded servers of ``data_dir`` keep their sockets: short, since a socket path holds 104 bytes."""
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"makerlog-{os.getuid()}-{digest}"


def embedded_database_url(data_dir: Path, name: str = "makerlog") -> str:
    """The address of the embedded PostgreSQL, up or not: ``postgresql://makerlog@%2Ftmp%2F.../makerlog``."""
    host = str(runtime_dir(data_dir)).replace("/", "%2F")
    return f"postgresql://makerlog@{host}/{name}"


def embedded_redis_url(data_dir: Path) -> str:
    """The address of the embedded Valkey, up or not."""
    return f"unix://{runtime_dir(data_dir)}/valkey.sock"
