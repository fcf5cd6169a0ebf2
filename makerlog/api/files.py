"""Uploads: images are judged by their content, bounded in size and written anew; names are ours."""

import errno
import logging
import secrets
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, default_storage
from django.db import transaction
from django.utils.deconstruct import deconstructible
from rest_framework import serializers
from rest_framework.fields import SkipField, empty

from makerlog.api.exceptions import DiskFull
from makerlog.api.fields import says_nothing
from makerlog.api.images import TAKEN, BadImage, rewrite_image
from makerlog.api.limits import IMAGE_UNIT_S
from makerlog.gate.limits import MIB

logger = logging.getLogger("makerlog.files")

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class WholeFileStorage(FileSystemStorage):
    """Files on this disk."""

    def _save(self, name: str, content: Any) -> str:
        """All of the file or nothing: what a full disk cut off is deleted."""
        try:
            return super()._save(name, content)  # type: ignore[misc]  # Django has it, its stubs do not
        except OSError as error:
            Path(self.path(name)).unlink(missing_ok=True)
            if error.errno not in FULL:
                raise
            logger.error("No room for %s: %s", self.path(name), error)
            raise DiskFull from error


class LocalStorage(WholeFileStorage):
    """Files under MEDIA_ROOT, named by absolute URLs from PUBLIC_URL."""

    def url(self, name: str | None) -> str:
        return f"{settings.PUBLIC_URL}{super().url(name)}"


def require_free_disk() -> None:
    """DiskFull where uploads go to a disk that has less than MEDIA_FREE_MB left: the rest is for the database and logs."""
    if settings.MEDIA_S3_BUCKET:
        return
    there = next(each for each in (settings.MEDIA_ROOT, *settings.MEDIA_ROOT.parents) if each.exists())
    if shutil.disk_usage(there).free < settings.MEDIA_FREE_MB * MIB:
        logger.error("Less than MEDIA_FREE_MB=%d is free where uploads go: %s.", settings.MEDIA_FREE_MB, there)
        raise DiskFull


class HashedStaticStorage(ManifestStaticFilesStorage):
    """Static files under names that change with their content. One that was not collected keeps its plain name: a page
    without its style sheet is better than no page."""

    def stored_name(self, name: str) -> str:
        try:
            return super().stored_name(name)
        except ValueError:
            return name


@deconstructible
class RandomName:
    """``upload_to``: ``folder/<random>.<ending>``. The uploader's own name is not used: it is text from outside."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, instance: Any, filename: str) -> str:
        return f"{self.folder}/{secrets.token_urlsafe(16)}{PurePosixPath(filename).suffix}"


def forget_files(names: Iterable[str], storage: Storage = default_storage) -> None:
    """Deletes stored files once the transaction has committed; a storage that fails loses us a file, not the write."""
    for name in names:
        if name:
            transaction.on_commit(partial(storage.delete, name), robust=True)


class StoredFileField(serializers.FileField):
    """The address of a stored file; ``nothing`` where there is none."""

    def __init__(self, *, nothing: str | None = None, **kwargs: Any) -> None:
        self.nothing = nothing
        super().__init__(**kwargs)

    def to_representation(self, value: Any) -> str | None:
        return value.url if value else self.nothing

    def compiled(self, column: Any) -> tuple[None, Any]:
        """By the name that the column holds."""
        return None, column.storage.url


class CleanImageField(StoredFileField):
    """An image, written anew from its pixels: no metadata, no second content behind the first.

    ``side``: the longest side in pixels; larger ones are scaled down. ``animated``: an animation stays one; elsewhere its
    first picture is taken. Sent as null or an empty string: no image. The address of the image that is there
    (``<field>_url`` of the instance) leaves it there: old apps send whole objects back.
    """

    default_error_messages = {
        "not_an_image": f"This is not an image that can be read. {TAKEN} are taken.",
        "heic": f"HEIC is not taken: send it as JPEG. {TAKEN} are taken.",
        "too_large": "The image is {size} bytes; at most {limit} are taken.",
        "too_many_pixels": (
            "The image has too many pixels: JPEG may have 200 million (a progressive one 60), PNG and GIF 40 million, WebP"
            " and AVIF 16 million."
        ),
        "too_long": "The animation is too long: at most 300 pictures, of 120 million pixels together.",
    }

    def __init__(self, *, side: int = 1024, animated: bool = False, **kwargs: Any) -> None:
        self.side = side
        self.animated = animated
        stays = "Animations stay animated." if animated else "Of an animation the first picture is taken."
        help_text = f"An image: {TAKEN}, in any size up to 10 MiB; scaled down to {side} pixels. {stays}"
        super().__init__(**{"required": False, "allow_null": True, "help_text": help_text, **kwargs})

    def run_validation(self, data: Any = empty) -> Any:
        instance = getattr(self.parent, "instance", None)
        if isinstance(data, str) and data and data == getattr(instance, f"{self.field_name}_url", None):
            raise SkipField
        return super().run_validation(None if says_nothing(data) else data)

    def to_internal_value(self, data: Any) -> ContentFile:
        upload = super().to_internal_value(data)
        if upload.size > settings.UPLOAD_LIMIT:
            self.fail("too_large", size=upload.size, limit=settings.UPLOAD_LIMIT)
        require_free_disk()
        return self.rewritten(upload.read())

    def rewritten(self, data: bytes) -> ContentFile:
        try:
            image = rewrite_image(data, side=self.side, animated=self.animated)
        except BadImage as error:
            self.charge_work(error.seconds)
            self.fail(error.code)
        self.charge_work(image.seconds)
        return ContentFile(image.body, name=f"image.{image.ending}")

    def charge_work(self, seconds: float) -> None:
        """What it took beyond the first unit, which was charged before."""
        view = self.context.get("view")
        if view is not None and (units := int(seconds / IMAGE_UNIT_S)):
            view.charge("image", units=units, insist=True)
