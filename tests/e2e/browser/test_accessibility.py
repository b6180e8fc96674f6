"""Every view in both themes and at both widths: nothing that axe-core finds, nothing that moves, and little to load."""

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.e2e.browser.conftest import NARROW, WIDE, Stack, started
from tests.e2e.browser.views import OPENED, open_view
from tests.e2e.browser.world import fill

pytestmark = pytest.mark.browser
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with started(tmp_path_factory.mktemp("world")) as made:
        fill(made)
        yield made


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", OPENED)
def test_axe_finds_nothing_and_the_page_is_no_wider_than_the_window(
    open_page: Callable[..., Page], stack: Stack, view: str, theme: str, size: dict[str, int]
) -> None:
    page = open_page(viewport=size, color_scheme=theme)
    open_view(page, stack, view)
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("view", OPENED)
def test_what_a_view_needs_is_small_and_from_here(page: Page, stack: Stack, view: str) -> None:
    open_view(page, stack, view)
    entries = page.evaluate(
        "performance.getEntries().filter(each => 'transferSize' in each).map(each => [each.name, each.transferSize])"
    )
    assert entries
    assert all(name.startswith(stack.url) for name, _ in entries)
    assert sum(size for _, size in entries) < 100_000, sorted(entries, key=lambda entry: -entry[1])[:10]
