"""A phone for tests: the machine's own Chromium, driven by playwright. `make browser` installs it where it may."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django_otp.oath import TOTP
from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PHONE = {"width": 390, "height": 844}
SHOTS = os.environ.get("SCREENSHOTS")
SMALL_PHONE = {"width": 360, "height": 640}


def chromium() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def phone(address: str, size: dict[str, int] = PHONE) -> Iterator[Page]:
    """A page of a cold browser at ``address``, as a proxy forwards it. Skips the test where there is no Chromium.

    While it is open Django's database cannot be asked in this thread: playwright's loop runs in it.
    """
    executable = chromium()
    if executable is None:
        pytest.skip("There is no Chromium on this machine: as root on Debian, `make browser` installs it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            headers = {"X-Forwarded-For": address}
            yield browser.new_page(viewport=size, has_touch=True, is_mobile=True, extra_http_headers=headers)  # type: ignore[arg-type]
        finally:
            browser.close()


def sign_in(page: Page, port: int, username: str, password: str, key: bytes, to: str = "/admin/") -> None:
    """With a second factor, to the page ``to`` of the admin. ``key``: of the authenticator app."""
    page.goto(f"http://127.0.0.1:{port}{to}")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").tap()
    page.get_by_label("Code").fill(f"{TOTP(key).token():06d}")
    page.get_by_role("button", name="Go on").tap()


def shot(page: Page, name: str) -> None:
    """A picture of the whole page, where SCREENSHOTS names a folder."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def install() -> str:
    """Installs it if it may: what came of that, in a sentence."""
    if found := chromium():
        return f"Tests in a browser use {found}."
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        return (
            "There is no Chromium, and only root on Debian can have it installed here: tests in a browser are skipped."
        )
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "--no-install-recommends", "chromium"]):
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        )
        if done.returncode:
            return f"Chromium could not be installed, tests in a browser are skipped: {done.stderr.strip()[-300:]}"
    return "Chromium was installed, for tests in a browser."


if __name__ == "__main__":
    sys.stdout.write(f"{install()}\n")
