"""How a token is made and recognised. Pure: no database, no settings but the peppers it is given.

``mkl_<public id, 11>_<body, 45>``, in base 62. The body holds the pepper's number (1 byte), the expiry (4 bytes, Unix
seconds, 0 for none), 16 random bytes and a MAC (12 bytes) over all before it. So any process tells a genuine token from
a made-up one without the database, and a leaked one can be found in any text. At rest stands a keyed hash of the whole.
"""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PATTERN = re.compile(r"mkl_([0-9A-Za-z]{11})_([0-9A-Za-z]{45})")
LENGTH = len("mkl_") + 11 + len("_") + 45
ANYWHERE = re.compile(rf"(?=({PATTERN.pattern}))")  # looks ahead only: what one match takes hides no other
ID_BYTES, SECRET_BYTES, MAC_BYTES = 8, 16, 12
LAST_EXPIRY = datetime(2106, 1, 1, tzinfo=UTC)  # what four bytes of seconds hold
BODY_BYTES = 1 + 4 + SECRET_BYTES + MAC_BYTES

Peppers = Mapping[int, bytes]


@dataclass(frozen=True)
class Token:
    """A genuine token: its public id, the number of its pepper, its expiry, and the hash that is kept of it."""

    text: str
    public_id: str
    pepper: int
    expires_at: datetime | None
    digest: bytes

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


def read_peppers(text: str) -> Peppers:
    """``"2:newer,1:older"``, or one bare secret, which is number 1. ValueError where it is neither."""
    peppers = {}
    for part in text.split(","):
        number, colon, value = part.strip().partition(":")
        peppers[int(number) if colon else 1] = (value if colon else number).encode()
    if not all(0 < number < 256 and value for number, value in peppers.items()):
        raise ValueError("peppers are numbered from 1 to 255 and not empty")
    return peppers


def mint(peppers: Peppers, expires_at: datetime | None = None) -> Token:
    """A new token under the newest pepper."""
    pepper = max(peppers)
    public_id = encode(secrets.token_bytes(ID_BYTES), 11)
    expiry = int(expires_at.timestamp()) if expires_at else 0
    head = bytes([pepper]) + expiry.to_bytes(4) + secrets.token_bytes(SECRET_BYTES)
    body = encode(head + mac(peppers[pepper], public_id, head), 45)
    return genuine(peppers, f"mkl_{public_id}_{body}") or _unreachable()


def genuine(peppers: Peppers, text: str) -> Token | None:
    """The token that ``text`` is, or None where we did not make it. Expired ones are genuine too."""
    match = PATTERN.fullmatch(text)
    body = decode(match[2], BODY_BYTES) if match else None
    if match is None or body is None or body[0] not in peppers:
        return None
    key, head = peppers[body[0]], body[:-MAC_BYTES]
    if not hmac.compare_digest(mac(key, match[1], head), body[-MAC_BYTES:]):
        return None
    expiry = int.from_bytes(body[1:5])
    return Token(
        text=text,
        public_id=match[1],
        pepper=body[0],
        expires_at=datetime.fromtimestamp(expiry, UTC) if expiry else None,
        digest=hmac.digest(key, b"rest:" + text.encode(), hashlib.sha256),
    )


def tokens_in(peppers: Peppers, text: str) -> Iterator[Token]:
    """Every genuine token in ``text``, whatever is glued to it. One twice where it stands there twice."""
    for match in ANYWHERE.finditer(text):
        if token := genuine(peppers, match[1]):
            yield token


def mac(key: bytes, public_id: str, head: bytes) -> bytes:
    return hmac.digest(key, b"mac:" + public_id.encode() + head, hashlib.sha256)[:MAC_BYTES]


def encode(raw: bytes, length: int) -> str:
    number, digits = int.from_bytes(raw), []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def decode(text: str, size: int) -> bytes | None:
    """The ``size`` bytes that ``text`` encodes; None where it encodes more."""
    number = 0
    for character in text:
        number = number * 62 + ALPHABET.index(character)
    return number.to_bytes(size) if number < 256**size else None


def _unreachable() -> Token:
    raise AssertionError("a token just made is genuine")
