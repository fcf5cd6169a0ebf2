"""What an attacker sends: parameters, headers, ids and bodies, as raw as they go over the wire."""

import json
from urllib.parse import quote, urlencode

from tests.attack.crawler.corpus import COMMON, RARE

KB = 1024
NUL = "a\x00b"
DEEP = 100_000
FOREIGN_CURSORS = [
    "cD0yMDI2LTAxLTAx",  # as Django REST framework writes its own: p=2026-01-01
    "bz0xMDAwMDA=",  # and o=100000
    "WyJuIiwgIjIwMjYtMDEtMDEiLCAxXQ:AAAA",
    "." * 5_000,
    NUL,
]
MOMENTS = [
    "2026-01-01",
    "2025-12-31T23:59:59Z",
    "1970-01-01",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59+14:00",
    "2026-02-30",
    "2026-01-01T00:00:00 02:00",
    "T00:00" * 2_000,
    "now",
    "-1",
    NUL,
]
NUMBERS = [str(COMMON), str(RARE), "999999999", "-1", "1e9", "0x10", "٣", "9" * 400, NUL]
TEXTS = [
    *(f"{name}{number}" for name in ("maker", "s") for number in (COMMON, RARE)),
    str(COMMON),
    str(RARE),
    "task",
    "h",
    "nobody-at-all",
    "9" * 400,
    NUL,
    "%",
    "\\",
    "'\"--",
    "x" * 20_000,
]

Query = list[tuple[str, str]]

# On every GET there is, in every run.
ESSENTIAL: list[Query] = [
    [],
    [("limit", "1000000000")],
    [("limit", "abc")],
    [("offset", "5000")],
    [("page", "2")],
    [("page", "5000")],
    [("cursor", "garbage")],
    [("search", NUL)],
]
# On every GET there is, whatever it says it takes.
QUERIES: list[Query] = [
    *([("limit", value)] for value in ("0", "1", "100", "-1", "1e3", "٣", "", NUL, "9" * 5_000)),
    *([(name, value)] for name in ("offset", "page", "p") for value in ("0", "1", "-1", "9" * 30)),
    [("p", "5000")],
    [("page_size", "100000")],
    [("per_page", "100000"), ("size", "100000"), ("count", "100000")],
    [("all", "true")],
    [("no_page", "1")],
    *([("cursor", value)] for value in FOREIGN_CURSORS),
    [("search", "task")],
    [("search", "zzzz-nowhere")],
    [("search", "x" * 100 * KB)],
    [("search", " ".join(f"term{n}" for n in range(1_200)))],
    [("q", "h")],
    [("q", "x" * 100 * KB)],
    [("limit", "1"), ("limit", "100")],
    [("limit", "100"), ("limit", "1000000000")],
    [("user", str(COMMON)), ("user", str(RARE))],
    [("day", "2026-01-01")],
    [("day", "2026-01-01"), ("day", "0001-01-01")],
    [("last_sync_date", "2025-01-01")],
    [("last_sync_date", "2025-01-01"), ("limit", "100")],
    [("updated_since", "0001-01-01")],
    [("ordering", "content")],
    [("ordering", "-praise,author__password,?")],
    [("id__in", ",".join(map(str, range(5_000))))],
    [("author__username__icontains", "a")],
    [("expand", "*"), ("include", "comments,praise,author.followers"), ("fields", "*")],
    [("format", "api")],
    [("format", "xml")],
    [("a" * 200, "b")] * 900,
    [("token", "mkl_00000000001_" + "0" * 45)],
    [("exclude_owner", "true")],
]

