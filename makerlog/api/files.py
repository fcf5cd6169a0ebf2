"""Uploads: images are judged by their content, bounded in size and written anew; names are ours."""

import io
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, default_storage
from django.db import transaction
from django.utils.deconstruct import deconstructible
from PIL import Image, ImageOps, UnidentifiedImageError
from rest_framework import serializers
from rest_framework.fields import SkipField, empty

from makerlog.api.exceptions import Busy
from makerlog.api.fields import says_nothing

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MAX_PIXELS = 40_000_000

# A file of 5 KB can hold so many pixels, and takes 0.5 GB and a second to write anew: one at a time in a process. One more
# may wait: whoever waits holds a thread, and one maker's uploads would hold them all.
WAIT_S = 2.0
darkroom = threading.BoundedSemaphore(1)
line = threading.BoundedSemaphore(2)  # at work and waiting


class LocalStorage(FileSystemStorage):
    """Files under MEDIA_ROOT, named by absolute URLs from PUBLIC_URL."""

    def url(self, name: str | None) -> str:
        return f"{settings.PUBLIC_URL}{super().url(name)}"


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

    ``side``: the longest side in pixels; larger ones are scaled down. Sent as null or an empty string: no image. The address
    of the image that is there (``<field>_url`` of the instance) leaves it there: old apps send whole objects back.
    """

    default_error_messages = {
        "not_an_image": "This is not a PNG, JPEG, WebP or GIF image that can be read.",
        "too_large": "The image is {size} bytes; at most {limit} are taken.",
        "too_many_pixels": "The image has more than {limit} pixels.",
    }

    def __init__(self, *, side: int = 1024, **kwargs: Any) -> None:
        self.side = side
        super().__init__(**{"required": False, "allow_null": True, **kwargs})

    def run_validation(self, data: Any = empty) -> Any:
        instance = getattr(self.parent, "instance", None)
        if isinstance(data, str) and data and data == getattr(instance, f"{self.field_name}_url", None):
            raise SkipField
        return super().run_validation(None if says_nothing(data) else data)

    def to_internal_value(self, data: Any) -> ContentFile:
        upload = super().to_internal_value(data)
        if upload.size > settings.UPLOAD_LIMIT:
            self.fail("too_large", size=upload.size, limit=settings.UPLOAD_LIMIT)
        return self.rewritten(upload)

    def rewritten(self, upload: Any) -> ContentFile:
        with taken(line, timeout=0), taken(darkroom, timeout=WAIT_S):
            return self.developed(upload)

    def developed(self, upload: Any) -> ContentFile:
        try:
            with Image.open(upload, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    self.fail("too_many_pixels", limit=MAX_PIXELS)
                return encoded(image, self.side)
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError, Warning):
            self.fail("not_an_image")


@contextmanager
def taken(semaphore: threading.Semaphore, *, timeout: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=timeout):
        raise Busy("Too many images at once. Try again in a moment.", "images_busy")
    try:
        yield
    finally:
        semaphore.release()


def encoded(image: Image.Image, side: int) -> ContentFile:
    """The first frame, upright, at most ``side`` pixels long: JPEG for photographs, PNG otherwise."""
    photograph = image.format == "JPEG"
    image.draft(None, (2 * side, 2 * side))  # a JPEG is not even read larger than that
    scaled = image.convert("RGB" if photograph else "RGBA")
    scaled.thumbnail((side, side))
    upright = ImageOps.exif_transpose(scaled)
    upright.info = {}  # Pillow writes comments and colour profiles on: any bytes one likes
    buffer = io.BytesIO()
    if photograph:
        upright.save(buffer, "JPEG", quality=88, optimize=True)
    else:
        upright.save(buffer, "PNG", compress_level=3)  # the best one takes ten times as long, and seconds over noise
    return ContentFile(buffer.getvalue(), name="image.jpg" if photograph else "image.png")
