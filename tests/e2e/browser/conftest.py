"""The console in a real browser, on a real `make up`."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.e2e.test_up import free_port, running

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# No screen and no other user on a test machine; and nothing that looks for Google's servers.
FLAGS = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--disable-quic", "--no-sandbox"]
PATIENCE_MS = 20_000
NOT_REACHED = re.compile("Failed to load resource|TypeError: Failed to fetch dynamically imported module")
NARROW, WIDE = {"width": 360, "height": 740}, {"width": 1600, "height": 900}


@dataclass(frozen=True)
class Stack:
    """A running `make up`.

    Attributes:
        url: of the console, without a slash at its end.
        folder: where it keeps its state.
        admin_key: what the admin routes ask for.
    """

    url: str
    folder: Path
    admin_key: str


def chromium() -> str:
    """Return the browser: CHROMIUM, or the first on the PATH; fail with what to do if there is none."""
    named = os.environ.get("CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "There is no Chromium: apt-get install chromium, or name it: CHROMIUM=/path make test-browser"
    return found


@contextmanager
def started(folder: Path, **settings: str) -> Iterator[Stack]:
    """Run a stack of one's own, with settings as in its environment."""
    with running(folder, free_port(), **settings) as url:
        yield Stack(url, folder, (folder / "admin.key").read_text())


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One for all tests of a module, which asks for no API key."""
    with started(tmp_path_factory.mktemp("stack")) as made:
        yield made


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages of fresh sessions; afterwards fail if one of them had an error of its own.

    What was refused or not reached is in the browser's console as well, and no fault of the page. Arguments are those
    of a Playwright context, such as `viewport` and `color_scheme`.
    """
    faults: list[str] = []
    contexts = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not NOT_REACHED.match(message.text):
            faults.append(message.text)

    def open_one(**options: object) -> Page:
        context = browser.new_context(**{"viewport": WIDE, "accept_downloads": True} | options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: faults.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page()


@pytest.fixture
def admin_page(open_page: Callable[..., Page], stack: Stack) -> Page:
    """A page whose session has the stack's admin key already."""
    page = open_page()
    give_admin_key(page, stack)
    return page


def give_admin_key(page: Page, stack: Stack) -> None:
    """Put the admin key where the page keeps it, as if its user had entered it."""
    page.goto(f"{stack.url}/assets/")  # any address of the same origin
    page.evaluate("key => sessionStorage.setItem('sentiloop.admin-key', key)", stack.admin_key)
