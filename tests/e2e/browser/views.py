"""The views as people meet them, on a stack with a past: what the pictures show and the accessibility tests look at."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.browser.conftest import Stack, give_admin_key

SENTENCE = "The staff were lovely, but the room was not clean and nobody answered the phone."
LINES = [
    SENTENCE,
    "The park was rad, dialled it today.",
    "It opens at nine.",
    "Zip broke the first time I wore it.",
    "Best dumplings in town, and the waiter remembered us.",
    "Does the large one fit under a desk?",
    "Two weeks late, and the box was empty.",
]


def open_view(page: Page, stack: Stack, name: str) -> None:
    """Bring a page to a view's usual state, and wait until all of it is there."""
    give_admin_key(page, stack)
    OPENED[name](page, stack)
    expect(page.locator("[aria-busy=true], .skeleton")).to_have_count(0)
    page.evaluate("document.fonts.ready")


def _try(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/#/try")
    page.get_by_label("Text", exact=True).fill(SENTENCE)
    expect(page.get_by_text("What each word adds")).to_be_visible()


def _many(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/#/try?many=1")
    page.get_by_label("Texts, one a line").fill("\n".join(LINES))
    page.get_by_role("button", name=f"Score {len(LINES)} texts").click()
    expect(page.get_by_role("region", name="Scored rows")).to_be_visible()


def _label(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/#/label")
    expect(page.get_by_text("left", exact=False).first).to_be_visible()


def _models(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/#/models")
    expect(page.get_by_role("heading", name="Decisions")).to_be_visible()


def _watch(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/#/watch?range=7d")
    expect(page.locator("figure").first).to_be_visible()


OPENED: dict[str, Callable[[Page, Stack], None]] = {
    "try": _try,
    "many": _many,
    "label": _label,
    "models": _models,
    "watch": _watch,
}
