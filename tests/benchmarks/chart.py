"""A chart of shares of goals, as a small SVG."""

from collections.abc import Sequence
from html import escape
from math import log2

LABEL, WIDTH, BAR, GAP = 560, 960, 9, 14
LEAST, MOST = 1 / 16, 4.0  # the ends of the scale, which is logarithmic
COLOURS = {True: "#2e7d32", False: "#c62828"}


def at(share: float) -> float:
    """Where a share of a goal lies."""
    inside = min(max(share, LEAST), MOST)
    return LABEL + (WIDTH - LABEL - 60) * log2(inside / LEAST) / log2(MOST / LEAST)


def drawn(rows: Sequence[tuple[str, Sequence[tuple[str, float]]]]) -> str:
    """A bar for each figure of each row that has a goal; the line is the goal itself."""
    parts, y = [], 34
    for label, shares in rows:
        if shares:
            parts.append(f'<text x="{LABEL - 10}" y="{y + BAR}" text-anchor="end">{escape(label)}</text>')
        for how, share in shares:
            parts.append(bar(y, how, share))
            y += BAR + 3
        y += GAP if shares else 0
    goal = at(1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="12">'
        f'<rect width="{WIDTH}" height="{y}" fill="white"/>'
        f'<text x="{goal:.0f}" y="18" text-anchor="middle">goal</text>'
        f'<line x1="{goal:.0f}" y1="24" x2="{goal:.0f}" y2="{y - 6}" stroke="black" stroke-dasharray="3"/>'
        f"{''.join(parts)}</svg>\n"
    )


def bar(y: int, how: str, share: float) -> str:
    end = at(share)
    return (
        f'<rect x="{LABEL}" y="{y}" width="{end - LABEL:.0f}" height="{BAR}" fill="{COLOURS[share >= 1]}" '
        f'fill-opacity="{1 if how == "CPU" else 0.5}"/>'
        f'<text x="{end + 5:.0f}" y="{y + BAR}" font-size="10">{share:.2f} ({how})</text>'
    )
