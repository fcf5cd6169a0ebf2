"""What the attack meets, written in a process of its own: `DATA_DIR=... python -m tests.attack.floods.world`.

Prints one line of JSON, a World.
"""

import json
import os
from dataclasses import asdict, dataclass

HOLDERS = 10
SPARE = 4


@dataclass(frozen=True)
class World:
    """``holders``: the tokens of makers who go on working; ``fresh``: tokens that no worker has seen, each good for one
    try; ``attacker``: one that an attacker made for themselves."""

    holders: list[str]
    fresh: list[str]
    attacker: str
    makers: list[str]
    tasks: list[int]
    products: list[str]
    discussions: list[str]
    connections: int  # the published sum


def made() -> World:
    from django.conf import settings

    from discussions.models import Discussion
    from makerlog.accounts.actions import create_token
    from makerlog.accounts.models import Maker
    from makerlog.api.connections import published
    from products.models import Product
    from tasks.models import Task

    makers = list(Maker.objects.filter(is_staff=False, is_active=True, private=False).order_by("pk")[:50])
    tokens = [create_token(maker=maker, name="attack")[1] for maker in makers[: HOLDERS + SPARE + 1]]
    return World(
        holders=tokens[:HOLDERS],
        fresh=tokens[HOLDERS : HOLDERS + SPARE],
        attacker=tokens[-1],
        makers=[maker.username for maker in makers],
        tasks=list(Task.objects.filter(listed=True).order_by("pk").values_list("pk", flat=True)[:50]),
        products=list(Product.objects.filter(listed=True).order_by("pk").values_list("slug", flat=True)[:20]),
        discussions=list(Discussion.objects.filter(listed=True).order_by("pk").values_list("slug", flat=True)[:20]),
        connections=sum(published(settings).values()),
    )


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "makerlog.settings")
    django.setup()
    print(json.dumps(asdict(made())))  # noqa: T201
