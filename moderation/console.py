"""The traffic console at /admin/traffic/: who talks most just now, and what to do about it, on a phone.

Every figure comes from memory and Redis; the database is asked for names, by key. The page is refreshed by a script of ours
every second and a half, or by reloading it. A talker is one tap away, what to do two, and done it is with the third.
"""

from collections import Counter
from dataclasses import dataclass
from time import time
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from makerlog.accounts.models import AccessToken, Maker
from makerlog.env import Network
from makerlog.gate.bans import network_of
from makerlog.gate.networks import CLIENT_PREFIX, SITE_PREFIX
from makerlog.gate.talkers import BAR_S, CHARTED, KINDS, NOWHERE, REFUSED, Talker, Totals, told_since
from moderation import actions
from moderation.affairs import affairs
from moderation.durations import FOR_GOOD
from moderation.models import Ban
from moderation.roles import NotAllowed, may
from moderation.routes import names
from moderation.standing import bans, talkers
from moderation.talkers import SHOWN, Picture, picture

TITLES = {
    "address": "Addresses",
    "range": "Ranges",
    "token": "Tokens",
    "maker": "Makers",
    "route": "Routes",
    "agent": "User agents",
}
SPANS = {"10m": "10 minutes", "1h": "1 hour", "1d": "1 day", FOR_GOOD: "for good"}
WHOM = (
    (Ban.AppliesTo.ANONYMOUS, "Ban; genuine tokens pass"),
    (Ban.AppliesTo.EVERYTHING, "Ban everything, tokens too"),
)
POSTED = ("tasks_task", "tasks_taskcomment", "discussions_discussion", "discussions_reply", "products_product")
MOST_TOKENS = 8
HEIGHT = 60  # of the chart, in its own units
# What is drawn, from the ground up.
BANDS = {"served": ("served", "shared", "hung_up"), "refused": REFUSED, "failed": ("failed",)}


@dataclass(frozen=True)
class Row:
    """A talker as the console shows it. ``rank``: how much of the longest bar it has, in percent."""

    kind: str
    talker: Talker
    label: str
    banned: bool
    rank: int

    @property
    def url(self) -> str:
        return reverse("admin:talker", query={"kind": self.kind, "name": self.talker.name})

    @property
    def first(self) -> str:
        return f"{max(0, int(time() - self.talker.first))} s"

    @property
    def ms(self) -> int:
        return round(self.talker.worked * 1000)


