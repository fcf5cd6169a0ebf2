"""The automatic rules, on one screen; and what they make of what was counted. Pure.

A rule does little, and that for a short time: it bans one address from asking without a token, or stops one token's writes.
Never everything, never for 401s and 404s: any web page can make the browsers of its visitors send those, and a hosted app
with one expired token serves many makers. Genuine tokens are never counted against the address they come from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Acts = Literal["ban", "pause"]


@dataclass(frozen=True)
class Rule:
    """``threshold`` within ``window`` seconds are too much. ``words``: what its sentence says somebody did; ``about``: what
    it is for, and whom it must not hit."""

    name: str
    threshold: int
    window: int
    acts: Acts
    words: str
    about: str

    @property
    def act(self) -> str:
        """As the audit log calls it."""
        return f"rule.{self.name}"


RULES = {
    rule.name: rule
    for rule in (
        Rule(
            *("enumeration", 20, 60, "ban"),
            "asked for {threshold} different endpoints within {window} s",
            "A crawl of what there is, which looks for the next endpoint to flood: the second move of 2019. What was answered"
            " counts, and what there was no room for (503), no other refusal; a page of an app reads five to ten, the same"
            " for all who share an address.",
        ),
        Rule(
            *("shed-storm", 60, 10, "ban"),
            "was turned away for want of room {threshold} times within {window} s and went on asking",
            "A flood that the lanes turn away (503), from whoever does not wait as Retry-After asks. Six a second, for ten"
            " seconds, is no reader, nor a page that is loaded anew.",
        ),
        Rule(
            *("sustained-429", 100, 30, "ban"),
            "was over its limit {threshold} times within {window} s and went on asking",
            "Whoever is told 429 and does not slow down. A client that waits for Retry-After meets a few.",
        ),
        Rule(
            *("log-in-guessing", 40, 600, "ban"),
            "failed to log in {threshold} times within {window} s",
            "Guessing passwords. A whole office that mistypes stays below.",
        ),
        Rule(
            *("spam", 1_500, 600, "pause"),
            "posted {threshold} times within {window} s",
            "More than an app has to say for one maker: tasks, comments, products, discussions and replies together. Tasks"
            " that are imported onto their own, earlier days do not count.",
        ),
        Rule(
            *("spam-repeats", 150, 600, "pause"),
            "posted nearly the same {threshold} times within {window} s",
            "The same words again, whatever the numbers, links and signs around them. An app that posts by a template stays"
            " below, and imports do not count.",
        ),
    )
}

# How long the first, the second and every further act holds, within REMEMBERED.
SPANS = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=24))
REMEMBERED = timedelta(days=7)
UNDONE_HOLDS = timedelta(hours=24)  # what an admin undid, the same rule does not do again for so long

CONSEQUENCE = {
    "ban": "it is banned from asking without a token",
    "pause": "it may read but not write",
}


@dataclass(frozen=True, order=True)
class Offence:
    """``subject``: a client ("93.184.216.7", "2a00:1450:4001:81b::"), or a token by its id ("token:4")."""

    subject: str
    rule: str


def offences(counted: Mapping[str, Mapping[str, int]], rules: Sequence[Rule] = tuple(RULES.values())) -> list[Offence]:
    """Whoever passed a threshold, each for the first rule of the table that they broke. ``counted``: by rule and subject."""
    found: dict[str, Offence] = {}
    for rule in rules:
        for subject, count in counted.get(rule.name, {}).items():
            if count >= rule.threshold:
                found.setdefault(subject, Offence(subject, rule.name))
    return sorted(found.values())


def span_after(earlier: int) -> timedelta:
    """How long the next act holds, after so many before it."""
    return SPANS[min(earlier, len(SPANS) - 1)]


def sentence(offence: Offence, span: timedelta) -> str:
    """The same in a dry run: of the rule it names the bound, not how far it was passed."""
    rule = RULES[offence.rule]
    did = rule.words.format(threshold=rule.threshold, window=rule.window)
    return f"{offence.subject} {did}: {CONSEQUENCE[rule.acts]} for {spoken(span)} (rule {rule.name})."


def spoken(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    return f"{minutes} minutes" if minutes < 60 else f"{minutes // 60} hour{'s' * (minutes >= 120)}"


def table() -> Iterator[tuple[Rule, str]]:
    """Each rule, and what it does about whom."""
    for rule in RULES.values():
        yield rule, f"{CONSEQUENCE[rule.acts]} for {', '.join(map(spoken, SPANS))}"
