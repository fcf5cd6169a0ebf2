"""Images: judged by their content, bounded, and written anew."""

import random
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from rest_framework import serializers

from makerlog.api.exceptions import Busy
from makerlog.api.files import CleanImageField, RandomName
from makerlog.api.images import line, rewrite_image, work
from tests.tasks.images import giant_png, image_bytes, upload

SECRET = b"<?php secret ?>"


def rewritten(data: bytes, side: int = 64) -> bytes:
    return CleanImageField(side=side).run_validation(upload(data)).read()


def opened(data: bytes) -> Any:
    return Image.open(BytesIO(data))


def noted_png() -> bytes:
    notes = PngInfo()
    notes.add_text("Comment", SECRET.decode())
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    return image_bytes("PNG", pnginfo=notes, exif=exif)


NOTED = {
    "png": noted_png(),
    "jpeg comment": image_bytes("JPEG", comment=SECRET),
    "jpeg profile": image_bytes("JPEG", icc_profile=SECRET),
    "gif comment": image_bytes("GIF", comment=SECRET),
    "webp profile": image_bytes("WEBP", icc_profile=SECRET),
    "png with a second content": image_bytes("PNG") + SECRET,
    "jpeg with a second content": image_bytes("JPEG") + SECRET,
}


@pytest.mark.parametrize("kind", NOTED)
def test_nothing_but_pixels_is_kept(kind: str) -> None:
    assert SECRET in NOTED[kind]
    clean = rewritten(NOTED[kind])
    assert b"secret" not in clean
    assert {"comment", "icc_profile", "exif", "Comment"} & set(opened(clean).info) == set()


@pytest.mark.parametrize(("kind", "kept"), [("PNG", "WEBP"), ("JPEG", "JPEG"), ("WEBP", "WEBP"), ("GIF", "WEBP")])
def test_a_jpeg_stays_one_and_all_else_becomes_webp(kind: str, kept: str) -> None:
    assert opened(rewritten(image_bytes(kind))).format == kept


def test_a_large_image_is_scaled_down_and_a_small_one_left() -> None:
    assert opened(rewritten(image_bytes(side=200))).size == (64, 64)
    assert opened(rewritten(image_bytes(side=20))).size == (20, 20)


def test_an_image_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    buffer = BytesIO()
    Image.new("RGB", (30, 10)).save(buffer, "JPEG", exif=exif)
    assert opened(rewritten(buffer.getvalue())).size == (10, 30)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_images_of_every_mode_are_taken(mode: str) -> None:
    buffer = BytesIO()
    Image.new(mode, (5, 5)).save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    assert opened(rewritten(buffer.getvalue())).size == (5, 5)


def test_of_an_animation_the_first_picture_is_taken_where_it_does_not_move() -> None:
    frames = [Image.new("RGB", (9, 9), color) for color in ("red", "blue")]
    buffer = BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    clean = opened(rewritten(buffer.getvalue())).convert("RGB")
    assert (getattr(clean, "n_frames", 1), clean.getpixel((0, 0))) == (1, (255, 0, 0))


def test_an_image_of_too_many_pixels_is_refused_unread() -> None:
    with pytest.raises(serializers.ValidationError, match="too many pixels"):
        rewritten(giant_png())


def test_a_file_over_the_limit_is_refused(settings: Any) -> None:
    settings.UPLOAD_LIMIT = 100
    with pytest.raises(serializers.ValidationError, match="at most 100"):
        rewritten(image_bytes(side=64))


def test_broken_images_are_refused_or_read_but_never_a_fault() -> None:
    chance = random.Random(7)
    for kind in ("PNG", "JPEG", "GIF", "WEBP"):
        whole = image_bytes(kind, 16)
        for _ in range(20):
            data = bytearray(whole)
            for _ in range(chance.choice([1, 3, 20])):
                data[chance.randrange(len(data))] = chance.randrange(256)
            try:
                rewritten(bytes(data[: chance.randrange(1, len(data) + 1)]))
            except serializers.ValidationError:
                continue


@pytest.mark.parametrize("said", [None, "", "null", "undefined"])
def test_no_image_is_none(said: Any) -> None:
    assert CleanImageField().run_validation(said) is None


def test_names_are_ours() -> None:
    names = {RandomName("icons")(None, "../../../etc/passwd.png") for _ in range(5)}
    assert len(names) == 5
    assert {(name.startswith("icons/"), ".." in name, name.endswith(".png")) for name in names} == {(True, False, True)}


def test_one_image_at_a_time_and_none_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("makerlog.api.images.WAIT_S", 0.01)
    with work, pytest.raises(Busy):
        rewritten(image_bytes())
    assert rewritten(image_bytes())
    with pytest.raises(serializers.ValidationError):
        rewritten(SECRET)
    assert rewritten(image_bytes())


def test_one_image_may_wait_for_the_one_at_work_and_no_more() -> None:
    with line, line, pytest.raises(Busy):
        rewritten(image_bytes())
    assert rewritten(image_bytes())


def test_noise_is_written_anew_in_good_time() -> None:
    buffer = BytesIO()
    Image.effect_noise((200, 200), 90).convert("RGBA").resize((2_000, 2_000), Image.Resampling.NEAREST).save(
        buffer, "PNG"
    )
    assert rewrite_image(buffer.getvalue(), side=2_048).seconds < 1.5
