"""The frame of the console: its views, its keys, its theme, and what the browser is told to refuse."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.browser.conftest import NARROW, WIDE, Stack, give_admin_key, started

pytestmark = pytest.mark.browser
FOREIGN_SCRIPT = """new Promise(resolve => {
  const script = document.createElement('script');
  script.onload = () => resolve(true);
  script.onerror = () => resolve(false);
  try { script.src = 'data:text/javascript,0' } catch { resolve(false) }
  document.head.append(script);
})"""
VIEWS = ("Try", "Label", "Models", "Watch")


def test_every_view_is_one_click_away_and_has_an_address(admin_page: Page, stack: Stack) -> None:
    admin_page.goto(stack.url)
    expect(admin_page.get_by_role("heading", level=1)).to_have_text("Try")
    for name in VIEWS:
        admin_page.get_by_role("link", name=name, exact=True).click()
        expect(admin_page.get_by_role("heading", level=1)).to_have_text(name)
        expect(admin_page).to_have_title(f"{name} · Sentiloop")
        assert admin_page.url == f"{stack.url}/#/{name.lower()}"
        expect(admin_page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
    admin_page.go_back()
    expect(admin_page.get_by_role("heading", level=1)).to_have_text("Models")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_no_view_is_wider_than_the_window(open_page: Callable[..., Page], stack: Stack, size: dict[str, int]) -> None:
    page = open_page(viewport=size)
    give_admin_key(page, stack)
    for name in VIEWS:
        page.goto(f"{stack.url}/#/{name.lower()}")
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_the_theme_follows_the_system_until_it_is_chosen_and_is_remembered(
    open_page: Callable[..., Page], stack: Stack
) -> None:
    page = open_page(color_scheme="dark")
    page.goto(stack.url)

    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor"))

    dark = ground()
    page.get_by_role("button", name="Theme: auto").click()
    assert ground() != dark
    page.reload()
    assert ground() != dark
    page.get_by_role("button", name="Theme: light").click()
    assert ground() == dark


def test_a_key_is_asked_for_once_refused_if_wrong_and_kept_for_the_session_alone(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    with started(tmp_path, LOCAL_API_KEY="secret") as stack:
        page = open_page()
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(stack.url)
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("heading")).to_have_text("API key needed")
        dialog.get_by_role("textbox").fill("wrong")
        dialog.get_by_role("button", name="Use this key").click()
        expect(dialog.get_by_role("heading")).to_have_text("API key refused")
        dialog.get_by_role("textbox").fill("secret")
        page.keyboard.press("Enter")
        expect(page.locator("#served")).to_contain_text("baseline-")
        page.reload()
        expect(page.locator("#served")).to_contain_text("baseline-")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert not [url for url in requests if "secret" in url]
        assert "secret" not in str(page.context.storage_state())  # cookies and local storage
        page.get_by_role("button", name="Keys").click()
        page.get_by_role("button", name="Forget the API key").click()
        expect(page.get_by_role("heading", name="API key needed")).to_be_visible()


def test_who_closes_the_dialog_can_enter_the_key_later(open_page: Callable[..., Page], tmp_path: Path) -> None:
    with started(tmp_path, LOCAL_API_KEY="secret") as stack:
        page = open_page()
        page.goto(stack.url)
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("button", name="Keys").click()
        page.get_by_role("button", name="Enter the API key").click()
        page.get_by_role("textbox", name="API key").fill("secret")
        page.get_by_role("button", name="Use this key").click()
        expect(page.locator("#served")).to_contain_text("baseline-")


def test_the_browser_refuses_scripts_of_others_and_markup_from_texts(browser: Browser, stack: Stack) -> None:
    page = browser.new_page()  # one whose errors are meant
    page.goto(stack.url)
    assert page.evaluate(
        "(() => { try { document.body.innerHTML = '<b>x</b>'; return '' } catch (e) { return e.name } })()"
    )
    ran = page.evaluate(FOREIGN_SCRIPT)
    assert ran is False
    page.close()


def test_where_no_key_would_help_none_is_asked_for(admin_page: Page, stack: Stack) -> None:
    closed = {"code": "forbidden", "message": "the admin routes are closed", "hint": "Set SENTILOOP_ADMIN_KEY."}
    admin_page.route("**/v1/review*", lambda route: route.fulfill(status=403, json={"error": closed}))
    admin_page.goto(f"{stack.url}/#/label")
    alert = admin_page.get_by_role("alert").filter(has_text="The admin routes are closed.")
    expect(alert).to_contain_text("Set SENTILOOP_ADMIN_KEY.")
    expect(alert.get_by_role("button")).to_have_text("Try again")
    expect(admin_page.get_by_role("dialog")).to_have_count(0)


def test_a_question_that_is_cut_off_is_asked_once_more(page: Page, stack: Stack) -> None:
    asked: list[str] = []

    def cut_the_first(route: Route) -> None:
        asked.append(route.request.url)
        route.abort("internetdisconnected") if len(asked) == 1 else route.continue_()

    page.route("**/v1/model_info", cut_the_first)
    page.goto(stack.url)
    expect(page.locator("#served")).to_contain_text("baseline-")


def test_an_answer_that_was_overtaken_is_not_told_as_news(page: Page, stack: Stack) -> None:
    held: list[Route] = []

    def overtake(route: Route) -> None:
        if held:
            route.fulfill(json={**route.fetch().json(), "version": "the newest"})
        else:
            held.append(route)

    page.route("**/v1/model_info", overtake)
    page.goto(stack.url)
    page.get_by_label("Text", exact=True).fill("The staff were wonderful.")  # asks again
    expect(page.locator("#served")).to_have_text("the newest")
    with page.expect_response("**/v1/model_info"):
        held[0].continue_()
    page.evaluate("new Promise(done => setTimeout(done, 100))")
    expect(page.locator("#served")).to_have_text("the newest")


def test_a_first_visit_asks_for_few_parts(page: Page, stack: Stack) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(stack.url)
    page.get_by_label("Text", exact=True).wait_for()
    parts = {url.rsplit("/", 1)[1] for url in requests if "/assets/" in url}
    assert parts == {"app.js", "style.css", "icon.svg"}


def test_a_page_without_its_scripts_says_so(page: Page, stack: Stack) -> None:
    page.route("**/app.js", lambda route: route.abort())
    page.goto(stack.url)
    expect(page.get_by_text("If it stays like this, load it again.")).to_be_visible()


def test_a_view_whose_script_does_not_come_says_so_and_is_there_once_loaded_again(page: Page, stack: Stack) -> None:
    page.route("**/watch.js", lambda route: route.abort())
    page.goto(f"{stack.url}/#/watch")
    expect(page.get_by_text("load it again")).to_be_visible()
    page.unroute("**/watch.js")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Watch")
