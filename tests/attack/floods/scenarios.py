"""The floods, by name. Each yields the rows of the table that are its own."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache

from tests.attack.floods import prober, service
from tests.attack.floods.bounds import (
    BANNED_P50_TIMES,
    EVENT_S,
    GOODPUT,
    GOODPUT_BACK_S,
    GROWTH,
    LATE_S,
    MEMORY_BYTES,
    MIB,
    NEW_TOKEN_S,
    OPEN_SOCKETS,
    OUTAGE_HEALTH_S,
    OUTAGE_TIMES,
    REFUSED_TIMES,
    SOCKETS_CLOSED_S,
    Check,
    Probes,
    Row,
    judge,
    judge_health,
    judge_holders,
    ms,
)
from tests.attack.floods.chatter import FRAMES
from tests.attack.floods.chatter import Plan as ChatterPlan
from tests.attack.floods.control import service as control
from tests.attack.floods.heavy import Heavy
from tests.attack.floods.listeners import Heard
from tests.attack.floods.listeners import Plan as ListenerPlan
from tests.attack.floods.run import BODY, PROXIES, RAMP_S, RESTS_S, Run, figures
from tests.attack.floods.service import DESCRIPTORS, Tool, answers, flooded, probed
from tests.attack.floods.targets import ADMIN, COSTLY, DETAILS, FILTERS, LISTS, LOG_IN, LONG_TEXTS, SOCKETS, VAIN

Scenario = Callable[[Run], Iterator[Row]]

OPEN_S = 60.0  # how long the sockets are listened to at most
STREAM = "/explore/stream/"
BANNED = 4403
OF_A_SITE = 100  # sockets of one /24, of the 160 that it may have in a process
LARGE = "/tasks/?limit=100"
LARGE_FILE_BYTES = 12 * MIB
SHAPES = [
    (connections, addresses, keep_alive)
    for connections in (64, 512)
    for addresses in (1, 200)
    for keep_alive in (True, False)
]
QUICK_SHAPES = [(64, 1, True), (512, 200, False)]


def paths(run: Run, target: str) -> list[str]:
    world = run.service.world
    return {
        LISTS: [LARGE, "/users/?limit=100", "/products/?limit=100", "/discussions/?limit=100"],
        FILTERS: [
            *(f"/tasks/?username={maker}&done=true&limit=100" for maker in world.makers[:20]),
            "/tasks/?search=ship&limit=100",
            "/tasks/?done=false&search=zzz",
        ],
        DETAILS: [
            *(f"/tasks/{task}/" for task in world.tasks),
            *(f"/products/{slug}/" for slug in world.products),
            *(f"/users/{maker}/" for maker in world.makers),
            *(f"/discussions/{slug}/" for slug in world.discussions),
        ],
        LOG_IN: ["/api-token-auth/"],
        ADMIN: ["/admin/login/"],
        SOCKETS: [STREAM, f"/discussions/{world.discussions[0]}/"],
    }[target]


def flood_of(target: str) -> Scenario:
    """A target under 64 and 512 connections, from one address and from 200, with keep-alive and without."""

    def scenario(run: Run) -> Iterator[Row]:
        for connections, addresses, keep_alive in QUICK_SHAPES if run.quick else SHAPES:
            if target == SOCKETS and keep_alive:
                continue  # the flood is of connects: a socket that stays open asks for nothing more
            name = f"{target} {connections}x{addresses} {'kept' if keep_alive else 'new'}"
            plan = run.plan(
                target,
                paths(run, target),
                seconds=RAMP_S + run.length.flood,
                addresses=run.addresses(addresses),
                connections=connections,
                keep_alive=keep_alive,
                username="admin" if target == ADMIN else run.service.world.makers[0],
            )
            yield run.flood_row(name, plan, run.unloaded_lately())

    return scenario


REPLIES_PER_S = 25
LONG_TEXTS_S = 5.0  # the rules look every two


def long_texts(run: Run) -> Iterator[Row]:
    """One token posts the longest replies there are, of one letter: what the rules against spam read of each. It is within
    its limits for as long as the flood lasts; what a rule's pattern needs the square of stops every process."""
    world = run.service.world
    replies = [f"/discussions/{slug}/replies/" for slug in world.discussions[:20]]
    seconds = RAMP_S + max(run.length.flood, LONG_TEXTS_S)
    plan = run.plan(
        LONG_TEXTS, replies, seconds=seconds, addresses=run.addresses(1), rate=REPLIES_PER_S, token=world.attacker
    )
    told, probes = run.under(plan)
    posted = Check(f"{told.of(201)} replies of 20,000 letters posted", told.of(201) >= REPLIES_PER_S)
    yield Row(LONG_TEXTS, figures(told, plan), [posted, *judge(probes, run.unloaded_lately())])


