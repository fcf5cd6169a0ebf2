#!/usr/bin/env python3
"""Posts the history of a git repository as tasks: one task a commit, each on its own day.

    python examples/git_to_makerlog.py REPO --url http://127.0.0.1:8000 --token mkl_... [--project name] [--limit N]

Run it as often as you like: the hash of a commit is its task's external_id, so nothing is posted twice. It speaks the
public API only, needs nothing but Python 3.11 and git, and shows a progress bar where tqdm is installed.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

BATCH = 50  # the most that /tasks/batch/ takes
MAX_CONTENT = 500
TRIES = 8
LONGEST_WAIT = 120.0  # seconds; a server that asks for more is left alone
TIMEOUT = 60.0
WORTH_ANOTHER_TRY = {429, 500, 502, 503, 504}
PROJECT = re.compile(r"[^\W_][\w-]{0,49}")

Wait = Callable[[float], None]


class Problem(Exception):
    """What keeps the history from being posted, in one sentence."""


@dataclass(frozen=True)
class Commit:
    hash: str
    authored: int  # seconds since 1970
    subject: str


# --- The repository ---


def read_commits(repository: str, limit: int | None) -> list[Commit]:
    """The newest ``limit`` commits, or all, oldest first."""
    newest = [f"--max-count={limit}"] if limit else []
    # NUL ends every field and every commit: a subject may hold anything else.
    log = [
        "log",
        "--reverse",
        "-z",
        "--no-show-signature",
        "--no-color",
        "--format=%H%x00%at%x00%s",
        *newest,
        "HEAD",
        "--",
    ]
    fields = git(repository, log).decode("utf-8", "replace").split("\0")
    return [Commit(each, int(authored or 0), subject) for each, authored, subject in triples(fields)]


def git(repository: str, arguments: list[str]) -> bytes:
    try:
        return subprocess.run(["git", "-C", repository, *arguments], capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise Problem("git is not installed, or not on the PATH.") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines() or ["it did not say why"]
        raise Problem(f"git cannot read the history of {repository}: {said[0]}.") from error


def triples(fields: list[str]) -> Iterator[tuple[str, str, str]]:
    return zip(fields[0::3], fields[1::3], fields[2::3], strict=False)


def task_of(commit: Commit, project: str | None, now: datetime) -> dict[str, Any]:
    """What the API is sent. A commit from the future was made by a wrong clock: it was done now."""
    tail = f" #{project}" if project else ""
    subject = " ".join(commit.subject.split()) or f"commit {commit.hash[:10]}"
    if len(subject) + len(tail) > MAX_CONTENT:
        subject = subject[: MAX_CONTENT - len(tail) - 1] + "…"
    authored = min(max(commit.authored, 0), now.timestamp())
    return {
        "content": subject + tail,
        "done": True,
        "done_at": datetime.fromtimestamp(authored, UTC).isoformat(),
        "external_id": commit.hash,
    }


# --- The API ---


class StayHere(urllib.request.HTTPRedirectHandler):
    """A redirect would lose the body, and take the token to another place."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Makerlog:
    """The one call that this app needs."""

    def __init__(self, url: str, token: str, wait: Wait = time.sleep) -> None:
        if not re.match(r"https?://[^/\s]+", url):
            raise Problem(f"--url is {url!r}, and must look like https://makerlog.example.")
        self.url = f"{url.rstrip('/')}/tasks/batch/"
        self.headers = {"Authorization": f"Token {token}", "User-Agent": "git_to_makerlog/1"}
        self.wait = wait
        self.opener = urllib.request.build_opener(StayHere)

    def post(self, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Posts a batch, again and again where the server or the network asks for it. The same key each time: if it was
        only the answer that got lost, the server gives that answer once more."""
        key = str(uuid.uuid4())
        body = json.dumps(tasks).encode()
        for attempt in range(TRIES):
            answer, pause = self.attempt(body, key, attempt)
            if answer is not None:
                return answer
            if attempt + 1 < TRIES:
                print(f"No answer yet; the next try is in {pause:.0f} s.", file=sys.stderr)
                self.wait(pause)
        raise Problem(f"{self.url} gave no answer in {TRIES} tries; run this again later to go on.")

    def attempt(self, body: bytes, key: str, attempt: int) -> tuple[list[dict[str, Any]] | None, float]:
        """The answer, or None and how long to wait before the next try."""
        headers = {**self.headers, "Content-Type": "application/json", "Idempotency-Key": key}
        request = urllib.request.Request(self.url, data=body, headers=headers, method="POST")
        backoff = min(2.0**attempt, 30.0)
        try:
            with self.opener.open(request, timeout=TIMEOUT) as response:
                return answers_in(response.read()), 0.0
        except urllib.error.HTTPError as error:
            with error:
                return None, self.pause_after(error, backoff)
        except (OSError, http.client.HTTPException):  # the network went, or half of the answer
            return None, backoff

    def pause_after(self, error: urllib.error.HTTPError, backoff: float) -> float:
        """How long to wait after an error that passes; a Problem for one that does not."""
        said = explanation(error)
        still_running = error.code == 409 and said.get("code") == "idempotency_key_in_use"
        if error.code not in WORTH_ANOTHER_TRY and not still_running:
            raise Problem(f"{self.url} answered {error.code}: {said.get('detail') or error.reason}")
        asked = error.headers.get("Retry-After", "")
        pause = float(asked) if asked.isdigit() else backoff
        if pause > LONGEST_WAIT:
            raise Problem(f"{self.url} asks to come back in {pause:.0f} seconds; run this again then to go on.")
        return pause


def answers_in(body: bytes) -> list[dict[str, Any]]:
    with contextlib.suppress(ValueError):
        answers = json.loads(body)
        if isinstance(answers, list):
            return answers
    raise Problem("What answers at --url is not Makerlog's API.")


def explanation(error: urllib.error.HTTPError) -> dict[str, Any]:
    """The API's own words, where the answer has any."""
    try:
        said = json.load(error)
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


# --- From one to the other ---


def post_history(commits: list[Commit], makerlog: Makerlog, project: str | None) -> tuple[Counter[int], list[str]]:
    """How many tasks got which status (201 is new, 200 was known), and why some were refused."""
    statuses: Counter[int] = Counter()
    refused = []
    with progress_bar(len(commits)) as bar:
        for start in range(0, len(commits), BATCH):
            batch = commits[start : start + BATCH]
            answers = makerlog.post([task_of(commit, project, datetime.now(UTC)) for commit in batch])
            for commit, answer in zip(batch, answers, strict=True):
                statuses[answer["status"]] += 1
                if answer["status"] >= 400:
                    refused.append(f"{commit.hash[:10]}: {json.dumps(answer['errors'])}")
            bar.update(len(batch))
    return statuses, refused


class PlainBar:
    """Stands in for tqdm: a line that is written over."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0

    def __enter__(self) -> "PlainBar":
        return self

    def __exit__(self, *error: object) -> None:
        if sys.stderr.isatty():
            print(file=sys.stderr)

    def update(self, count: int) -> None:
        self.done += count
        if sys.stderr.isatty():
            print(f"\r{self.done:,} of {self.total:,} commits", end="", file=sys.stderr, flush=True)


def progress_bar(total: int) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return PlainBar(total)
    return tqdm(total=total, unit=" commits", disable=None, file=sys.stderr)


# --- The command ---


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Posts the history of a git repository as tasks, one a commit.")
    parser.add_argument("repository", metavar="REPO", help="a folder that git knows")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where Makerlog is (default: %(default)s)")
    parser.add_argument(
        "--token",
        default=os.environ.get("MAKERLOG_TOKEN", ""),
        help="your personal token, with the scope tasks:write; MAKERLOG_TOKEN keeps it out of the list of processes",
    )
    parser.add_argument("--project", help="adds #PROJECT to every task")
    parser.add_argument("--limit", type=int, help="only the newest LIMIT commits")
    return parser.parse_args(given)


def check(options: argparse.Namespace) -> None:
    if not re.fullmatch(r"[\x21-\x7e]+", options.token):
        raise Problem("A token is needed: give it with --token, or in MAKERLOG_TOKEN.")
    if options.project is not None and (not PROJECT.fullmatch(options.project) or options.project.isdigit()):
        raise Problem(f"--project is {options.project!r}, and must be letters, digits, - or _, and not a number.")
    if options.limit is not None and options.limit < 1:
        raise Problem(f"--limit is {options.limit}, and must be 1 or more.")


def report(statuses: Counter[int], refused: Iterable[str]) -> int:
    print(f"{statuses[201]} new, {statuses[200]} known already.")
    reasons = list(refused)
    if reasons:
        print(f"Error: {len(reasons)} refused, the first one {reasons[0]}", file=sys.stderr)
    return 1 if reasons else 0


def main(given: list[str] | None = None, wait: Wait = time.sleep) -> int:
    options = arguments(given)
    try:
        check(options)
        makerlog = Makerlog(options.url, options.token, wait)
        return report(*post_history(read_commits(options.repository, options.limit), makerlog, options.project))
    except Problem as problem:
        print(f"Error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; run it again to go on, nothing is posted twice.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
