"""What makers' images may take together, and what happens where the disk is full."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from PIL import Image

from makerlog.accounts.models import Maker, StoredFile
from makerlog.gate.limits import MIB
from products.models import Membership
from tests.errors import assert_error
from tests.makers import Caller, caller
from tests.tasks.images import image_bytes, upload

pytestmark = pytest.mark.django_db

NOISE = 600  # pixels a side


def sent(side: int = NOISE) -> Any:
    return upload(image_bytes("PNG", side))


def used(maker: Caller) -> int:
    body = maker.get("/me/").json()
    stored = sum(StoredFile.objects.filter(maker=maker.maker).values_list("bytes", flat=True))
    assert body["media_bytes"] == stored <= body["media_quota"]
    return stored


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*.*") if path.is_file()]


def test_what_ones_images_take_is_said_on_me_and_given_back() -> None:
    alice = caller()
    assert used(alice) == 0
    alice.patch("/me/", {"avatar": sent()}, format="multipart")
    alice.patch("/me/", {"header": sent()}, format="multipart")
    both = used(alice)
    name = Maker.objects.get().avatar.name
    assert StoredFile.objects.get(name=name).bytes == default_storage.size(name)
    alice.patch("/me/", {"avatar": sent(20)}, format="multipart")
    assert used(alice) < both
    alice.patch("/me/", {"avatar": None, "header": ""})
    assert used(alice) == 0


def test_a_tasks_attachment_counts_until_it_is_replaced_or_deleted() -> None:
    alice = caller()
    task = alice.post("/tasks/", {"content": "x", "attachment": sent()}, format="multipart").json()
    first = used(alice)
    assert first > 100_000
    url = f"/tasks/{task['id']}/"
    alice.patch(url, {"content": "y"})
    assert used(alice) == first
    alice.patch(url, {"attachment": sent(20)}, format="multipart")
    assert used(alice) == 4096
    alice.delete(url)
    assert used(alice) == 0


def test_a_products_icon_counts_for_its_owner_whoever_sends_it() -> None:
    alice, bob = caller(), caller("bob")
    product = alice.post("/products/", {"name": "P", "icon": sent()}, format="multipart").json()
    Membership.objects.create(product_id=product["id"], maker=bob.maker)
    assert used(alice) > 4096
    response = bob.patch(f"/products/{product['slug']}/", {"icon": sent(20)}, format="multipart")
    assert (response.status_code, used(alice), used(bob)) == (200, 4096, 0)
    alice.delete(f"/products/{product['slug']}/")
    assert used(alice) == 0


def test_an_image_past_the_quota_is_a_413_with_a_code_and_leaves_nothing(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_QUOTA_MB = 1
    alice = caller()
    posts = [alice.post("/tasks/", {"content": "x", "attachment": sent()}, format="multipart") for _ in range(6)]
    assert posts[0].status_code == 201
    body = assert_error(posts[-1], 413, "media_quota")
    assert str(MIB) in body["detail"]
    stored = [response.json() for response in posts if response.status_code == 201]
    assert len(files(tmp_path)) == len(stored) == len(alice.get("/tasks/").json()["results"])
    alice.delete(f"/tasks/{stored[0]['id']}/")
    assert alice.post("/tasks/", {"content": "x", "attachment": sent()}, format="multipart").status_code == 201
    assert alice.post("/tasks/", {"content": "x"}).status_code == 201


def test_an_image_may_take_the_place_of_another_where_both_would_be_too_much(settings: Any) -> None:
    settings.MEDIA_QUOTA_MB = 1
    alice = caller()
    for _ in range(4):
        assert alice.patch("/me/", {"avatar": sent()}, format="multipart").status_code == 200


def test_where_the_disk_is_nearly_full_an_image_is_a_507_and_all_else_goes_on(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_FREE_MB = 10_000_000_000
    alice = caller()
    assert_error(alice.patch("/me/", {"avatar": sent()}, format="multipart"), 507, "disk_full")
    assert alice.patch("/me/", {"status": "on"}).status_code == 200
    assert files(tmp_path) == []


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("path", ["/me/", "/tasks/", "/products/"])
def test_a_disk_that_is_full_half_way_through_a_file_is_a_507_and_leaves_no_half(path: str, tmp_path: Path) -> None:
    alice = caller()
    field = {"/me/": "avatar", "/tasks/": "attachment", "/products/": "icon"}[path]
    body = {field: sent(), "content": "x", "name": "x"}
    with files_of_at_most(100 * 1024):
        response = (alice.patch if path == "/me/" else alice.post)(path, body, format="multipart")
    assert_error(response, 507, "disk_full")
    assert (files(tmp_path), used(alice)) == ([], 0)


@pytest.mark.django_db(transaction=True)
def test_a_write_that_fails_after_its_file_was_stored_leaves_no_file(tmp_path: Path) -> None:
    alice = caller()
    sends = {"name": "P", "icon": sent(20), "projects": [99_999]}
    assert alice.post("/products/", sends, format="multipart").status_code == 400
    assert (files(tmp_path), used(alice)) == ([], 0)


def test_recount_knows_what_the_files_of_a_maker_take(capsys: Any) -> None:
    alice = caller()
    alice.patch("/me/", {"avatar": sent(20)}, format="multipart")
    Maker.objects.update(media_bytes=7)
    call_command("recount", mend=True)
    assert "bytes of files of maker" in capsys.readouterr().out
    assert used(alice) == 4096


def test_an_image_that_takes_long_costs_more() -> None:
    alice, flat = caller(), BytesIO()
    Image.new("RGBA", (6_000, 6_000), (1, 2, 3, 4)).save(flat, "PNG")
    slow = upload(flat.getvalue())
    before = alice.patch("/me/", {"avatar": sent(20)}, format="multipart")["RateLimit"]
    after = alice.patch("/me/", {"header": slow}, format="multipart")["RateLimit"]
    assert left(before) == 59
    assert left(after) < 58


def left(header: str) -> int:
    return int(header.partition('"image";r=')[2].partition(";")[0])
