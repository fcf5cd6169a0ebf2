"""Makers, their projects, whom they follow; and who of them does something at a given moment."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate, islice
from zoneinfo import ZoneInfo

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction

from makerlog.accounts.models import Follow, Maker
from makerlog.api.text import fold
from makerlog.demo import words
from makerlog.demo.bulk import batches, copy_in, free_names, moment, moments
from makerlog.demo.sentences import Dice, filled, project_names, username
from products.actions import lock_makers
from products.models import Project

BATCH = 1000
AGE = timedelta(days=730)
DOMAIN = "demo.invalid"  # by their address they are known again, and no mail can reach it
FIRST = "demo"  # the maker whose token `make run` prints

COUNT_FOLLOWERS = """
    UPDATE accounts_maker SET follower_count = follower_count + came.number
    FROM (SELECT unnest(%s::bigint[]) AS id, unnest(%s::int[]) AS number) came WHERE accounts_maker.id = came.id
"""


class People:
    """Made-up makers in the order they joined. Few of them do most: each has a weight."""

    def __init__(self, ids: list[int] | None, dice: Dice) -> None:
        """Those with ``ids``; None means all that earlier runs made."""
        rows = Maker.objects.filter(email__endswith=f"@{DOMAIN}", is_active=True).order_by("date_joined", "id")
        rows = rows if ids is None else rows.filter(id__gte=ids[0])
        found = rows.values_list("id", "date_joined", "timezone", "weekends_off", "username").iterator(BATCH)
        wanted = None if ids is None else set(ids)
        self.ids: list[int] = []
        self.joined: list[float] = []
        self.days: list[tuple[float, bool]] = []  # hours ahead of UTC, and whether they rest at weekends
        self.zones: dict[str, ZoneInfo] = {}  # held, for ZoneInfo remembers eight and reads the others anew
        weights = []
        for pk, joined, zone, rests, name in found:
            if wanted is None or pk in wanted:
                self.ids.append(pk)
                self.joined.append(joined.timestamp())
                self.days.append((hours_ahead(self.zones.setdefault(zone, ZoneInfo(zone)), joined), rests))
                weights.append(25.0 if name == FIRST else min(dice.paretovariate(1.1), 40.0))
        self.reach = list(accumulate(weights))

    def __len__(self) -> int:
        return len(self.ids)

    def there(self, when: float) -> int:
        """How many had joined by then, at least one."""
        return max(1, bisect_right(self.joined, when))

    def draw(self, among: int, dice: Dice) -> int:
        """The place of one of the first ``among``, by weight."""
        return bisect_right(self.reach, dice.random() * self.reach[among - 1], hi=among - 1)

    def busy(self, when: float, dice: Dice) -> int:
        """The place of one who was there then; hardly ever at night, or on a free weekend."""
        among = self.there(when)
        for _ in range(4):
            place = self.draw(among, dice)
            if self.awake(place, when):
                break
        return place

    def awake(self, place: int, when: float) -> bool:
        ahead, rests = self.days[place]
        day, second = divmod(when + ahead * 3600, 86400)
        return 7 <= second / 3600 < 23.5 and not (rests and (int(day) + 3) % 7 > 4)

    def others(self, count: int, when: float, but: int, dice: Dice) -> list[int]:
        """Ids of at most ``count`` different makers who were there then, not the one with the id ``but``."""
        among = self.there(when)
        drawn = dict.fromkeys(self.ids[self.draw(among, dice)] for _ in range(count))
        drawn.pop(but, None)
        return list(drawn)


def hours_ahead(zone: ZoneInfo, when: datetime) -> float:
    ahead = when.astimezone(zone).utcoffset() or timedelta()
    return ahead.total_seconds() / 3600


def add_makers(count: int, now: datetime, dice: Dice, ids: list[int]) -> Iterator[int]:
    """Adds makers with their projects, and their ids to ``ids``; yields how many each batch made."""
    joins = moments(now - AGE, now, count, dice)
    for size in batches(count, BATCH):
        makers = [draft_maker(joined, dice) for joined in islice(joins, size)]
        with transaction.atomic():
            name_makers(makers)
            Maker.objects.bulk_create(makers)
            Project.objects.bulk_create(project for maker in makers for project in draft_projects(maker, now, dice))
        ids += [maker.pk for maker in makers]
        yield size


def draft_maker(joined: datetime, dice: Dice) -> Maker:
    first, last = dice.choice(words.FIRST_NAMES), dice.choice(words.LAST_NAMES)
    zones, shares = zip(*words.ZONES, strict=True)
    return Maker(
        username=username(first, last, dice),
        first_name=first,
        last_name=last,
        date_joined=joined,
        timezone=dice.choices(zones, shares)[0],
        status=dice.choice(words.STATUSES) if dice.random() < 0.6 else "",
        description=filled(dice.choice(words.ABOUT), dice) if dice.random() < 0.5 else "",
        accent=dice.choice(words.ACCENTS),
        private=dice.random() < 0.05,
        verified=dice.random() < 0.1,
        patron=dice.random() < 0.03,
        weekends_off=dice.random() < 0.2,
        dark_mode=dice.random() < 0.4,
        password=make_password(None),
    )


def name_makers(makers: list[Maker]) -> None:
    """Names that are free; the first maker of all is ``demo``, whom everybody sees."""
    names = free_names([maker.username for maker in makers], taken_usernames)
    if not Maker.objects.filter(folded_username=FIRST).exists():
        names[0] = FIRST
        makers[0].first_name, makers[0].last_name, makers[0].private = "Demo", "Maker", False
    for maker, name in zip(makers, names, strict=True):
        maker.username, maker.email = name, f"{name}@{DOMAIN}"


def taken_usernames(names: list[str]) -> list[str]:
    makers = Maker.objects.filter(folded_username__in=[*map(fold, names)])
    return [fold(name) for name in makers.values_list("username", flat=True)]


def draft_projects(maker: Maker, now: datetime, dice: Dice) -> list[Project]:
    names = project_names(dice, dice.randint(1, 4))
    wait = min(timedelta(hours=1), now - maker.date_joined)
    return [
        Project(author=maker, name=name, private=dice.random() < 0.06, created_at=maker.date_joined + wait)
        for name in names
    ]


def add_follows(people: People, now: datetime, dice: Dice) -> None:
    """Everybody follows a few others, the well-known ones more than the rest."""
    for start in range(0, len(people), BATCH):
        places = range(start, min(start + BATCH, len(people)))
        follows = [(people.ids[place], other) for place in places for other in idols(people, place, now, dice)]
        with transaction.atomic():
            lock_makers({pk for pair in follows for pk in pair})
            keep_follows(people, follows, now, dice)


def idols(people: People, place: int, now: datetime, dice: Dice) -> list[int]:
    count = min(int(dice.expovariate(1 / 6)), 200)
    return people.others(count, now.timestamp(), people.ids[place], dice)


def keep_follows(people: People, follows: list[tuple[int, int]], now: datetime, dice: Dice) -> None:
    joined = dict(zip(people.ids, people.joined, strict=True))
    counts: dict[int, int] = {}
    rows = []
    for follower, followed in follows:
        both = max(joined[follower], joined[followed])
        rows.append((follower, followed, moment(both + dice.random() * (now.timestamp() - both))))
        counts[followed] = counts.get(followed, 0) + 1
    copy_in(Follow, ("follower_id", "followed_id", "created_at"), rows)
    with connection.cursor() as cursor:
        cursor.execute(COUNT_FOLLOWERS, [[*counts], [*counts.values()]])