COSTLY_CONNECTIONS = 24
ONE_TOKEN_S = 6.0


def costly(run: Run) -> Iterator[Row]:
    """24 connections of one token, as fast as they are answered: searches and pages of 2,000 long discussions, and batches
    that name ten new projects in each of fifty tasks."""
    heavy(run)
    asked = [
        "GET /discussions/?search=zzzz&limit=100",
        f"GET /discussions/?search={'eq' * 50}&limit=100",
        "GET /discussions/?limit=100",
        "GET /tasks/?search=zzzz&limit=100",
        "POST /tasks/batch/",
    ]
    yield one_token(run, COSTLY, [f"{each} {run.service.world.attacker}" for each in asked], COSTLY_CONNECTIONS, 0.0)


def vain(run: Run) -> Iterator[Row]:
    """What genuine tokens ask in vain."""
    tokens, attacker = heavy(run), run.service.world.attacker
    asked = [
        f"OPTIONS /tasks/ {attacker}",
        f"GET /nowhere/ {attacker}",
        f"GET /me/ {tokens.scoped}",
        f"GET /tasks/ {tokens.suspended}",
        f"GET /health/ready/ {attacker}",
        f"GET /static/nothing.css {attacker}",
        f"PUT /tasks/ {attacker}",
    ]
    yield one_token(run, VAIN, asked, 64, VAIN_PER_S)


VAIN_PER_S = 1_400  # as many as were free
MOST_OF_ONE_TOKEN = 4_000  # its burst


def one_token(run: Run, target: str, asked: list[str], connections: int, rate: float) -> Row:
    seconds = RAMP_S + max(run.length.flood, ONE_TOKEN_S)
    unloaded = run.unloaded()
    plan = run.plan(target, asked, seconds=seconds, addresses=run.addresses(1), connections=connections, rate=rate)
    told, probes = run.under(plan)
    answered = told.answered - told.of(429, 503)
    bounded = Check(
        f"{answered} of {told.offered} not turned away (<= {MOST_OF_ONE_TOKEN})", answered <= MOST_OF_ONE_TOKEN
    )
    return Row(target, figures(told, plan), [bounded, *judge(probes, unloaded)])


@cache
def heavy_of(served: service.Service) -> Heavy:
    return Heavy(**json.loads(served.run("-m", "tests.attack.floods.heavy")))


def heavy(run: Run) -> Heavy:
    return heavy_of(run.service)


