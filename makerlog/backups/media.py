"""Uploads, wherever they are kept: to a folder and back, a piece at a time."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.core.files import File
from django.core.files.storage import default_storage as storage

from makerlog.backups.manifest import CHUNK, MEDIA, BackupError, Manifest, some

ASIDE = "before_restore"  # in the storage: uploads that a restore replaces, until all of it went well


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


def refuse_leftovers() -> None:
    """Raise BackupError where a restore was cut off while it replaced uploads."""
    aside = list(names(ASIDE))
    if aside:
        raise BackupError(
            f"A restore was cut off: uploads that it replaced lie in the storage below {ASIDE}/ ({some(aside)})."
            " Move them back to their names, or away."
        )


def put_back(folder: Path, manifest: Manifest) -> None:
    """Stores what is not there as it was. Raises BackupError where the storage returns something else: then, as after any
    other fault, what lay under those names lies there again."""
    replaced = strangers(manifest)
    for name in replaced:
        copy(name, f"{ASIDE}/{name}")
    try:
        store(folder, manifest)
    except BaseException:
        for name in replaced:
            copy(f"{ASIDE}/{name}", name)
        forget_aside(replaced)
        raise
    forget_aside(replaced)


def forget_aside(replaced: list[str]) -> None:
    for name in replaced:
        storage.delete(f"{ASIDE}/{name}")


def store(folder: Path, manifest: Manifest) -> None:
    wanted = {name: manifest.files[f"{MEDIA}/{name}"] for name in manifest.media}
    missing = [name for name, digest in wanted.items() if stored(name) != digest]
    for name in missing:
        with (folder / MEDIA / name).open("rb") as file:
            replace(name, File(file))
    wrong = [name for name in missing if stored(name) != wanted[name]]
    if wrong:
        raise BackupError(f"The storage of uploads does not return what was put into it: {some(wrong)}.")


def copy(name: str, to: str) -> None:
    with storage.open(name) as file:
        replace(to, file)


def replace(name: str, file: File) -> None:
    """Under this very name: a storage gives another to what would overwrite."""
    storage.delete(name)
    storage.save(name, file)


def stored(name: str) -> str:
    """The SHA-256 of an upload; empty where there is none."""
    if not storage.exists(name):
        return ""
    digest = hashlib.sha256()
    with storage.open(name) as file:
        for piece in file.chunks(CHUNK):
            digest.update(piece)
    return digest.hexdigest()
