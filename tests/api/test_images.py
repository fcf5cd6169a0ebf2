"""Images as phones, browsers and attackers send them: taken as browsers show them, and at nobody else's cost."""

import resource
import struct
import sys
import zlib
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageCms, ImageDraw
from rest_framework.serializers import ValidationError

from makerlog.api.files import CleanImageField
from makerlog.api.images import BadImage, rewrite_image
from tests.tasks.images import image_bytes, upload

RED, BLUE = (255, 0, 0), (0, 0, 255)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def taken(data: bytes, side: int = 64, *, animated: bool = False) -> Any:
    image = rewrite_image(data, side=side, animated=animated)
    return Image.open(BytesIO(image.body))


def message(data: bytes) -> str:
    with pytest.raises(ValidationError) as caught:
        CleanImageField(side=64).run_validation(upload(data))
    return str(caught.value)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, rows: bytes, *, depth: int = 8, kind: int = 2, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


def lossless_webp(side: int) -> bytes:
    """Of one colour, so in some 34 bytes whatever its side."""
    small = bytearray(saved(Image.new("RGB", (8, 8)), "WEBP", lossless=True))
    start = small.index(b"VP8L") + 8
    small[start + 1 : start + 5] = struct.pack("<I", (side - 1) | (side - 1) << 14)
    return bytes(small)


def close(seen: Iterable[int], wanted: Iterable[int], by: int = 6) -> bool:
    return all(abs(one - other) <= by for one, other in zip(seen, wanted, strict=True))


# --- What it may cost ---


@pytest.mark.parametrize("side", [6_300, 16_383])
def test_a_webp_of_34_bytes_takes_no_memory_of_the_worker(side: int) -> None:
    data = lossless_webp(side)
    assert len(data) < 64
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "too many pixels" in message(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS bounds no process's memory; the pixels of the head do")
def test_an_image_that_would_take_more_memory_than_a_child_may_is_refused() -> None:
    """A progressive JPEG is kept whole by its decoder: 1.2 GB of these."""
    data = bytearray(saved(Image.new("RGB", (16, 16)), "JPEG", progressive=True, subsampling=0))
    start = data.index(b"\xff\xc2") + 5
    data[start : start + 4] = struct.pack(">HH", 14_000, 14_000)
    assert "too many pixels" in message(bytes(data))
    data[start : start + 4] = struct.pack(
        ">HH", 9_000, 6_600
    )  # CMYK of so many would be too much; of three colours it fits
    assert taken(bytes(data)).size == (47, 64)


def test_an_image_grows_little_on_disk_whatever_its_format() -> None:
    noise = Image.effect_noise((300, 300), 90).convert("RGB").resize((2_048, 2_048), Image.Resampling.BICUBIC)
    for kind, quality in (("WEBP", 80), ("JPEG", 80), ("AVIF", 70)):
        data = saved(noise, kind, quality=quality)
        assert len(rewrite_image(data, side=2_048).body) < 1.6 * len(data), kind


def test_a_pattern_of_few_bytes_is_not_megabytes_on_disk() -> None:
    tile = Image.merge("RGBA", [Image.effect_noise((64, 64), 90) for _ in range(4)])
    pattern = Image.new("RGBA", (2_600, 2_600))
    for x in range(0, 2_600, 64):
        for y in range(0, 2_600, 64):
            pattern.paste(tile, (x, y))
    data = saved(pattern, "WEBP", lossless=True, method=0)
    assert len(data) < 100_000
    assert len(rewrite_image(data, side=2_048).body) <= 1024 * 1024


def test_a_screenshot_stays_exact() -> None:
    shot = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(shot).text((10, 10), "make run", fill="black")
    assert taken(saved(shot, "PNG"), side=512).convert("RGB").tobytes() == shot.tobytes()


@pytest.mark.parametrize("size", [(1, 65_000), (65_000, 1), (20_000, 300)])
def test_a_very_long_image_is_taken(size: tuple[int, int]) -> None:
    kind = "PNG" if 1 in size else "JPEG"
    assert max(taken(saved(Image.new("RGB", size, RED), kind)).size) == 64


def test_a_photograph_of_many_megapixels_is_read_at_a_fraction_of_its_size() -> None:
    image = rewrite_image(saved(Image.new("RGB", (12_000, 9_000), RED), "JPEG"), side=512)
    assert Image.open(BytesIO(image.body)).size == (512, 384)
    assert image.seconds < 2


# --- What phones and browsers send ---


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0MM", b"Exif\0\0" + b"\xff" * 40, b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"\0" * 9]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_whose_exif_cannot_be_read_is_taken_as_it_lies(kind: str, exif: bytes) -> None:
    assert taken(saved(Image.new("RGB", (30, 10)), kind, exif=exif)).size == (30, 10)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_a_picture_stands_as_its_exif_says(kind: str, turn: int) -> None:
    upright = Image.new("RGB", (32, 16), "white")
    upright.paste(RED, (0, 0, 16, 8))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what of Image.Transpose lays it so
    lying = upright.transpose(Image.Transpose(undo[turn])) if turn > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = turn
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 30.0)}
    clean = taken(saved(lying, kind, exif=exif, quality=95))
    assert clean.size == (32, 16)
    assert close(clean.convert("RGB").getpixel((4, 3)), RED, 40)
    assert close(clean.convert("RGB").getpixel((28, 13)), (255, 255, 255), 40)
    assert not clean.getexif()


