"""What was measured, held against its goal; the table, and the file that keeps it."""

import json
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.chart import drawn
from tests.benchmarks.size import SIZE

FOLDER = Path(__file__).with_name("results")
PACKAGES = (
    "Django djangorestframework psycopg2-binary orjson uvicorn uvloop gunicorn redis fastapi pydantic asyncpg"
).split()
COLUMNS = "{:<42} {:<32} {:>10} {:>9} {:>9}  {}"


@dataclass(frozen=True)
class Row:
    """One line: ``work`` against ``against``. ``goal`` is the least, or the most where ``at_most``; None: there is none.

    ``by_cpu`` and ``measured`` (on the clock, where it is about time) are ratios, or amounts of ``unit``. What else the
    machine does disturbs the first least.
    """

    work: str
    against: str
    goal: float | None = None
    by_cpu: float | None = None
    measured: float | None = None
    at_most: bool = False
    unit: str = "x"
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def shares(self) -> list[tuple[str, float]]:
        """How much of the goal is reached, 1 for all of it, by each figure that there is."""
        if self.goal is None:
            return []
        found = [
            (how, value) for how, value in (("CPU", self.by_cpu), ("measured", self.measured)) if value is not None
        ]
        return [(how, self.goal / value if self.at_most else value / self.goal) for how, value in found]

    @property
    def verdict(self) -> str:
        met = [how for how, share in self.shares if share >= 1]
        if not self.shares:
            return "told"
        return "met" if len(met) == len(self.shares) else f"met by {met[0]} alone" if met else "not met"

    @property
    def line(self) -> str:
        goal = "" if self.goal is None else f"{'<=' if self.at_most else '>='} {self.goal:g}{self.unit}"
        values = (self.by_cpu, self.measured)
        figures = ["" if value is None else f"{value:,.{0 if value >= 1_000 else 2}f}{self.unit}" for value in values]
        return COLUMNS.format(self.work, self.against, goal, *figures, self.verdict)


class Board:
    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.machine: dict[str, Any] = {}

    def add(self, row: Row) -> None:
        self.rows.append(row)

    def table(self) -> list[str]:
        head = COLUMNS.format("work", "against", "goal", "by CPU", "measured", "")
        return [head, *(row.line for row in self.rows), "", *self.rates()]

    def rates(self) -> list[str]:
        """Requests a second behind the ratios, each once."""
        lines = (
            f"{row.work}, {name}: {told['by_cpu']:.0f} requests a second of CPU, {told['by_wall']:.0f} on the clock"
            for row in self.rows
            for name, told in row.details.items()
            if isinstance(told, dict) and "rounds" in told
        )
        return [*dict.fromkeys(lines)]

    def keep(self) -> Path:
        """Writes the JSON and the chart beside it."""
        FOLDER.mkdir(exist_ok=True)
        path = FOLDER / f"{datetime.now(UTC):%Y-%m-%dT%H%M}-{SIZE.name}.json"
        rows = [{**asdict(row), "verdict": row.verdict} for row in self.rows]
        told = {"size": asdict(SIZE), "machine": machine() | self.machine, "rows": rows}
        path.write_text(json.dumps(told, indent=1) + "\n")
        path.with_suffix(".svg").write_text(drawn([(f"{row.work} / {row.against}", row.shares) for row in self.rows]))
        return path


def machine() -> dict[str, Any]:
    """What the figures depend on, and nothing that tells whose machine it is."""
    return {
        "cores": psutil.cpu_count(),
        "processor": processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def processor() -> str:
    """Linux tells its name here; elsewhere Python knows."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


BOARD = Board()