def kill(run: Run) -> Iterator[Row]:
    """All workers are killed while lists are flooded."""
    whole = run.length.kill
    plan = run.plan(LISTS, paths(run, LISTS), seconds=RAMP_S + whole + 1, addresses=run.addresses(200), connections=512)
    with Tool("flood", plan) as attack:
        time.sleep(RAMP_S)
        with run.probe(whole, sign_ins=[]) as tool:
            time.sleep(2)
            killed = time.monotonic()
            run.service.workers.kill()
            seconds = seconds_to_new_token(run)
            probes = probed(tool)
        told = flooded(attack)
    at = killed - probes.began
    after = probes.holders.between(at + GOODPUT_BACK_S, whole)
    checks = [
        Check(f"a new token after {seconds:.1f} s (<= {NEW_TOKEN_S:.0f} s)", seconds <= NEW_TOKEN_S),
        Check(f"goodput from {GOODPUT_BACK_S:.0f} s on {after.goodput:.1%}", after.goodput > GOODPUT),
    ]
    lost = probes.holders.between(at - 1, at + GOODPUT_BACK_S).failures()
    yield Row("kill", f"{figures(told, plan)}; lost around the kill: {lost}", checks)
    time.sleep(RESTS_S)


def seconds_to_new_token(run: Run) -> float:
    """From now until somebody whom no living worker has seen is answered. Each try is somebody else's first."""
    began = time.monotonic()
    token = run.service.world.fresh.pop()
    while time.monotonic() - began < 30:
        if answers(run.service.port, "/tasks/?limit=1", token, seconds=1.0) == 200:
            return time.monotonic() - began
        time.sleep(0.05)
    return float("inf")


def growth(run: Run) -> Iterator[Row]:
    """Whether a flood leaves something behind in the workers."""
    start, end = run.length.growth_from, run.length.growth_to
    unloaded = run.unloaded()
    everything = [*paths(run, LISTS), *paths(run, FILTERS), *paths(run, DETAILS)]
    plan = run.plan(LISTS, everything, seconds=end + 2, addresses=run.addresses(200), connections=512)
    with Tool("flood", plan) as attack:
        time.sleep(RAMP_S)
        with run.probe(end - RAMP_S) as tool:
            time.sleep(start - RAMP_S)
            first = measured(run)
            time.sleep(end - start - 2 * MEASURED_S)
            last = measured(run)
            probes = probed(tool)
        told = flooded(attack)
    grown = [(after / before - 1) for before, after in zip(first, last, strict=True)]
    memory = f"memory {first[0] / MIB:.0f} -> {last[0] / MIB:.0f} MiB ({grown[0]:+.1%})"
    threads = f"threads {first[1]:.0f} -> {last[1]:.0f}"
    checks = [Check(memory, grown[0] <= GROWTH), Check(threads, grown[1] <= GROWTH)]
    name = f"growth from {start:.0f} s to {end:.0f} s"
    yield Row(name, figures(told, plan), [*checks, *judge(probes, unloaded)])
    time.sleep(RESTS_S)


MEASURED_S = 1.0


def measured(run: Run) -> tuple[float, float]:
    """Memory in bytes and threads of the workers together, over a second."""
    memory, threads = [], []
    for _ in range(10):
        memory.append(run.service.workers.memory())
        threads.append(run.service.workers.threads())
        time.sleep(MEASURED_S / 10)
    return sum(memory) / len(memory), sum(threads) / len(threads)


def banned(run: Run) -> Iterator[Row]:
    """A flood from 200 addresses of a banned range: what a refusal costs, and what it costs the others."""
    addresses = run.addresses(200)
    network = re.sub(r"\.\d+\.\d+$", ".0.0/16", addresses[0])
    run.service.run("manage.py", "ban", network, "--reason", "attack")
    time.sleep(1)
    flat_out = run.plan(LISTS, [LARGE], seconds=run.length.saturated, addresses=addresses, rate=0)
    with Tool("flood", flat_out) as attack:
        refused = flooded(attack)
    stock = served_by_stock(run)
    times = refused.rate(refused.of(403)) / max(stock, 0.001)
    told = f"refused {refused.rate(refused.of(403)):.0f}/s, a stock list served {stock:.0f}/s: {times:.0f}x"
    slipped = refused.answered - refused.of(403)
    checks = [
        Check(f"{told} (>= {REFUSED_TIMES}x)", times >= REFUSED_TIMES),
        Check(f"{slipped} not refused", not slipped),
    ]
    yield Row("banned, flat out", figures(refused, flat_out), checks)
    unloaded = run.unloaded()
    plan = replace(flat_out, seconds=RAMP_S + run.length.flood, rate=run.rate)
    attacked, probes = run.under(plan)
    checks = [*judge_holders(probes.holders, unloaded.holders, BANNED_P50_TIMES), *judge_health(probes)]
    yield Row("banned, stated rate", figures(attacked, plan), checks)