HEADERS: list[dict[str, str]] = [
    {"Accept": "application/json; indent=8"},
    {"Accept": "application/xml"},
    {"Accept": "text/html,*/*;q=0.1"},
    {"Accept": "application/vnd.oai.openapi"},
    {"Accept": "," * 20_000},
    {"Accept": ""},
    {"Range": "bytes=0-1,2-3," + "5-6," * 1_000},
    {"If-None-Match": ", ".join(f'"{n}"' for n in range(5_000))},
    {"If-Modified-Since": "Thu, 99 Foo 99999 99:99:99 GMT"},
    {"X-App-Timezone": "../../etc/passwd"},
    {"X-App-Timezone": "Pacific/Kiritimati"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"Accept-Language": "xx-" * 5_000},
    {"Cookie": "sessionid=" + "a" * 4_000},
    {"Cookie": "; ".join(f"a{n}=b" for n in range(2_000))},
    {"Origin": "null"},
]
# A credential of no worth, in place of the caller's own.
CREDENTIALS: list[dict[str, str]] = [
    {"Authorization": "Token " + "a" * 5_000},
    {"Authorization": "Token mkl_00000000001_" + "0" * 45},
    {"Authorization": "Token"},
    {"Authorization": "Bearer a b c"},
    {"Authorization": "Basic OjpcAA=="},
    {"Authorization": "Token \xff\xfe"},
]

# In place of an id, a slug or a name, as they stand in the address.
PLACES: dict[str, list[str]] = {
    "int": ["0", "999999999", "9" * 18, "9" * 30, "9" * 5_000],
    "slug": ["nobody-at-all", "1", "9" * 30, "-", "a" * 5_000],
    "str": [
        "nobody-at-all",
        "1",
        "9" * 30,
        quote(NUL),
        "%2e%2e",
        "%F0%9F%90%9D",
        "%ff",
        "a" * 5_000,
        "maker1@example.com",
    ],
}

# In place of one value of a body that is otherwise right, as JSON.
VALUES: list[str] = [
    "null",
    json.dumps(NUL),
    '"\\ud800"',
    "1e999",
    "-1",
    str(2**70),
    json.dumps("x" * 100_000),
    "[]",
    "{}",
    json.dumps([1] * 10_000),
    json.dumps(["x" * 100] * 1_000),
    json.dumps({"id": 1, "username": "maker1"}),
    "true",
    '"2026-02-30"',
    '"9999-12-31T23:59:59+14:00"',
]

JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
FILE = b'; filename="../../a.svg"\r\nContent-Type: image/png'

# On every write there is: (content type, body).
BODIES: list[tuple[str, bytes]] = [
    (JSON, b""),
    (JSON, b"{}"),
    (JSON, b"[]"),
    (JSON, b"null"),
    (JSON, b'"a"'),
    (JSON, b"1e999"),
    (JSON, b"NaN"),
    (JSON, b"{"),
    (JSON, b"\xff\xfe"),
    (JSON, b"\xef\xbb\xbf{}"),
    (JSON, b"[" * DEEP),
    (JSON, b"[" * DEEP + b"]" * DEEP),
    (JSON, b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    (JSON, b'{"content":' + b"[" * 900 + b"]" * 900 + b"}"),
    (JSON, b'{"a":1,' * 1 + b'"b":' + b"9" * 5_000 + b"}"),
    (JSON, json.dumps({f"k{n}": n for n in range(20_000)}).encode()),
    (JSON, json.dumps([{"content": "a"}] * 10_000).encode()),
    (JSON, json.dumps({"tasks": [{"content": "a"}] * 10_000}).encode()),
    (FORM, urlencode([(f"k{n}", "a") for n in range(2_000)]).encode()),
    (FORM, b"content=%00&content=%ff"),
    (MULTIPART, PART % (b"content", b"", b"a")),
    (MULTIPART, PART % (b"content", b"", b"\x00\xff") + b"--b--\r\n"),
    (MULTIPART, b"".join(PART % (b"k%d" % n, b"", b"a") for n in range(2_000)) + b"--b--\r\n"),
    (MULTIPART, PART % (b"attachment", FILE, b"<svg/>") + PART % (b"avatar", FILE, b"GIF89a") + b"--b--\r\n"),
    ("multipart/form-data", b"--b--"),
    ("text/plain", b"a"),
    ("", b"a"),
    ("application/json; charset=utf-7", b"{}"),
    ("application/json; charset=no-such", b"{}"),
]
