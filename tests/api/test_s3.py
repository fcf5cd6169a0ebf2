"""Uploads on S3-compatible storage: the real client against a small server that keeps what it is sent."""

import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from storages.backends.s3 import S3Storage

from tests.s3 import Bucket, running_bucket

SETTINGS = Path(__file__).parents[2] / "makerlog" / "settings.py"


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running_bucket() as bucket:
        yield bucket


def storage(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    """The default storage as settings.py builds it for a bucket."""
    for name, value in bucket.settings.items():
        monkeypatch.setenv(name, value)
    options = runpy.run_path(str(SETTINGS))["STORAGES"]["default"]
    assert options["BACKEND"] == "storages.backends.s3.S3Storage"
    return S3Storage(**options["OPTIONS"])


def test_an_upload_is_kept_in_the_bucket_read_from_its_public_address_and_deleted(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = storage(bucket, monkeypatch)
    name = media.save("avatars/picture.png", ContentFile(b"pixels"))
    assert bucket.kept == {"/uploads/avatars/picture.png": b"pixels"}
    assert media.url(name) == "http://media.example.com/avatars/picture.png"
    media.delete(name)
    assert bucket.kept == {}
