"""Asking for an export, and packing it: a job for each part."""

import tempfile
from typing import IO
from zipfile import ZipFile

from django.core.files import File
from django.db import transaction
from django.utils import timezone
from django_tasks import task

from makerlog.accounts.actions import locked_maker
from makerlog.accounts.models import Maker
from makerlog.api.files import forget_files
from makerlog.exports.models import MOST_PARTS, Export
from makerlog.exports.packing import Part
from makerlog.exports.sections import SECTIONS, Position
from makerlog.exports.storage import storage

BEHIND_OTHERS = -10  # among jobs: mails are waited for


@transaction.atomic
def begin_export(*, maker: Maker) -> Export:
    """A new export in place of the one there is; that one, while it is under way."""
    locked_maker(maker, no_key=True)
    current = Export.objects.filter(maker=maker).first()
    if current and current.is_under_way:
        return current
    if current:
        forget_files(current.traces, storage())
        current.delete()
    made = Export.objects.create(maker=maker, section=SECTIONS[0].name)
    pack_part.enqueue(made.pk)
    return made


@task(priority=BEHIND_OTHERS)
def pack_part(export: int) -> None:
    """The next part, and a job for the one behind it. Nothing where the export is gone, or was finished meanwhile."""
    found = Export.objects.filter(pk=export, finished_at=None).first()
    if found is None:
        return
    with tempfile.TemporaryFile() as file:
        with ZipFile(file, "w") as zip_file:
            rest = Part(found.parts + 1, file, zip_file).pack(found.maker_id, found.section, found.after)
        store(found.part(found.parts + 1), file)
    if not note_part(found, *rest) and not Export.objects.filter(pk=export).exists():
        storage().delete(found.part(found.parts + 1))  # the maker has gone


def store(name: str, file: IO[bytes]) -> None:
    """Under this very name: what a job left there that died is overwritten."""
    file.seek(0)
    storage().delete(name)
    storage().save(name, File(file))


@transaction.atomic
def note_part(export: Export, section: str, after: Position | None) -> bool:
    """False where the part was noted already: a job may run twice."""
    parts = export.parts + 1
    over = not section or parts == MOST_PARTS
    noted = Export.objects.filter(pk=export.pk, parts=export.parts, finished_at=None).update(
        parts=parts, section=section, after=after, finished_at=timezone.now() if over else None
    )
    if noted and not over:
        pack_part.enqueue(export.pk)
    return bool(noted)