def served_by_stock(run: Run) -> float:
    """Lists a second of plain DRF, alone on the machine: eight connections, for with more it only gets slower."""
    with control.serving(run.service.data_dir) as app:
        plan = run.plan(LISTS, ["/paged/"], seconds=run.length.saturated, addresses=["93.184.216.99"], rate=0)
        plan = replace(plan, port=app.port, connections=8)
        with Tool("flood", plan) as attack:
            told = flooded(attack)
    return told.rate(told.of(200))


DAWDLERS = {
    "silent": 2 * DESCRIPTORS,
    "half-heads": 200,
    "uploads": 200,
    "chunked": 64,
    "slow readers": 64,
    "unread answers": 240,
    "unread files": 300,
    "tiny chunks": 64,
}


def dawdlers(*kinds: str) -> Scenario:
    """Whoever sits on sockets and bodies, some kinds at once."""

    def scenario(run: Run) -> Iterator[Row]:
        unloaded = run.unloaded()
        before = run.service.workers.memory()
        seconds = RAMP_S + max(run.length.flood, 5 if run.quick else 20)
        with run.dawdle({kind: DAWDLERS[kind] for kind in kinds}, seconds + 1, large_answers(run)) as attack:
            time.sleep(RAMP_S)
            with run.probe(seconds - RAMP_S) as tool, FilesMeanwhile(run) as files:
                most = most_memory(run, tool)
                probes = probed(tool)
            told = attack.result()
        grown = most - before
        memory = Check(f"memory +{grown / MIB:.0f} MiB (< {MEMORY_BYTES / MIB:.0f})", grown < MEMORY_BYTES)
        name = kinds[0] if len(kinds) == 1 else "all of these"
        what = "; ".join(f"{kind}: {', '.join(f'{n} {w}' for w, n in counts.items())}" for kind, counts in told.items())
        yield Row(name, what, [memory, *files.checks(), *judge(probes, unloaded)])
        time.sleep(RESTS_S)

    return scenario


class FilesMeanwhile(threading.Thread):
    """Asks for files all the while: one that pages show, with a token; and a style of the admin's, without one, for the
    cookie of staff is not sent there."""

    def __init__(self, run: Run) -> None:
        super().__init__(daemon=True)
        self.run_ = run
        self.over = threading.Event()
        self.statuses: dict[str, list[int]] = {"files with a token": [], "styles of the admin": []}

    def run(self) -> None:
        port, token = self.run_.service.port, self.run_.service.world.holders[0]
        path = "/static/admin/css/base.css"
        while not self.over.wait(0.05):
            self.statuses["files with a token"].append(answers(port, path, token))
            self.statuses["styles of the admin"].append(answers(port, path))

    def checks(self) -> list[Check]:
        return [
            Check(f"{statuses.count(200)} of {len(statuses)} {what}", set(statuses) == {200})
            for what, statuses in self.statuses.items()
        ]

    def __enter__(self) -> "FilesMeanwhile":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.join(10)


def most_memory(run: Run, tool: Tool) -> int:
    most = 0
    while tool.process.poll() is None:
        most = max(most, run.service.workers.memory())
        time.sleep(0.1)
    return most


def large_answers(run: Run) -> list[str]:
    """A page of 100, and a file that no system takes whole for whoever does not read it."""
    upload = run.service.data_dir / "media" / "flood.bin"
    upload.parent.mkdir(exist_ok=True)
    upload.write_bytes(bytes(LARGE_FILE_BYTES))
    return [LARGE, f"/media/{upload.name}"]


