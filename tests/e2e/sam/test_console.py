"""The console through `sam local`: the page from its container, what it shows from the others."""

import pytest
from playwright.sync_api import expect, sync_playwright

from infra.sam.stack import Stack
from tests.e2e.browser.conftest import FLAGS, chromium
from tests.e2e.sam.conftest import Client

pytestmark = pytest.mark.sam
COLD_MS = 60_000  # each function's container starts with its first request


def test_a_text_is_scored_and_corrected_in_the_browser(stack: Stack, client: Client) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(COLD_MS)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(stack.url)
        page.get_by_label("Text", exact=True).fill("The staff were wonderful and we loved every minute.")
        expect(page.get_by_role("main")).to_contain_text("positive", timeout=COLD_MS)
        expect(page.locator("#served")).to_have_text(client.version(), timeout=COLD_MS)
        with page.expect_response(lambda response: response.url.endswith("/v1/feedback")) as sent:
            page.keyboard.press("Alt+2")
        assert sent.value.status == 201
        assert client.get(f"/v1/feedback/{sent.value.json()['id']}").body["status"] == "stored"
        assert not faults
        browser.close()


def test_the_page_is_that_of_make_up(client: Client) -> None:
    answer = client.get("/")
    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert '<base href="/">' in answer.body