def page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The whole page; with ``?part`` only what changes, for the script."""
    require_look(request)
    template = "moderation/traffic_now.html" if "part" in request.GET else "moderation/traffic.html"
    response = render(request, template, {**context, "title": "Traffic", **shown(picture(talkers))})
    response["Cache-Control"] = "no-store"
    return response


def require_look(request: HttpRequest) -> None:
    if not may(request.user, "look"):
        raise PermissionDenied


def shown(found: Picture) -> dict[str, Any]:
    minute = last_minute(found)
    return {
        "picture": found,
        "affairs": affairs(),
        "bars": bars(found.totals, int(time()) // BAR_S),
        "outcomes": by(minute, 1),
        "lanes": lanes(minute),
        "kinds": [(TITLES[kind], kind, rows(kind, found.top[kind][:SHOWN])) for kind in KINDS],
    }


def last_minute(found: Picture) -> Totals:
    """Of the very time that the talkers are of: nobody asked for more than all did."""
    since = told_since()
    return sum((counts for number, counts in found.totals.items() if number * BAR_S >= since), Counter())


def by(totals: Totals, place: int) -> dict[str, int]:
    """Requests by lane (``place`` 0) or outcome (1), the most first."""
    counts: Counter[str] = Counter()
    for which, count in totals.items():
        counts[which[place]] += count
    return dict(counts.most_common())


def lanes(totals: Totals) -> list[tuple[str, dict[str, int]]]:
    """Of each lane the requests by outcome, the most first."""
    return [
        (lane, by(Counter({which: count for which, count in totals.items() if which[0] == lane}), 1))
        for lane in by(totals, 0)
    ]


def bars(totals: dict[int, Totals], now: int) -> list[dict[str, Any]]:
    """Of each ten seconds a bar, in bands: where it begins and how high it is, in units of the chart."""
    counted = [by(totals.get(number, Counter()), 1) for number in range(now - CHARTED + 1, now + 1)]
    highest = max(1, *(sum(bar.values()) for bar in counted))
    return [
        {"x": place * 10, "kind": kind, "y": HEIGHT - top, "height": height}
        for place, bar in enumerate(counted)
        for kind, top, height in bands(bar, HEIGHT / highest)
    ]


def bands(bar: dict[str, int], scale: float) -> list[tuple[str, float, float]]:
    found, top = [], 0.0
    for kind, outcomes in BANDS.items():
        height = round(scale * sum(bar.get(outcome, 0) for outcome in outcomes), 1)
        top += height
        if height:
            found.append((kind, top, height))
    return found


def rows(kind: str, top: list[Talker]) -> list[Row]:
    labels = labels_of(kind, top)
    most = max((talker.weight for talker in top), default=0) or 1
    return [
        Row(
            kind,
            talker,
            labels.get(talker.name, talker.name),
            is_banned(kind, talker),
            round(100 * talker.weight / most),
        )
        for talker in top
    ]


def labels_of(kind: str, top: list[Talker]) -> dict[str, str]:
    """What each is called, where that is not its name. A token's public part is no secret."""
    listed = [talker.name for talker in top]
    if kind == "maker":
        found = Maker.objects.filter(pk__in=listed).values_list("pk", "username")
        return {str(pk): username for pk, username in found}
    if kind == "token":
        owned = AccessToken.objects.filter(public_id__in=listed).values_list("public_id", "maker__username")
        return {name: f"mkl_{name}…" for name in listed} | {name: f"mkl_{name}… of {maker}" for name, maker in owned}
    if kind == "route":
        return {name: f"/{name}" for name in listed if name != NOWHERE}
    return {"": "none sent"} if kind == "agent" else {}


def is_banned(kind: str, talker: Talker) -> bool:
    """Whether a ban covers the whole of it, as the process that answers knows."""
    if kind not in ("address", "range"):
        return False
    network, now = network_of(talker.name), time()
    covering = bans.covering(str(network.network_address))
    return any(ban.in_force(now) and ban.network.prefixlen <= network.prefixlen for ban in covering)


# --- One of them ---


