"""The files of a maker who goes; the row goes by cascade."""

from makerlog.api.files import forget_files
from makerlog.exports.models import Export
from makerlog.exports.storage import storage


def erase(maker: int) -> None:
    for export in Export.objects.filter(maker=maker):
        forget_files(export.traces, storage())