def test_grey_of_16_bits_keeps_its_shades() -> None:
    rows = b"".join(b"\0" + struct.pack(">4H", 0, 16_384, 32_768, 65_535) for _ in range(4))
    clean = taken(png(4, 4, rows, depth=16, kind=0)).convert("L")
    assert [clean.getpixel((x, 0)) for x in range(4)] == [0, 64, 128, 255]


def test_grey_and_colour_of_16_bits_with_transparency_keep_theirs() -> None:
    rows = b"".join(b"\0" + struct.pack(">4H", 32_768, 16_384, 65_535, 65_535) for _ in range(2))
    assert close(taken(png(2, 2, rows, depth=16, kind=4)).convert("RGBA").getpixel((0, 0)), (128, 128, 128, 64), 1)
    rows = b"".join(b"\0" + struct.pack(">8H", *([32_768, 0, 65_535, 16_384] * 2)) for _ in range(2))
    assert close(taken(png(2, 2, rows, depth=16, kind=6)).convert("RGBA").getpixel((0, 0)), (128, 0, 255, 64), 1)


def test_a_colour_of_another_profile_is_the_same_colour_in_srgb() -> None:
    """LAB says where a colour lies; the profile that is written here swaps nothing but is not sRGB: the D65 white of XYZ."""
    wide = wide_profile()
    here = ImageCms.profileToProfile(Image.new("RGB", (8, 8), (200, 80, 60)), srgb(), wide)
    assert not close(here.getpixel((0, 0)), (200, 80, 60), 10)
    for kind in ("PNG", "JPEG", "WEBP", "AVIF"):
        data = saved(here, kind, icc_profile=wide.tobytes(), quality=100)
        clean = taken(data)
        assert close(clean.convert("RGB").getpixel((4, 4)), (200, 80, 60), 8), kind
        assert "icc_profile" not in clean.info


def srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def wide_profile() -> ImageCms.ImageCmsProfile:
    """sRGB's own, with the primaries of Display P3 (adapted to D50, as ICC profiles have them)."""
    data = bytearray(srgb().tobytes())
    primaries = {
        b"rXYZ": (0.5151, 0.2412, -0.0011),
        b"gXYZ": (0.2920, 0.6922, 0.0419),
        b"bXYZ": (0.1571, 0.0666, 0.7841),
    }
    for number in range(struct.unpack_from(">I", data, 128)[0]):
        name, offset, _ = struct.unpack_from(">4sII", data, 132 + 12 * number)
        if name in primaries:
            struct.pack_into(">3i", data, offset + 8, *(round(each * 65_536) for each in primaries[name]))
    return ImageCms.ImageCmsProfile(BytesIO(bytes(data)))


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * 200])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_profile_that_cannot_be_used_is_passed_over(mode: str, profile: bytes) -> None:
    assert taken(saved(Image.new(mode, (9, 9)), "JPEG", icc_profile=profile)).size == (9, 9)


def test_a_profile_of_another_kind_of_colour_is_passed_over() -> None:
    data = saved(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "JPEG", icc_profile=srgb().tobytes())
    assert close(taken(data).getpixel((4, 4)), RED, 12)


def test_what_phones_send_as_mpo_is_the_jpeg_that_it_begins_with() -> None:
    first, second = Image.effect_noise((200, 200), 40).convert("RGB"), Image.new("RGB", (200, 200), BLUE)
    data = saved(first, "MPO", save_all=True, append_images=[second])
    image = rewrite_image(data, side=512)
    assert (image.ending, len(image.body) < 1.5 * len(data)) == ("jpg", True)
    assert close(Image.open(BytesIO(image.body)).resize((1, 1)).getpixel((0, 0)), first.resize((1, 1)).getpixel((0, 0)))


