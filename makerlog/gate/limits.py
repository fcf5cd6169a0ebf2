"""Every number of the front door, on one screen. Each holds per process; sizes in bytes, times in seconds."""

from dataclasses import dataclass, field

KIB = 1024
MIB = 1024 * KIB
LEAST_THREADS = 5  # one for each lane that has its own


@dataclass(frozen=True)
class Lane:
    """A bounded queue in front of some of the threads that run Django."""

    name: str
    threads: int  # its own. Higher lanes borrow them, lower ones never
    waiting: int  # the most; who had us work least of late is let in first, who did most is turned away first
    per_client: int  # of one token, IPv4 address or IPv6 /64, in flight and waiting together
    longest_wait: float = 1.0  # for a thread; then 503. Longer, and the client has given up while we still work for it
    deadline: float = 10.0  # from arrival to answer; then 503
    burst: float = float("inf")  # work begun at once
    begins: float = 0.0  # and what comes back of the burst each second
    share: float = (
        1.0  # of the time of one process, as long as a higher lane is in use: threads take it from each other
    )
    half_life: float = 10.0  # after which a second of work counts for half in its client's demand
    client_part: float = 1.0  # of the time of one process, for one client's dear requests while others ask as well


def lanes(threads: int = 8) -> tuple[Lane, ...]:
    """The lanes, the one that survives longest first. ``threads``: of all together, LEAST_THREADS or more."""
    anonymous = max(1, (threads - 3) // 3)
    return (
        # Staff with a ticket; readiness.
        Lane("ops", threads=1, waiting=16, per_client=16, longest_wait=5.0, deadline=20.0),
        # Staff signing in from a device that they signed in from before. No thread of its own: it takes the next that any
        # lane below has free, and strangers who knock cannot use up what it may begin.
        Lane("known", 0, 8, 2, longest_wait=4.0, deadline=15.0, burst=5, begins=0.5, half_life=600.0),
        # Staff signing in: a hash each, half a core for half a second. A flood of them gets a fifth of a core; who knocked
        # within the last minutes stays behind who did not, else one knock a minute from each of many would do.
        Lane("sign_in", 1, 8, 2, longest_wait=4.0, deadline=15.0, burst=5, begins=0.5, half_life=600.0),
        # Whoever has a genuine token. 24: the calls a page makes at once, over HTTP/2.
        Lane("token", threads=threads - 3 - anonymous, waiting=64, per_client=24, client_part=1 / 8),
        # Makers logging in, registering, choosing a password: as staff, in a queue of their own. What they hash is hashed by
        # a child that gives way to all others (accounts/hashing.py).
        Lane("log_in", 1, 8, 2, longest_wait=3.0, deadline=15.0, burst=10, begins=0.5, half_life=600.0),
        # Everybody else. A sixteenth of what is nearly all computing, on the loop, and as much again of PostgreSQL: of pages
        # of 100, ten a second. What is shared comes on top of that.
        Lane("anonymous", threads=anonymous, waiting=48, per_client=24, share=1 / 16),
    )


@dataclass(frozen=True)
class Limits:
    # Their threads are also the database connections of requests, and so are the fibres: reads under way on the event loop,
    # no more than threads, for each is admitted as a thread's work.
    lanes: tuple[Lane, ...] = field(default_factory=lanes)
    fibres: int = 8
    remembered: int = 20_000  # clients whose demand is known in each lane, the latest

    connections: int = 10_000  # idle ones go when there are more, or when descriptors run short
    connections_per_peer: int = 256  # of one IPv4 address or IPv6 /64; not of trusted proxies
    descriptors_kept: int = 224  # of the process's: for files_at_once, the database, Redis, logs
    head: int = 32 * KIB  # request line and headers together
    headers: int = 100  # of one request: a short one takes forty times its bytes in memory
    pipelined: int = 16  # requests that a connection sends ahead; more are a flood in one packet, and it is cut off
    head_seconds: float = 10.0  # for all of it, from the connection's start or the first byte of the next request
    write_seconds: float = 30.0  # a reader that takes less than 64 KiB of its answer in so long is cut off

    body: int = 1 * MIB
    upload: int = 10 * MIB  # multipart/form-data with a genuine token only
    small_body: int = 64 * KIB  # up to so much, a body is a small one
    small_bodies: int = 32 * MIB  # of these together; then 503
    bodies: int = 48 * MIB  # of larger ones together; then 503
    body_seconds: float = 15.0  # for any body, and on top of that
    body_rate: int = 64 * KIB  # bytes a second of what was announced
    pieces: int = 1_000  # chunks of one body, and
    piece: int = 64  # one more for so many bytes of it; then 400
    linger: float = 1.0  # how long an oversized body is read and thrown away, so that its sender can read the 413
    answer: int = 8 * MIB  # a larger answer of ours is a bug, and becomes a 500
    unread_answers: int = (
        64 * MIB
    )  # of all that wait for slow readers, a half for tokens; then who holds most is cut off
    unread_answers_per_client: int = 16 * MIB  # then 503, until some of it was read
    unwatched: int = 4 * KIB  # of one connection, too little to be counted

    shared: int = 2_000  # answers without a credential at hand for others, those used last
    shared_bytes: int = 32 * MIB  # of them together
    shared_body: int = 1 * MIB  # of one; a larger one is made for each
    shared_unit: int = 16 * KIB  # of what is at hand: one of shared_reads each
    # A second, as long as a lane with a token is in use: to send takes the loop's time, which is everybody's. Then 503.
    shared_flow: int = 16 * MIB
    shared_wait: float = 10.0  # for an answer that is being made for somebody else; then 503
    shared_reads: int = 1_500  # of what is at hand, by one client at once; then 429
    shared_reads_back: float = 25.0  # of them come back each second

    strikes: int = 120  # answers of 401, 403 and 404 that a client without a genuine token may have at once; then 429
    strikes_back: float = 1.0  # of them come back each second
    # Requests of one maker's tokens that no limit of the API was charged for: what no view answers, or the door refuses.
    uncharged: int = 600  # at once; then 429
    uncharged_back: float = 10.0  # of them come back each second
    spared: int = 20  # requests that a banned client may still make where staff sign in
    spared_back: float = 1 / 60  # of them come back each second
    spared_files: int = 60  # files of those pages, which a page has fifteen of; and as many preflights of browsers
    spared_files_back: float = 1.0  # of them come back each second
    struck_clients: int = 20_000  # of each kind are remembered, those struck last: some 5 MB

    files_at_once: int = 128  # each holds a file descriptor while its reader dawdles
    files_of_anybody: int = 96  # of them without a genuine token, but for what the pages of staff are made of
    files_per_client: int = 64  # of one token, IPv4 address or IPv6 /64
    file_is_slow_after: float = 10.0  # then it makes way, where there is no place for another
    file_unit: int = 16 * KIB  # of what was sent: one of file_reads each, and one at least
    file_reads: int = 8_000  # by one client at once; then 429
    file_reads_back: float = 250.0  # of them come back each second
    file_seconds: float = 120.0  # for one file: 10 MiB at 85 KiB/s
    file_threads: int = 8  # read from disk, for microseconds each; never wait for a reader

    # WebSockets, at most three quarters of the connections that descriptors allow. Half of them are for tokens: of the others
    # the one that is open longest makes room for the next.
    sockets: int = 2_500
    sockets_per_client: int = 20  # of one token; without one, of an IPv4 address or IPv6 /64 (a site: see networks.py)
    sockets_per_maker: int = 50
    connects: int = 40  # of one client at once; then 4429
    connects_back: float = 1.0  # of them come back each second
    connecting_clients: int = 20_000  # are remembered, those that came last
    # To shake hands takes the loop a millisecond, and who leaves at once comes again. Of all sockets without a token so many
    # may have lasted for less than `brief_seconds`; then, as long as a lane with a token is in use, 503 before the handshake.
    brief: int = 50
    brief_back: float = 25.0  # of them come back each second
    brief_debt: int = 250  # at most
    brief_seconds: float = 10.0
    message: int = 4 * KIB  # from a client
    messages: int = 30  # frames of every kind from one socket at once, counted before they are parsed; then 4429
    messages_back: float = 2.0  # of them come back each second
    received: int = 32 * KIB  # bytes from one socket at once, and so what is parsed in a turn of the loop; then 4429
    received_back: float = 4.0 * KIB  # of them come back each second
    least_received: int = 64  # that a piece counts for, however short it is: each takes a turn of the loop
    unread: int = 256 * KIB  # that one socket has not taken yet; then it is cut off
    unread_in_all: int = 64 * MIB  # when that is passed, an eighth of it is too much for one
    close_seconds: float = 2.0  # for the answer to our close
    idle_stop_seconds: float = (
        2.0  # a server that stops keeps a proxy's idle connections for so long: a request may be on its way
    )
    socket_stop_seconds: float = 5.0  # over which a server that stops closes its sockets: not all come back at once

    hang_ups_told: float = 60.0  # between two lines that say how many clients hung up

    stop_seconds: float = 5.0  # for threads still busy when the server has already waited for their requests
