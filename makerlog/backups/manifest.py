"""What a backup says of itself. Written last: a folder without one is no backup."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from makerlog.backups.contents import Table
from makerlog.backups.copies import path_of

NAME, MEDIA = "manifest.json", "media"
FORMAT = 2  # 1 was a dump of pg_dump
CHUNK = 1 << 20  # bytes


class BackupError(Exception):
    """A backup cannot be made or restored. The message says in a sentence or two what to do."""


@dataclass(frozen=True)
class Manifest:
    """``made_at``: ISO, UTC. ``version``: of the code, empty where nothing told it. ``migrations``: those applied, as
    [app, name]. ``columns``: of each table, as its file has them. ``sequences``: the number that each gives next.
    ``left_out``: what the database has and the backup has not. ``files``: the SHA-256 of each, by its path in the folder.
    """

    made_at: str
    version: str
    migrations: list[list[str]]
    tables: dict[str, Table]
    columns: dict[str, list[str]]
    sequences: dict[str, int]
    left_out: list[str]
    files: dict[str, str]
    format: int = FORMAT

    @property
    def media(self) -> list[str]:
        """Names of uploads, as the storage has them."""
        return sorted(path.removeprefix(f"{MEDIA}/") for path in self.files if path.startswith(f"{MEDIA}/"))

    def write(self, folder: Path) -> None:
        (folder / NAME).write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")


def checked(folder: Path) -> Manifest:
    """The manifest of a backup that is whole: every file read, and as it was written. Raises BackupError."""
    manifest = read(folder)
    wrong = [path for path, digest in manifest.files.items() if sha256_of(folder / path) != digest]
    if wrong:
        raise BackupError(
            f"{folder} is damaged: {some(wrong)} not as written. Nothing was touched; take another backup."
        )
    return manifest


def read(folder: Path) -> Manifest:
    try:
        said = json.loads((folder / NAME).read_text())
        if said["format"] != FORMAT:
            raise BackupError(
                f"{folder} has format {said['format']}; this code reads {FORMAT}. Restore it with the code that made it."
                " Nothing was touched."
            )
        tables = {name: Table(*of) for name, of in said["tables"].items()}
        manifest = Manifest(**{**said, "tables": tables, "files": dict(said["files"])})
        missing = [path for table in manifest.columns for path in [path_of(table)] if path not in manifest.files]
        outside = [path for path in manifest.files if {"..", "/"} & {*Path(path).parts}]
    except FileNotFoundError as error:
        raise BackupError(f"{folder} is no whole backup: it has no {NAME}. Nothing was touched.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{folder / NAME} is damaged and cannot be read. Nothing was touched.") from error
    if missing or outside or not manifest.columns or manifest.columns.keys() != manifest.tables.keys():
        wrong = some([*missing, *outside]) or "its tables"
        raise BackupError(f"{folder / NAME} is damaged ({wrong} cannot be). Nothing was touched.")
    return manifest


def sha256_of(path: Path) -> str:
    """Empty: there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def some(names: Iterable[str], most: int = 5) -> str:
    """The first few, and how many more."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
