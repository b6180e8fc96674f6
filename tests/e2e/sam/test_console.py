"""The console through `sam local`: the page from its container, what it shows from the others."""

from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from infra.sam.stack import Stack
from tests.e2e.browser.conftest import FLAGS, chromium
from tests.e2e.sam.conftest import Client, wait_until

pytestmark = pytest.mark.sam
PATIENCE_MS = 60_000
ADDRESSES, TENTATIVE = Path("/proc/net/if_inet6"), 0x40


def network_is_quiet() -> bool:
    """Whether every interface has the address that it asked for.

    A container brings an interface, which has its address a second later. Browsers take that for another network and
    give up what is under way, as they do where somebody walks out of reach.
    """
    if not ADDRESSES.exists():
        return True
    return not any(int(line.split()[4], 16) & TENTATIVE for line in ADDRESSES.read_text().splitlines())


@pytest.fixture
def warm(client: Client) -> Client:
    """A client of a service whose page, too, has its container."""
    assert client.get("/").status == 200
    wait_until(network_is_quiet)
    return client


def test_a_text_is_scored_and_corrected_in_the_browser(stack: Stack, warm: Client) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(stack.url)
        page.get_by_label("Text", exact=True).fill("The staff were wonderful and we loved every minute.")
        expect(page.get_by_role("main")).to_contain_text("positive", timeout=PATIENCE_MS)
        expect(page.locator("#served")).to_have_text(warm.version(), timeout=PATIENCE_MS)
        with page.expect_response(lambda response: response.url.endswith("/v1/feedback")) as sent:
            page.keyboard.press("Alt+2")
        assert sent.value.status == 201
        assert warm.get(f"/v1/feedback/{sent.value.json()['id']}").body["status"] == "stored"
        assert not faults
        browser.close()


def test_the_page_is_that_of_make_up(client: Client) -> None:
    answer = client.get("/")
    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert '<base href="/">' in answer.body