def the_2019_way(run: Run) -> Iterator[Row]:
    """The control: what is measured above can fail. 64 connections on an unpaginated list."""
    with control.serving(run.service.data_dir) as app:
        plan = prober.Plan(
            port=app.port,
            seconds=run.length.unloaded,
            tokens=app.tokens,
            paths={"list": "/paged/", "detail": "/tasks/1/", "post": "/tasks/"},
            body=BODY,
            sign_ins=[0.1],
            admin="admin",
            password=app.password,
        )
        with Tool("prober", plan) as tool:
            unloaded = probed(tool)
        attack = run.plan(LISTS, ["/tasks/"], seconds=RAMP_S + run.length.flood, addresses=run.addresses(1))
        attack = replace(attack, port=app.port)
        with Tool("flood", attack) as flooding:
            time.sleep(RAMP_S)
            with Tool("prober", replace(plan, seconds=run.length.flood)) as tool:
                probes = probed(tool)
            told = flooded(flooding)
    yield Row(
        "control: 2019, 64x1",
        f"{figures(told, attack)}; unloaded p50 {ms(unloaded.holders.p50)}",
        outage(probes, unloaded),
    )


def outage(probes: Probes, unloaded: Probes) -> list[Check]:
    p50, least = probes.holders.p50, min(unloaded.holders.p50 * OUTAGE_TIMES, LATE_S)  # later is not told apart
    health = probes.of("health").p99
    missed = [f"misses {check.told}" for check in judge(probes, unloaded) if not check.met]
    return [
        Check(f"p50 {ms(p50)} (an outage: >= {ms(least)})", p50 >= least),
        Check(f"health p99 {ms(health)} (an outage: >= {ms(OUTAGE_HEALTH_S)})", health >= OUTAGE_HEALTH_S),
        *(Check(told, True) for told in missed),
    ]


def open_sockets(run: Run) -> Iterator[Row]:
    """Thousands of WebSockets, and a ban of some. With descriptors for them: a worker keeps 600 where there are 1024."""
    count, of_banned = OPEN_SOCKETS
    hit = [f"45.250.{n // OF_A_SITE}.{n % 50 + 1}" for n in range(of_banned)]
    spared = [f"45.250.{8 + n // OF_A_SITE}.{n % 50 + 1}" for n in range(count - of_banned)]
    with ExitStack() as stack:
        served = stack.enter_context(service.serving(descriptors=4 * DESCRIPTORS))
        plan = ListenerPlan(served.port, OPEN_S, STREAM, [*hit, *spared], PROXIES)
        tool = stack.enter_context(Tool("listeners", plan))
        opened = tool.line() == "open"
        first = post(served, "mark-1")
        time.sleep(EVENT_S + RESTS_S)
        served.run("manage.py", "ban", "45.250.0.0/21")
        banned_at = moment_of_ban(served)
        time.sleep(SOCKETS_CLOSED_S + RESTS_S)
        second = post(served, "mark-2")
        time.sleep(EVENT_S + RESTS_S)
        tool.enough()
        heard = [Heard(**each) for each in tool.result()]
    yield Row(
        "open sockets",
        f"{count} sockets, {of_banned} of them of a banned /21",
        [
            Check(f"{sum(each.opened for each in heard)} opened", opened and all(each.opened for each in heard)),
            reached("a task", heard, "mark-1", first),
            *closed(heard[:of_banned], heard[of_banned:], banned_at),
            reached("after the ban, a task", heard[of_banned:], "mark-2", second),
        ],
    )


CHATTERERS = ((1, ("pongs",)), (12, ("pongs",)), (12, tuple(FRAMES)))  # sockets, and what they write in turn
TALK_S = 8.0


