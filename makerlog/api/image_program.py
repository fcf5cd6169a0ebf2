"""Decodes one image from outside and writes it anew. A program of its own, which may die: nothing else is in its memory,
and the system bounds what it takes. See images.py, which runs it; it imports Pillow and nothing of ours.

Reads from standard input one line of JSON (``side``: the longest in pixels; ``animated``: whether an animation stays one),
then the file. Writes one line of JSON (``error``, or ``ending`` of the file's name; ``seconds`` of CPU), then the image.
"""

import io
import json
import resource
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

MEMORY_BYTES = 512 * 1024 * 1024
CPU_SECONDS = 5

# By what a decoder holds at once for each pixel. A JPEG is decoded piecewise, at a fraction of its size, unless it is a
# progressive one; PNG and GIF whole, at 4 bytes; WebP and AVIF whole and several times over.
MAX_PIXELS = {"JPEG": 200_000_000, "PNG": 40_000_000, "GIF": 40_000_000, "WEBP": 16_800_000, "AVIF": 16_800_000}
MAX_PIXELS_OF_PROGRESSIVE = 60_000_000
MAX_FRAMES = 300
MAX_PIXELS_OF_ALL_FRAMES = 120_000_000
MAX_PIXELS_WRITTEN = 20_000_000  # of an animation: one that has more is made smaller

# An image should take no more on disk than so many times what was sent, unless that is very little; and takes no more than
# that or ENOUGH_BYTES.
GROWTH = 1.5
SMALL_BYTES = 64 * 1024
ENOUGH_BYTES = 1024 * 1024

PNG_NOTES = {b"tEXt", b"zTXt", b"iTXt"}  # Pillow refuses a file whose notes are long
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
Encoding = tuple[str, str, dict[str, Any]]  # Pillow's name of the format, the ending of the file's name, options

LOSSLESS: Encoding = ("WEBP", "webp", {"lossless": True, "quality": 20, "method": 0})
WEBP: list[Encoding] = [
    ("WEBP", "webp", {"quality": quality, "alpha_quality": quality, "method": 0}) for quality in (85, 60, 30)
]
JPEG: list[Encoding] = [("JPEG", "jpg", {"quality": quality, "optimize": True}) for quality in (88, 75, 55)]


class Refused(Exception):
    """The image is not taken; the argument is a key of CleanImageField's messages."""


def main() -> None:
    options = json.loads(sys.stdin.buffer.readline())
    data = sys.stdin.buffer.read()
    bound_resources()
    head: dict[str, Any] = {}
    body = b""
    try:
        body, head["ending"] = rewrite(data, **options)
    except Refused as refusal:
        head["error"] = str(refusal)
    except (MemoryError, Image.DecompressionBombError):
        head["error"] = "too_many_pixels"
    except Exception:
        head["error"] = "not_an_image"
    head["seconds"] = time.process_time()
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + body)


def bound_resources() -> None:
    """The most that whatever hides in a file can take. macOS does not bound memory: there MAX_PIXELS alone does."""
    bounds = {"AS": MEMORY_BYTES, "CPU": CPU_SECONDS, "FSIZE": 0, "CORE": 0}
    for name, bound in bounds.items():
        try:
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (bound, bound))
        except (OSError, ValueError):
            continue
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    Image.MAX_IMAGE_PIXELS = (
        MAX_PIXELS["WEBP"] // 2
    )  # of twice that no WebP is even opened; the others are judged by us


def rewrite(data: bytes, *, side: int, animated: bool) -> tuple[bytes, str]:
    """The image in ``data`` from its pixels alone, upright, in sRGB, and the ending of its name. Of one that breaks off,
    what is there, as browsers do."""
    try:
        return rewrite_by_kind(data, side, animated)
    except (OSError, SyntaxError, ValueError):
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        return rewrite_by_kind(data, side, animated)


def rewrite_by_kind(data: bytes, side: int, animated: bool) -> tuple[bytes, str]:
    image = open_image(data)
    require_bounded(image)
    allowance = max(SMALL_BYTES, int(GROWTH * len(data)))
    if animated and getattr(image, "n_frames", 1) > 1:
        return encode_animation(image, side, allowance)
    encodings = JPEG if image.format == "JPEG" else WEBP if is_lossy(image, data) else [LOSSLESS, *WEBP]
    return encode_still(develop_picture(image, side), encodings, allowance)


def open_image(data: bytes) -> ImageFile.ImageFile:
    """By its first bytes, whatever name it came under. Of what phones send as MPO, the JPEG that it begins with."""
    file = io.BytesIO(data)
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImagePlugin.JpegImageFile(io.BytesIO(data + b"\xff\xd9"))  # some break off just before their end
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImagePlugin.PngImageFile(io.BytesIO(without_notes(data)))
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return GifImagePlugin.GifImageFile(file)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile(file)
    return AvifImagePlugin.AvifImageFile(file)