def talker(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """What they did, and what can be done about it. What is done here is undone here."""
    require_look(request)
    kind, name = request.GET.get("kind", ""), request.GET.get("name", "")
    if kind not in KINDS or len(name) > 200:
        raise Http404
    if request.method == "POST":
        return lifted(request)
    offers = offered(request, kind, name)
    row = rows(kind, [seen_of(kind, name)])[0]
    about = {"title": row.label, "row": row, "part": f"{request.get_full_path()}&part", **offers}
    template = "moderation/talker_now.html" if "part" in request.GET else "moderation/talker.html"
    response = render(request, template, {**context, **about})
    response["Cache-Control"] = "no-store"
    return response


def seen_of(kind: str, name: str) -> Talker:
    """What the one called ``name`` did in the last minute, by all processes."""
    seen = picture(talkers)
    if kind == "range" and (wide := within(seen, network_of(name))).requests:
        return wide
    return seen.find(kind, name) or talkers.find(kind, name) or Talker(name, time())


def lifted(request: HttpRequest) -> HttpResponse:
    try:
        lifted = actions.lift(bans=[pk := int(request.POST.get("lift", "0"))], actor=request.user)
    except NotAllowed as error:
        messages.error(request, str(error))
    except ValueError:
        raise Http404 from None
    else:
        if lifted:
            messages.success(request, "Lifted, in every process within a second.")
        else:
            messages.warning(request, why_not_lifted(pk))
    return HttpResponseRedirect(request.get_full_path())


def why_not_lifted(pk: int) -> str:
    """What changed since the button was shown."""
    said = f"Nothing was lifted: ban {pk} had ended already."
    network = Ban.objects.filter(pk=pk).values_list("network", flat=True).first()
    newer = Ban.objects.standing().filter(network=network).order_by("-pk").select_related("author").first()
    if network is None or newer is None:
        return said
    author = f", set by {newer.author.username}" if newer.author else ""
    return f"{said} Ban {newer.pk} took its place{author}, and stands: to lift that one, undo it here."


def offered(request: HttpRequest, kind: str, name: str) -> dict[str, Any]:
    """What there is to do, by kind."""
    if kind in ("address", "range"):
        return about_network(request, name)
    if kind == "maker":
        return about_maker(Maker.objects.filter(pk=name).first() if name.isdigit() else None)
    if kind == "token":
        return about_token(AccessToken.objects.filter(public_id=name).select_related("maker").first())
    if kind == "route" and name in names():
        return {"switch": reverse("admin:moderation_routeswitch_changelist", query={"q": name})}
    return {}


def about_network(request: HttpRequest, name: str) -> dict[str, Any]:
    try:
        network = network_of(name)
    except ValueError:
        raise Http404 from None
    standing = list(Ban.objects.covering(network).standing().order_by("-pk"))
    spans = SPANS if may(request.user, "ban") else {"10m": SPANS["10m"], "1h": SPANS["1h"]}
    whom = WHOM if may(request.user, "ban") else WHOM[:1]
    return {
        "network": network,
        "standing": standing,
        "refused_so_far": sum(ban.refused for ban in standing),
        "choices": [
            (label, [(how, ban_page(network, applies_to, span)) for span, how in spans.items()])
            for applies_to, label in whom
        ],
        "around": around(network),
        "tokens": used_from(network),
    }


def ban_page(network: Network, applies_to: str, span: str) -> str:
    """The preview of that ban, where one more tap sets it."""
    query = {"network": str(network), "applies_to": applies_to, "span": span, "from": "traffic"}
    return reverse("admin:moderation_ban_add", query=query)


def around(network: Network) -> str:
    """The page of the range around a client's address."""
    length = SITE_PREFIX[network.version]
    if network.prefixlen <= length:
        return ""
    return talker_page(network.supernet(new_prefix=length))


def talker_page(network: Network) -> str:
    """The page of a client, or of the range where ``network`` is more than one."""
    is_client = network.prefixlen >= CLIENT_PREFIX[network.version]
    name = str(network).removesuffix("/32")
    return reverse("admin:talker", query={"kind": "address" if is_client else "range", "name": name})


def within(seen: Picture, network: Network) -> Talker:
    """What the addresses of ``network`` did, at least: the figures of a range of any width are those of what is in it."""
    kind = "range" if network.prefixlen <= SITE_PREFIX[network.version] else "address"
    summed = Talker(str(network), time())
    for each in seen.top[kind]:
        if is_within(each.name, network):
            summed.join(each)
    return summed


def is_within(name: str, network: Network) -> bool:
    """Whether the client or the site called ``name`` lies in ``network``."""
    other = network_of(name)
    low, high = int(network.network_address), int(network.broadcast_address)
    return other.version == network.version and low <= int(other.network_address) <= high


def used_from(network: Network) -> list[AccessToken]:
    """A few of the tokens last used from there, by the index of that."""
    ends = str(network.network_address), str(network.broadcast_address)
    used = AccessToken.objects.filter(last_used_from__range=ends, revoked_at=None).select_related("maker")
    return list(used.order_by("last_used_from", "pk")[:MOST_TOKENS])


def about_maker(maker: Maker | None) -> dict[str, Any]:
    if maker is None:
        return {}
    posted = [
        (name.partition("_")[2], reverse(f"admin:{name}_changelist", query={"q": maker.username})) for name in POSTED
    ]
    revoke = reverse("admin:accounts_accesstoken_revoke", query={"user": maker.username})
    return {"maker": maker, "posted": posted, "revoke": revoke}


def about_token(token: AccessToken | None) -> dict[str, Any]:
    if token is None:
        return {}
    revoke = reverse("admin:accounts_accesstoken_revoke", query={"token": f"mkl_{token.public_id}"})
    return {**about_maker(token.maker), "token": token, "revoke": revoke}
