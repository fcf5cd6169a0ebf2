"""What a process keeps of memory that it needed for a moment."""

import platform

import psutil
import pytest

from deploy.glibc import give_back

MIB = 2**20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no other malloc is told anything")
def test_pages_between_what_is_kept_go_back_to_the_system() -> None:
    process = psutil.Process()
    blocks = [bytes(4_000) for _ in range(16_000)]
    kept = blocks[::100]
    del blocks
    before = process.memory_info().rss
    give_back()
    assert before - process.memory_info().rss > 40 * MIB
    assert len(kept) == 160
