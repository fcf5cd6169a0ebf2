"""One part of an export: a ZIP made on the worker's own disk, a row at a time."""

import shutil
import tempfile
from datetime import UTC, datetime
from time import monotonic
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import orjson
from django.core.files.storage import default_storage

from makerlog.exports.sections import SECTIONS, Position, Row, Section

# A part is full by either. A job has 20 s (makerlog.jobs.worker.JOB_S), storing the part included; whoever fetches it has two
# minutes for a file (makerlog.gate.limits).
PART_BYTES = 20 << 20
PART_S = 6.0
CHUNK = 1 << 20  # bytes


class Part:
    """``number``: which one, from 1. ``file`` is what ``zip_file`` writes to."""

    def __init__(self, number: int, file: IO[bytes], zip_file: ZipFile) -> None:
        self.number = number
        self.file = file
        self.zip = zip_file
        self.full_at = monotonic() + PART_S

    def pack(self, maker: int, name: str, after: Position | None) -> tuple[str, Position | None]:
        """As much as fits, from the section ``name`` on, behind ``after``. Where the next part goes on; "" at the end."""
        names = [section.name for section in SECTIONS]
        for section in SECTIONS[names.index(name) :]:
            after = self.pack_section(section, maker, after)
            if after is not None:
                return section.name, after
        return "", None

    def pack_section(self, section: Section, maker: int, after: Position | None) -> Position | None:
        """Where to go on in this section; None at its end. Rows are written beside the ZIP, which takes one file at a time,
        and uploads go into it at once."""
        begins, full = after is None, False
        with tempfile.TemporaryFile() as rows:
            while not full and (batch := section.rows(maker, after)):
                for row in batch:
                    self.add_uploads(section, row)
                    rows.write((b",\n" if rows.tell() else b"[\n") + orjson.dumps(row))
                    after = section.position(row)
                    full = self.is_full(rows.tell())
                    if full:
                        break
            if rows.tell() or begins:
                self.add_rows(section, rows)
        return after if full else None

    def is_full(self, beside: int) -> bool:
        return self.file.tell() + beside >= PART_BYTES or monotonic() >= self.full_at

    def add_rows(self, section: Section, rows: IO[bytes]) -> None:
        rows.write(b"\n]\n" if rows.tell() else b"[]\n")
        rows.seek(0)
        name = f"{section.name}.json" if self.number == 1 else f"{section.name}-{self.number}.json"
        self.add(name, rows, ZIP_DEFLATED)

    def add_uploads(self, section: Section, row: Row) -> None:
        """Under the names that stand in the row. One that is gone was replaced a moment ago, and its row comes again; one
        that is in already is of a row that has come again."""
        for name in filter(None, (row[column] for column in section.files)):
            if name in self.zip.NameToInfo:
                continue
            try:
                with default_storage.open(name) as upload:
                    self.add(name, upload, ZIP_STORED)
            except FileNotFoundError:
                continue

    def add(self, name: str, source: Any, compression: int) -> None:
        entry = ZipInfo(name, datetime.now(UTC).timetuple()[:6])
        entry.compress_type = compression
        with self.zip.open(entry, "w") as target:
            shutil.copyfileobj(source, target, CHUNK)
