"""Discussions, with replies and their praise."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from django.db import transaction

from discussions.models import Discussion, Participant, Reply, ReplyPraise
from makerlog.accounts.models import Maker
from makerlog.accounts.slugs import candidates
from makerlog.demo import words
from makerlog.demo.bulk import batches, copy_in, free_names, moment, moments, reserve_ids
from makerlog.demo.log import afterwards
from makerlog.demo.people import People
from makerlog.demo.sentences import Dice, filled, paragraph
from products.actions import lock_makers

BATCH = 500
TITLES = {
    Discussion.Type.TEXT: words.TEXTS,
    Discussion.Type.QUESTION: words.QUESTIONS,
    Discussion.Type.LINK: words.LINKS,
}
REPLY = ("id", "discussion_id", "author_id", "parent_reply_id", "body", "praise", "created_at", "updated_at")


@dataclass
class Draft:
    author: int
    created_at: datetime
    repliers: list[int]
    fans: list[list[int]] = field(default_factory=list)  # of each reply


def add_discussions(people: People, count: int, now: datetime, dice: Dice) -> Iterator[int]:
    births = moments(moment(people.joined[0]), now, count, dice)
    for size in batches(count, BATCH):
        with transaction.atomic():
            add_batch([draft(people, birth, now, dice) for birth in islice(births, size)], now, dice)
        yield size


def draft(people: People, birth: datetime, now: datetime, dice: Dice) -> Draft:
    when = birth.timestamp()
    author = people.ids[people.busy(when, dice)]
    drawn = [people.ids[people.draw(people.there(when), dice)] for _ in range(min(int(dice.expovariate(1 / 6)), 80))]
    fans = [people.others(int(dice.expovariate(0.8)), when, replier, dice) for replier in drawn]
    return Draft(author, birth, drawn, fans)


def add_batch(drafts: list[Draft], now: datetime, dice: Dice) -> None:
    private = hold(drafts)
    for talk in drafts:
        if private[talk.author]:  # nobody else saw it
            talk.repliers, talk.fans = [], []
    discussions = [draft_discussion(talk, private[talk.author], dice) for talk in drafts]
    slugs = free_names([each.slug for each in discussions], taken_slugs, "-")
    for discussion, slug in zip(discussions, slugs, strict=True):
        discussion.slug = slug
    Discussion.objects.bulk_create(discussions)
    add_replies(drafts, discussions, now, dice)


def hold(drafts: list[Draft]) -> dict[int, bool]:
    """Locks all whom the batch touches, always in one order; which authors are private."""
    authors = {talk.author for talk in drafts}
    fans = (fans for talk in drafts for fans in talk.fans)
    lock_makers(authors.union(*(talk.repliers for talk in drafts), *fans))
    return dict(Maker.objects.filter(pk__in=authors).values_list("pk", "private"))


def draft_discussion(talk: Draft, private: bool, dice: Dice) -> Discussion:
    kind = dice.choices(list(TITLES), [5, 6, 1])[0]
    title = filled(dice.choice(TITLES[kind]), dice)
    slug = next(candidates(title, "discussion"))
    opening = f"https://{slug}.example/read" if kind == Discussion.Type.LINK else dice.choice(words.OPENINGS)
    return Discussion(
        author_id=talk.author,
        type=kind,
        title=title,
        slug=slug,
        body=paragraph(dice, opening),
        created_at=talk.created_at,
        listed=not private,
        locked=dice.random() < 0.02,
        reply_count=len(talk.repliers),
    )


def add_replies(drafts: list[Draft], discussions: list[Discussion], now: datetime, dice: Dice) -> None:
    ids = iter(reserve_ids(Reply, sum(len(talk.repliers) for talk in drafts)))
    replies, praises, participants = [], [], []
    for talk, discussion in zip(drafts, discussions, strict=True):
        own = list(islice(ids, len(talk.repliers)))
        times = afterwards(talk.created_at, now, len(own), dice)
        for place, (pk, author, fans, when) in enumerate(zip(own, talk.repliers, talk.fans, times, strict=True)):
            parent = dice.choice(own[:place]) if place and dice.random() < 0.3 else None
            body = filled(dice.choice(words.REPLIES), dice)
            replies.append((pk, discussion.pk, author, parent, body, len(fans), when, when))
            praises += [
                (pk, fan, praised) for fan, praised in zip(fans, afterwards(when, now, len(fans), dice), strict=True)
            ]
        participants += [(discussion.pk, maker) for maker in dict.fromkeys(talk.repliers)]
    copy_in(Reply, REPLY, replies)
    copy_in(ReplyPraise, ("reply_id", "maker_id", "created_at"), praises)
    copy_in(Participant, ("discussion_id", "maker_id"), participants)


def taken_slugs(slugs: list[str]) -> list[str]:
    return list(Discussion.objects.filter(slug__in=slugs).values_list("slug", flat=True))
