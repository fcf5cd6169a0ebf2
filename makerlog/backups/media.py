"""Uploads, wherever they are kept: to a folder and back, a piece at a time."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.core.files import File
from django.core.files.storage import default_storage as storage

from makerlog.backups.manifest import CHUNK, MEDIA, Manifest, some
from makerlog.backups.tools import BackupError


def names(folder: str = "") -> Iterator[str]:
    """All that the storage holds."""
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:  # nobody has uploaded anything yet
        return
    for name in sorted(files):
        yield f"{folder}/{name}" if folder else name
    for name in sorted(folders):
        yield from names(f"{folder}/{name}" if folder else name)


def copy_to(folder: Path) -> list[str]:
    """The names copied. What a maker replaces meanwhile may be gone before its turn."""
    copied = []
    for name in names():
        target = folder / MEDIA / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with storage.open(name) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, CHUNK)
        except FileNotFoundError:
            target.unlink(missing_ok=True)
        else:
            copied.append(name)
    return copied


def strangers(manifest: Manifest) -> list[str]:
    """What lies in the storage under a name of the backup's, and is another file."""
    return [name for name in manifest.media if stored(name) not in ("", manifest.files[f"{MEDIA}/{name}"])]


def put_back(folder: Path, manifest: Manifest) -> int:
    """Stores what is not there as it was: how many. Raises BackupError where the storage returns something else."""
    wanted = {name: manifest.files[f"{MEDIA}/{name}"] for name in manifest.media}
    missing = [name for name, digest in wanted.items() if stored(name) != digest]
    for name in missing:
        storage.delete(name)
        with (folder / MEDIA / name).open("rb") as file:
            storage.save(name, File(file))
    wrong = [name for name in missing if stored(name) != wanted[name]]
    if wrong:
        raise BackupError(f"The storage of uploads does not return what was put into it: {some(wrong)}.")
    return len(missing)


def stored(name: str) -> str:
    """The SHA-256 of an upload; empty where there is none."""
    if not storage.exists(name):
        return ""
    digest = hashlib.sha256()
    with storage.open(name) as file:
        for piece in file.chunks(CHUNK):
            digest.update(piece)
    return digest.hexdigest()
