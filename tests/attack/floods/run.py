"""One run of `make attack`: the service, how long everything takes, and what the scenarios share."""

import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.attack.floods import prober
from tests.attack.floods.bounds import Probes, Row, judge, ms
from tests.attack.floods.dawdler import Plan as DawdlerPlan
from tests.attack.floods.flood import Flooded, Plan
from tests.attack.floods.service import Service, Sessions, Tool, flooded, probed

TIMES_STOCK = 6.0  # as many lists as a stock service answers on this machine: what a flood offers a second
RAMP_S = 1.0  # from the start of a flood to the first probe
RESTS_S = 0.5
WARM_UP_S = 2.0
PROXIES = [f"127.0.0.{n}" for n in range(1, 8)]
BODY = '{"content": "Kept going under attack {word}", "done": true}'


@dataclass(frozen=True)
class Length:
    """Seconds of each part."""

    flood: float
    unloaded: float
    kill: float
    growth_from: float
    growth_to: float
    saturated: float


FULL = Length(flood=10, unloaded=10, kill=20, growth_from=60, growth_to=300, saturated=5)
QUICK = Length(flood=2.5, unloaded=4, kill=9, growth_from=5, growth_to=10, saturated=2)


@dataclass
class Run:
    service: Service
    sessions: Sessions
    quick: bool = False
    rate: float = 0.0  # requests a second that a flood offers, where nothing else is said
    unloaded_p50s: list[float] = field(default_factory=list)
    first: Probes | None = None
    blocks: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def length(self) -> Length:
        return QUICK if self.quick else FULL

    def addresses(self, number: int) -> list[str]:
        """So many ordinary addresses that the service has not seen in this run."""
        block = next(self.blocks)
        return [f"45.{block}.{n}.{n}" for n in range(1, number + 1)]

    # --- Who is attacked ---

    def probe(self, seconds: float, *, sign_ins: list[float] | None = None) -> Tool:
        service = self.service
        paths = {"list": "/tasks/", "detail": f"/tasks/{service.world.tasks[0]}/", "post": "/tasks/"}
        plan = prober.Plan(
            port=service.port,
            seconds=seconds,
            tokens=service.world.holders,
            paths=paths,
            body=BODY,
            sign_ins=[seconds * 0.1] if sign_ins is None else sign_ins,
            admin="admin",
            password=service.password,
        )
        return Tool("prober", plan)

    def unloaded(self) -> Probes:
        """An ordinary day. Asked anew for each row: on a noisy machine no two are alike, nor are two minutes of one."""
        with self.probe(self.length.unloaded, sign_ins=[]) as tool:
            probes = probed(tool)
        self.unloaded_p50s.append(probes.holders.p50)
        return probes

    def warm_up(self) -> None:
        """What the first requests of a process cost is nobody's ordinary day."""
        with self.probe(WARM_UP_S) as tool:
            probed(tool)

    def unloaded_lately(self) -> Probes:
        """The same; in a quick run the first one's, again."""
        if self.first is None or not self.quick:
            self.first = self.unloaded()
        return self.first

    def spread(self) -> str:
        """Of the unloaded p50, for whoever wonders whether the machine was quiet."""
        return (
            f"{ms(min(self.unloaded_p50s))} to {ms(max(self.unloaded_p50s))}" if self.unloaded_p50s else "not measured"
        )

    # --- Who attacks ---

    def plan(self, target: str, paths: list[str], *, seconds: float, addresses: list[str], **more: Any) -> Plan:
        given = {"port": self.service.port, "connections": 64, "rate": self.rate, "sources": PROXIES, **more}
        return Plan(target=target, paths=paths, seconds=seconds, addresses=addresses, **given)

    def dawdle(self, kinds: dict[str, int], seconds: float, large: list[str]) -> Tool:
        plan = DawdlerPlan(self.service.port, seconds, kinds, self.service.world.attacker, large)
        return Tool("dawdler", plan)

    def under(self, plan: Plan) -> tuple[Flooded, Probes]:
        """What became of a flood, and of everybody else meanwhile."""
        with Tool("flood", plan) as attack:
            time.sleep(RAMP_S)
            with self.probe(plan.seconds - RAMP_S) as tool:
                probes = probed(tool)
            told = flooded(attack)
        time.sleep(RESTS_S)
        return told, probes

    def flood_row(self, name: str, plan: Plan, unloaded: Probes) -> Row:
        told, probes = self.under(plan)
        return Row(name, figures(told, plan), judge(probes, unloaded))


def figures(told: Flooded, plan: Plan) -> str:
    share = told.processor / told.seconds
    return f"{told} (attacker: {share:.0%} of a core)"
