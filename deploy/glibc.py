"""What glibc's malloc is told, so that a process is hardly larger than what it keeps. On other systems nothing is."""

import contextlib
import ctypes

C = ctypes.CDLL(None)
M_ARENA_MAX, ARENAS = -8, 2


def share_arenas() -> None:
    """glibc gives each thread an arena of its own, and what lies free in one serves no other. Threads that take turns at
    Python need no more than these: a worker of eight is 2 MiB smaller, and grows less."""
    with contextlib.suppress(AttributeError):
        C.mallopt(M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Pages that lie free go back to the system, wherever they are: by itself malloc gives back those at the end alone. Takes
    some tenths of a millisecond, after a hundred thousand requests as after a thousand."""
    with contextlib.suppress(AttributeError):
        C.malloc_trim(0)
