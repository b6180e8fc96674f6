"""The Label view as a test meets it: what waits in the service, what the page sends, and what stands there."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from playwright.sync_api import Locator, Page, Request, Route, expect

from tests.e2e.browser.conftest import Stack, give_admin_key
from tests.e2e.test_up import ask

QUEUE, ANSWERS = re.compile(r"/v1/review\?"), re.compile(r"/v1/review/")
NUMBERS = count()


@dataclass
class Service:
    """What waits in the service, and what the page sends to it.

    Attributes:
        sent: the answers as they went out: the sample's id and what was said about it.
    """

    stack: Stack
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def review(self, path: str = "", body: object = None) -> tuple[int, Any]:
        """Ask the review's routes as an admin."""
        return ask(f"{self.stack.url}/v1/review{path}", body, **{"x-admin-key": self.stack.admin_key})

    def waiting(self) -> list[dict[str, Any]]:
        """Return the texts that wait for a label."""
        return list(self.review("?limit=100")[1]["items"])

    def keep(self, *texts: str) -> None:
        """Let these texts wait, and no others."""
        for item in self.waiting():
            if self.review(f"/{item['sample_id']}", {"action": "skip"})[0] == 409:  # it had a label before
                self.review(f"/{item['sample_id']}", {"action": "accept"})
        for text in texts:
            assert ask(f"{self.stack.url}/v1/predict", {"text": text})[0] == 200
        assert len(self.waiting()) == len(texts)

    def note(self, request: Request) -> None:
        """Remember an answer that the page sends."""
        if request.method == "POST" and ANSWERS.search(request.url):
            self.sent.append((request.url.rsplit("/", 1)[-1], json.loads(request.post_data or "")))

    @property
    def actions(self) -> list[str]:
        """The actions that were sent, in order."""
        return [body["action"] for _, body in self.sent]


def prepare(page: Page, service: Service) -> None:
    """Give a page the admin key, and remember its answers."""
    give_admin_key(page, service.stack)
    page.on("request", service.note)


def fresh(many: int) -> list[str]:
    """Return texts unlike each other and all before: near-equal ones would be asked about once."""

    def word(number: int) -> str:
        return "".join(chr(ord("a") + digit) for digit in (number // 676 % 26, number // 26 % 26, number % 26)) + "ox"

    return [" ".join(word(next(NUMBERS)) for _ in range(4)) for _ in range(many)]


def stage(page: Page) -> Locator:
    """Find the place of the text."""
    return page.get_by_role("region", name="Text to label")


def opened(page: Page, service: Service, texts: list[str]) -> str:
    """Open the view on these texts and return the one that is asked about."""
    service.keep(*texts)
    page.goto(f"{service.stack.url}/#/label")
    expect(stage(page).locator(".text")).to_be_visible()
    return shown(page)


def on_page(page: Page, text: str) -> Locator:
    """Find a text on the page, which may have been read out as well."""
    return page.locator("#main").get_by_text(text)


def shown(page: Page) -> str:
    """Return the text that is asked about."""
    return stage(page).locator(".text").text_content() or ""


def press(page: Page, key: str) -> str:
    """Press a key that answers; return the text that stands there then."""
    before = shown(page)
    page.keyboard.press(key)
    expect(stage(page)).not_to_have_text(before)
    return shown(page) if stage(page).locator(".text").count() else ""


def figures(page: Page) -> list[str]:
    """Return the numbers of answers given and of texts left."""
    return page.locator(".label-figure").all_text_contents()


def saved(page: Page) -> None:
    """Wait until all answers have arrived."""
    expect(on_page(page, "All answers are saved.")).to_be_visible()


def last_answers(page: Page) -> Locator:
    """Find the rows of the last answers."""
    return page.locator("section", has=page.get_by_role("heading", name="Last answers")).get_by_role("listitem")


def label_button(page: Page, label: str) -> Locator:
    """Find the button of a label."""
    return page.get_by_role("group", name="Labels").get_by_role("button", name=label)


class Gate:
    """Holds or refuses the answers that the page sends, until it is opened."""

    def __init__(self, page: Page, refuse: Callable[[Route], None] | None = None) -> None:
        self.held: list[Route] = []
        self._is_open = False
        self._refuse = refuse or self.held.append
        page.route(ANSWERS, self._pass)

    def open(self) -> None:
        """Let the held answers through, and those to come."""
        self._is_open = True
        for route in self.held:
            route.continue_()

    def _pass(self, route: Route) -> None:
        if self._is_open:
            route.continue_()
        else:
            self._refuse(route)


def failing(status: int, code: str = "", **headers: str) -> Callable[[Route], None]:
    """Return what answers a request with an error; 0: not at all."""
    error = {"code": code, "message": f"no, said {code}", "hint": "Do something else.", "request_id": "r-1"}

    def refuse(route: Route) -> None:
        if status == 0:
            route.abort()
        else:
            route.fulfill(status=status, headers=headers, json={"error": error})

    return refuse
