"""Frames are counted as the parser would find them, however they come."""

import random

from makerlog.gate.buckets import Bucket
from makerlog.gate.frames import FrameScanner
from tests.attack.floods.chatter import frame


def stream(pick: random.Random, frames: int) -> bytes:
    sizes = [0, 1, 125, 126, 127, 300, 65_535]
    return b"".join(frame(pick.choice([0x0, 0x1, 0x9, 0xA]), b"x" * pick.choice(sizes)) for _ in range(frames))


def test_frames_are_counted_once_in_whatever_pieces_they_come() -> None:
    pick = random.Random(7)
    for _ in range(50):
        scanner, data, counted = FrameScanner(), stream(pick, 20), 0
        while data:
            size = pick.choice([1, 2, 5, 13, 1_000, 100_000])
            counted += scanner.count(data[:size], 1_000)
            data = data[size:]
        assert counted == 20


def test_a_close_is_seen_behind_other_frames_and_not_within_their_payload() -> None:
    scanner = FrameScanner()
    scanner.count(frame(0x1, b"\x88\x80\0\0\0\0"), 10)
    assert not scanner.saw_close
    scanner.count(frame(0x9) + frame(0x8), 10)
    assert scanner.saw_close


def test_no_more_is_looked_at_than_may_come() -> None:
    assert FrameScanner().count(frame(0xA) * 100_000, 30.5) == 31


def test_a_frame_of_many_exabytes_is_one_frame_that_does_not_end() -> None:
    scanner = FrameScanner()
    assert scanner.count(b"\x82\xff" + b"\xff" * 8 + b"\0\0\0\0" + b"x" * 1_000, 10) == 1
    assert scanner.count(b"\x89\x80\0\0\0\0", 10) == 0


def test_one_bucket_fills_again_and_may_be_in_debt() -> None:
    bucket = Bucket(10, 2)
    bucket.charge(12, 100.0)
    assert (bucket.left(100.0), bucket.left(102.0), bucket.left(1_000.0)) == (-2, 2, 10)
