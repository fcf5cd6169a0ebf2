"""Every number of the front door, on one screen. Each holds per process."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    threads: int = 8  # run Django; also the most database connections of web requests
    waiting_per_thread: int = 8  # more waiting than this could not be served within longest_wait anyway
    longest_wait: float = 1.0  # for a thread; then 503. Longer, and the client has given up while we still work for it

    body: int = 1 * MIB
    upload: int = 10 * MIB  # multipart/form-data only
    linger: float = 1.0  # how long an oversized body is read and thrown away, so that its sender can read the 413
    answer: int = 8 * MIB  # a larger answer of ours is a bug, and becomes a 500

    strikes: int = 120  # answers of 401, 403 and 404 that a client without a genuine token may have at once; then 429
    strikes_back: float = 1.0  # of them come back each second
    struck_clients: int = 20_000  # are remembered, those struck last: some 5 MB

    files_at_once: int = 128  # each holds a file descriptor while its reader dawdles
    file_seconds: float = 120.0  # for one file: 10 MiB at 85 KiB/s
    file_threads: int = 8  # read from disk, for microseconds each; never wait for a reader

    stop_seconds: float = 5.0  # for threads still busy when the server has already waited for their requests

    @property
    def waiting(self) -> int:
        return self.threads * self.waiting_per_thread