def chatter(run: Run) -> Iterator[Row]:
    """WebSockets without a token that write frames as fast as they are taken, from one address."""
    for sockets, kinds in CHATTERERS[1:] if run.quick else CHATTERERS:
        unloaded = run.unloaded_lately()
        seconds = RAMP_S + (run.length.flood if run.quick else TALK_S)
        plan = ChatterPlan(run.service.port, seconds, STREAM, sockets, list(kinds), run.addresses(1), PROXIES)
        with Tool("chatter", plan) as attack:
            time.sleep(RAMP_S)
            with run.probe(seconds - RAMP_S) as tool:
                probes = probed(tool)
            told = attack.result()
        ends = ", ".join(f"{count} {end}" for end, count in told["ends"].items())
        tracebacks = run.service.output().count("Traceback")
        checks = [*judge(probes, unloaded), Check(f"{tracebacks} tracebacks in the log", not tracebacks)]
        name = f"chatter {sockets} x {kinds[0] if len(kinds) == 1 else 'all kinds'}"
        yield Row(name, f"{told['bytes'] / MIB:.0f} MiB of frames taken; {ends}", checks)
        time.sleep(RESTS_S)


def reached(what: str, heard: list[Heard], mark: str, sent: float) -> Check:
    """Whether what was posted at ``sent`` came to all of them in time."""
    late = max((each.marks.get(mark, float("inf")) - sent for each in heard), default=float("inf"))
    there = sum(mark in each.marks for each in heard)
    return Check(
        f"{what} reached {there} of {len(heard)}, the last after {late:.2f} s (< {EVENT_S:.0f} s)", late < EVENT_S
    )


def closed(hit: list[Heard], spared: list[Heard], banned_at: float) -> list[Check]:
    """Exactly the banned ones, in time, and with the code that says why."""
    ends = [each.closed_at - banned_at if each.code == BANNED and each.closed_at else float("inf") for each in hit]
    lost = sum(each.closed_at is not None for each in spared)
    timely = sum(end <= SOCKETS_CLOSED_S for end in ends)
    told = f"{timely} of {len(hit)} banned closed with {BANNED}, the last after {max(ends):.2f} s"
    return [
        Check(f"{told} (<= {SOCKETS_CLOSED_S:.0f} s)", max(ends) <= SOCKETS_CLOSED_S),
        Check(f"{lost} of {len(spared)} neighbours behind the same proxies closed", not lost),
    ]


def post(served: service.Service, content: str) -> float:
    """When it was asked for."""
    began = time.monotonic()
    status = service.posts(served.port, "/tasks/", {"content": content, "done": True}, served.world.holders[0])
    if status != 201:
        raise service.AttackError(f"A task could not be posted: {status}.")
    return began


def moment_of_ban(served: service.Service) -> float:
    """Of the latest, on the monotonic clock."""
    made = served.query("SELECT extract(epoch FROM max(created_at)) FROM moderation_ban")
    return time.monotonic() - (time.time() - float(made))


def connections(run: Run) -> Row:
    """Asked all through the run, whatever it was."""
    most, published = run.sessions.most, run.service.world.connections
    told = f"{most} database connections at most (<= {published}), asked {run.sessions.asked} times"
    return Row("database", "", [Check(told, most <= published and run.sessions.asked > 0)])


SCENARIOS: dict[str, Scenario] = {
    **{target: flood_of(target) for target in (LISTS, FILTERS, DETAILS, LOG_IN, ADMIN, SOCKETS)},
    LONG_TEXTS.replace(" ", "-"): long_texts,
    COSTLY: costly,
    VAIN: vain,
    "banned": banned,
    **{kind.replace(" ", "-"): dawdlers(kind) for kind in DAWDLERS},
    "dawdlers": dawdlers(*DAWDLERS),
    "kill": kill,
    "open-sockets": open_sockets,
    "chatter": chatter,
    "growth": growth,
    "control": the_2019_way,
}
NOT_IN_QUICK = {kind.replace(" ", "-") for kind in DAWDLERS}  # all of them at once are
