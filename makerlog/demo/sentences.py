"""Words put together. All chance comes from the ``dice`` that are handed in."""

import random

from makerlog.demo import words

Dice = random.Random


def dice(seed: str) -> Dice:
    """The same draws for the same seed, on every machine."""
    return random.Random(seed)  # noqa: S311  (nothing here is a secret)


def filled(text: str, dice: Dice) -> str:
    if "{" not in text:
        return text
    number = dice.randrange(10, 900)
    text = text.format(topic=dice.choice(words.TOPICS), tag=dice.choice(words.TAGS), number=number)
    return text[0].upper() + text[1:]


def deed(dice: Dice) -> str:
    """What a maker did: "Fixed the login page on mobile"."""
    if dice.random() < 0.2:
        return filled(dice.choice(words.MOMENTS), dice)
    verbs, things, details = dice.choice(words.DEEDS)
    return filled(f"{dice.choice(verbs)} {dice.choice(things)}{dice.choice(details)}", dice)


def paragraph(dice: Dice, opening: str) -> str:
    rest = dice.sample(words.BODIES, dice.randint(1, 3))
    return " ".join([opening, *(filled(text, dice) for text in rest)])


def username(first: str, last: str, dice: Dice) -> str:
    shapes = (f"{first}{last}", f"{first}_{last}", f"{first}.{last}", f"{first[0]}{last}", f"{first}makes", f"{last}hq")
    return dice.choices(shapes, (6, 6, 5, 3, 1, 1))[0].lower()


def project_names(dice: Dice, count: int) -> list[str]:
    """Different ones."""
    names = [dice.choice(words.PROJECT_FIRST) + dice.choice(words.PROJECT_SECOND) for _ in range(count)]
    if count > 1:
        names[-1] = dice.choice(words.PROJECTS_OF_LIFE)
    return list(dict.fromkeys(names))


def product_name(dice: Dice, project: str | None) -> str:
    name = project or dice.choice(words.PROJECT_FIRST) + dice.choice(words.PROJECT_SECOND)
    return name.replace("-", " ").replace("_", " ").title()