def test_a_jpeg_without_its_end_is_taken() -> None:
    data = image_bytes("JPEG", 64).removesuffix(b"\xff\xd9")
    assert taken(data).size == (64, 64)
    assert taken(data[:-200]).size == (64, 64)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG"])
def test_of_a_picture_that_breaks_off_what_is_there_is_taken(kind: str) -> None:
    data = image_bytes(kind, 200)
    assert taken(data[: len(data) // 2], 300).size == (200, 200)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_picture_of_which_nothing_is_there_is_refused(kind: str) -> None:
    data = image_bytes(kind, 200)
    assert "can be read" in message(data[:60] if kind == "PNG" else data[:800])


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
def test_a_png_with_much_text_is_taken(kind: bytes) -> None:
    text = {
        b"tEXt": b"Comment\0" + b"x" * 3_000_000,
        b"zTXt": b"Comment\0\0" + zlib.compress(b"x" * 90_000_000),
        b"iTXt": b"Comment\0\1\0\0\0" + zlib.compress(b"x" * 90_000_000),
    }[kind]
    assert taken(png(2, 2, (b"\0" + bytes(6)) * 2, extra=chunk(kind, text) * 2)).size == (2, 2)


def test_an_avif_is_taken() -> None:
    image = rewrite_image(saved(Image.new("RGB", (30, 20), RED), "AVIF"), side=64)
    assert image.ending == "webp"
    assert close(Image.open(BytesIO(image.body)).convert("RGB").getpixel((9, 9)), RED, 12)


def film(kind: str, size: tuple[int, int] = (90, 60), count: int = 3) -> bytes:
    frames = [Image.new("RGB", size, (RED, BLUE)[number % 2]) for number in range(count)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=70, loop=0)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_stays_one_where_it_may(kind: str) -> None:
    clean = taken(film(kind), animated=True)
    assert (clean.format, clean.size, clean.n_frames, clean.info["loop"]) == ("WEBP", (64, 43), 3, 0)
    for number, colour in enumerate((RED, BLUE, RED)):
        clean.seek(number)
        clean.load()
        assert clean.info["duration"] == 70
        assert close(clean.convert("RGB").getpixel((9, 9)), colour, 12)


def test_an_animation_is_bounded() -> None:
    with pytest.raises(BadImage, match="too_long"):
        rewrite_image(film("GIF", (20, 20), 301), side=64, animated=True)
    assert taken(film("GIF", (20, 20), 301)).size == (20, 20)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA"])
def test_transparency_is_kept_where_there_is_some(mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 4, 8))
    clean = taken(saved(image.convert(mode) if mode != "PA" else image.convert("P"), "PNG")).convert("RGBA")
    transparent = clean.getpixel((1, 1))[3] == 0
    assert transparent is (mode in ("LA", "RGBA", "PA") or (mode == "P" and transparent))


# --- What is no image, or none that is taken ---


def test_heic_is_refused_by_name() -> None:
    said = message(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 90)
    assert "HEIC" in said
    assert "JPEG" in said


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PPM", "TGA"])
def test_other_formats_are_refused_with_those_that_are_taken(kind: str) -> None:
    assert "AVIF" in message(saved(Image.new("RGB", (16, 16)), kind))


NO_IMAGE = {
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "zip": b"PK\3\4" + b"\0" * 50,
    "gif without pixels": b"GIF89a" + struct.pack("<HH", 0, 0) + b"\0\0\0;",
    "png without pixels": png(0, 0, b""),
    "head alone": b"\x89PNG\r\n\x1a\n",
    "two bytes": b"\xff\xd8",
    "jpeg of nothing": b"\xff\xd8\xff\xd9",
    "riff of nothing": b"RIFF\0\0\0\0WEBPVP8L",
    "avif of nothing": b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
}


@pytest.mark.parametrize("name", NO_IMAGE)
def test_what_is_no_image_is_refused(name: str) -> None:
    assert "JPEG, PNG, WebP, AVIF and GIF are taken" in message(NO_IMAGE[name])


def test_a_picture_under_the_name_and_type_of_another_is_taken_for_what_it_is() -> None:
    sent = upload(image_bytes("JPEG"), name="me.svg", kind="image/svg+xml")
    assert CleanImageField(side=64).run_validation(sent).name == "image.jpg"


def test_the_child_learns_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    assert taken(image_bytes()).size == (8, 8)