def without_notes(data: bytes) -> bytes:
    """A PNG without its text."""
    kept, at = [data[:8]], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if data[at + 4 : at + 8] not in PNG_NOTES:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def require_bounded(image: ImageFile.ImageFile) -> None:
    """By its head, before any of its pixels is decoded."""
    pixels = image.width * image.height
    if not pixels:
        raise Refused("not_an_image")
    if pixels > (MAX_PIXELS_OF_PROGRESSIVE if "progressive" in image.info else MAX_PIXELS[image.format or ""]):
        raise Refused("too_many_pixels")


def is_lossy(image: Image.Image, data: bytes) -> bool:
    return image.format == "AVIF" or (image.format == "WEBP" and b"VP8 " in data[:4096])


def develop_picture(image: Image.Image, side: int) -> Image.Image:
    """One picture in RGB or RGBA: scaled down, turned upright, its colours those of sRGB."""
    turn, profile = TURNS.get(orientation(image)), image.info.get("icc_profile")
    scale = 1.5 * side / max(image.size)
    image.draft(None, (int(image.width * scale), int(image.height * scale)))  # of a JPEG, no more than that is decoded
    image.load()
    if ImageFile.LOAD_TRUNCATED_IMAGES and image.getbbox() is None:
        raise Refused("not_an_image")  # nothing of it is there
    picture = scalable(image)
    picture.thumbnail((side, side))
    picture = in_srgb(picture, profile)
    return picture if turn is None else picture.transpose(turn)  # a turn may be 0


def orientation(image: Image.Image) -> int:
    """As its Exif says; 1, upright, where that cannot be read."""
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:
        return 1


def scalable(image: Image.Image) -> Image.Image:
    """In a mode whose pixels may be averaged."""
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value * (1 / 256)).convert("L")  # Pillow itself would clip
    mode = "RGBA" if image.has_transparency_data else {"1": "L", "L": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")
    return image if image.mode == mode else image.convert(mode)


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB or RGBA. A profile that cannot be used is passed over."""
    alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
    colours = convert_to_srgb(picture, profile) if profile else None
    colours = colours or picture.convert("RGB")
    if alpha is not None and alpha.getextrema() != (255, 255):
        colours.putalpha(alpha)
    return colours


def convert_to_srgb(picture: Image.Image, profile: bytes) -> Image.Image | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[source.profile.xcolor_space.strip()]
        if (mode == "CMYK") != (picture.mode == "CMYK"):
            return None
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture.convert(mode), source, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, KeyError, OSError, ValueError):
        return None


def encode_still(picture: Image.Image, encodings: list[Encoding], allowance: int) -> tuple[bytes, str]:
    """By the first of ``encodings`` that stays within ``allowance``; where none does, by the last, and smaller."""
    for encoding in encodings:
        body, ending = encode_picture(picture, encoding)
        if len(body) <= allowance and (encoding is not LOSSLESS or len(body) <= ENOUGH_BYTES):
            return body, ending
    while len(body) > max(allowance, ENOUGH_BYTES):
        picture = picture.reduce(2)
        body, ending = encode_picture(picture, encodings[-1])
    return body, ending


def encode_picture(picture: Image.Image, encoding: Encoding) -> tuple[bytes, str]:
    kind, ending, options = encoding
    picture.info = {}  # Pillow writes comments and profiles on: any bytes one likes
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue(), ending


def encode_animation(image: ImageFile.ImageFile, side: int, allowance: int) -> tuple[bytes, str]:
    """All of its frames, as WebP."""
    count: int = getattr(image, "n_frames", 1)
    if count > MAX_FRAMES or count * image.width * image.height > MAX_PIXELS_OF_ALL_FRAMES:
        raise Refused("too_long")
    scale = min(1.0, side / max(image.size), (MAX_PIXELS_WRITTEN / (count * image.width * image.height)) ** 0.5)
    loop = image.info.get("loop", 1)
    frames, durations = [], []
    for frame, duration in frames_of(image, count, max(1, int(max(image.size) * scale))):
        frames.append(frame)
        durations.append(duration)
    first, *rest = frames
    body = b""
    for quality in (75, 40):
        options = {"duration": durations, "loop": loop, "quality": quality, "method": 0}
        body, _ = encode_picture(first, ("WEBP", "webp", {"save_all": True, "append_images": rest, **options}))
        if len(body) <= allowance:
            break
    return body, "webp"


def frames_of(image: ImageFile.ImageFile, count: int, side: int) -> Iterator[tuple[Image.Image, int]]:
    """Each frame and its milliseconds, as far as they can be read."""
    for number in range(count):
        try:
            image.seek(number)
            image.load()
        except (EOFError, OSError, SyntaxError, ValueError):
            if number:
                return
            raise
        duration = int(image.info.get("duration") or 100)
        yield develop_picture(image.copy(), side), duration


if __name__ == "__main__":
    main()
