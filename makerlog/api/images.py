"""Images from outside, written anew by a child process: what a file does to its decoder is done to nobody else."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import orjson

from makerlog.api.exceptions import Busy
from makerlog.api.machine_slots import MachineSlots
from makerlog.gate import deadline

logger = logging.getLogger("makerlog.images")

PROGRAM = Path(__file__).with_name("image_program.py")
TAKEN = "JPEG, PNG, WebP, AVIF and GIF"
MAX_CPU_S = 5.0  # see image_program.CPU_SECONDS
CHILD_S = 8.0

# An image takes up to 0.4 GB of memory: one at a time in a process, and few on a machine. One more may wait in each process:
# who waits holds a thread, and one maker's uploads would hold them all.
WAIT_S = 2.0
work = threading.BoundedSemaphore(1)
line = threading.BoundedSemaphore(2)  # at work and waiting


class RewrittenImage(NamedTuple):
    """``seconds``: of CPU that it took."""

    body: bytes
    ending: str
    seconds: float


class BadImage(Exception):
    """``code``: a key of CleanImageField's messages; ``seconds``: of CPU that it took to find out."""

    def __init__(self, code: str, seconds: float = 0.0) -> None:
        super().__init__(code)
        self.code = code
        self.seconds = seconds


def busy() -> Busy:
    return Busy("Too many images at once. Try again in a moment.", "images_busy")


# Of half of the cores, since whatever shares a core with a decoder is slower; of no more than four, since each takes memory.
machine = MachineSlots("images", max(1, min(4, (os.cpu_count() or 1) // 2)), WAIT_S, busy)


def rewrite_image(data: bytes, *, side: int, animated: bool = False) -> RewrittenImage:
    """``data`` from its pixels alone, at most ``side`` pixels long, upright, in sRGB. ``animated``: an animation stays one.
    Raises BadImage, or Busy where too many come at once."""
    require_image(data)
    with hold_semaphore(line, timeout=0), hold_semaphore(work, timeout=WAIT_S), machine.hold():
        return rewrite_in_child(orjson.dumps({"side": side, "animated": animated}) + b"\n" + data)


def require_image(data: bytes) -> None:
    """Before a child is started: by the first bytes, as the program looks at them."""
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1") and b"avif" not in data[:64]:
        raise BadImage("heic")
    known = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if not (data.startswith(known) or is_webp or brand in (b"avif", b"avis", b"mif1", b"msf1")):
        raise BadImage("not_an_image")


@contextmanager
def hold_semaphore(semaphore: threading.Semaphore, *, timeout: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=timeout):
        raise busy()
    try:
        yield
    finally:
        semaphore.release()


def rewrite_in_child(message: bytes) -> RewrittenImage:
    """The child has none of our environment, and goes behind whatever else wants a core."""
    command = [sys.executable, "-I", "-X", "utf8", str(PROGRAM)]
    try:
        child = subprocess.run(  # noqa: S603  (our own program)
            command,
            input=message,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=min(CHILD_S, deadline.left()),
            env={},
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise busy() from error
    except OSError as error:
        logger.warning("No child decodes images: %s", error)
        raise busy() from error
    if child.returncode:
        logger.info("A child that decoded an image ended with %d.", child.returncode)
        raise BadImage("not_an_image", MAX_CPU_S)
    head, _, body = child.stdout.partition(b"\n")
    answer = orjson.loads(head)
    if "error" in answer:
        raise BadImage(answer["error"], answer["seconds"])
    return RewrittenImage(body, answer["ending"], answer["seconds"])
