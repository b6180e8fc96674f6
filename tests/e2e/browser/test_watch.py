"""Watch: what is wrong, what was asked and answered, and whether the model still fits; on a service with a past."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.browser.conftest import NARROW, WIDE, Stack, give_admin_key, started
from tests.e2e.browser.world import fill

pytestmark = pytest.mark.browser
HISTORY, METRICS = "**/v1/metrics/history?**", "**/v1/metrics"
ALERTS, CHECKS = "**/v1/alerts?**", "**/v1/checks?**"
HOSTILE = "<img src=x onerror=alert(1)>\u202egnp.exe 👩\u200d👩\u200d👧 " + "x" * 10_000
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with started(tmp_path_factory.mktemp("watched"), SENTILOOP_ACTIVITY_SECONDS="1") as made:
        fill(made)
        yield made


def opened(page: Page, stack: Stack, query: str = "?range=7d") -> Page:
    page.goto(f"{stack.url}/#/watch{query}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Watch")
    settled(page)
    return page


def settled(page: Page) -> None:
    """Wait until all that was asked for is there."""
    expect(page.locator("main .panel")).to_have_count(4)
    expect(page.locator("[aria-busy=true], .skeleton")).to_have_count(0)


def part(page: Page, title: str) -> Locator:
    return page.locator(".panel", has=page.get_by_role("heading", name=title, level=2))


def figure(page: Page, title: str) -> Locator:
    return page.locator("figure", has=page.locator("figcaption", has_text=re.compile(f"^{title}")))


def answer(body: object, status: int = 200) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, content_type="application/json", body=json.dumps(body))


def changed(change: Callable[[Any], None]) -> Callable[[Route], None]:
    """Let the service answer, with a change."""

    def handle(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        change(body)
        route.fulfill(response=response, json=body)

    return handle


def refused(status: int) -> dict[str, object]:
    detail = {"code": "broken", "message": "it is broken", "hint": "Mend it <b>now</b>.", "request_id": "r-1"}
    return {"error": {**detail, "status": status}}


def alert(cause: str, state: str = "open", **more: object) -> dict[str, object]:
    told = {"cause": cause, "state": state, "title": f"Title of {cause}", "text": f"Text of {cause}.", "messages": 1}
    told |= {"figures": {"value": "0.127"}, "command": "./sentiloop review", "at": "2026-01-05T10:00:00.000Z"}
    return told | {"over_at": "2026-01-06T10:00:00.000Z" if state == "over" else None} | more


def alerts(*items: dict[str, object]) -> dict[str, object]:
    return {"items": items, "open": len(items), "unreadable": 0, "unread": 0}


def test_a_range_is_in_the_address_and_stays_there(page: Page, stack: Stack) -> None:
    opened(page, stack, "")
    expect(page.get_by_role("button", name="24 hours")).to_have_attribute("aria-pressed", "true")
    with page.expect_request(HISTORY):
        page.get_by_role("button", name="30 days").click()
    assert page.url.endswith("#/watch?range=30d")
    page.reload()
    settled(page)
    expect(page.get_by_role("button", name="30 days")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="24 hours")).to_have_attribute("aria-pressed", "false")


def test_a_time_from_and_until_can_be_shown_and_shared_and_a_wrong_one_is_explained(page: Page, stack: Stack) -> None:
    opened(page, stack)
    page.get_by_text("From and until").click()
    for begin, end, why in [
        ("2026-01-03T00:00", "2026-01-02T00:00", "must begin before it ends"),
        ("2024-01-03T00:00", "2026-01-02T00:00", "At most 399 days"),
        ("", "2026-01-02T00:00", "Give both times"),
    ]:
        page.get_by_label("From", exact=True).fill(begin)
        page.get_by_label("Until", exact=True).fill(end)
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.get_by_text(why)).to_be_visible()
        assert page.url.endswith("range=7d")
    page.get_by_label("From", exact=True).fill("2026-01-01T00:00")
    with page.expect_request(HISTORY) as asked:
        page.get_by_label("Until", exact=True).press("Enter")
    assert "from=2026-01-0" in asked.value.url or "from=2025-12-31" in asked.value.url  # of the reader's zone
    expect(part(page, "Traffic and answers").get_by_text("Nothing was asked in this time")).to_be_visible()
    assert re.search(r"#/watch\?from=\S+Z&until=\S+Z$", page.url)
    page.reload()
    settled(page)
    expect(page.get_by_label("From", exact=True)).to_have_value("2026-01-01T00:00")


@pytest.mark.parametrize("query", ["?range=1y", "?from=yesterday&until=now", "?from=2026-01-02&until=2026-01-01"])
def test_an_address_that_makes_no_sense_shows_the_last_day_and_says_so(page: Page, stack: Stack, query: str) -> None:
    opened(page, stack, query)
    expect(page.get_by_text("The last 24 hours are shown.")).to_be_visible()
    page.get_by_role("button", name="3 hours").click()
    expect(page.get_by_text("The last 24 hours are shown.")).to_have_count(0)


def test_without_an_admin_key_nothing_asks_for_it_until_somebody_wants_to_see_more(page: Page, stack: Stack) -> None:
    opened(page, stack)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(figure(page, "Latency")).to_be_visible()
    expect(part(page, "Versions").get_by_text("champion", exact=True)).to_be_visible()
    page.get_by_role("button", name="Enter the admin key to see: Alerts").click()
    page.get_by_role("textbox", name="Admin key").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The admin key was refused.")).to_have_count(2)
    page.get_by_role("button", name="Enter the admin key to see: Alerts").press("Enter")
    page.get_by_role("textbox", name="Admin key").fill(stack.admin_key)
    page.keyboard.press("Enter")
    expect(part(page, "Alerts").get_by_role("heading", name="The length of the texts has changed")).to_be_visible()
    expect(figure(page, "Length of texts")).to_be_visible()
    expect(part(page, "Alerts").get_by_role("heading", level=2)).to_be_focused()  # the button is gone


def test_a_key_that_was_kept_and_is_wrong_opens_no_dialog(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/assets/")
    page.evaluate("sessionStorage.setItem('sentiloop.admin-key', 'old')")
    opened(page, stack)
    expect(page.get_by_text("The admin key was refused.")).to_have_count(2)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_alerts_say_what_is_wrong_first_then_what_was(admin_page: Page, stack: Stack) -> None:
    page = admin_page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.route(ALERTS, answer(alerts(alert("errors"), alert("latency", "over"), alert("promoted-v1", "news"))))
    opened(page, stack)
    shown = part(page, "Alerts")
    expect(shown.get_by_role("heading", level=3)).to_have_text("Title of errors")
    expect(shown.get_by_text("Open since")).to_have_attribute("title", re.compile("5 Jan 2026"))
    shown.get_by_text("Figures").first.click()
    expect(shown.get_by_text("0.127").first).to_be_visible()
    shown.get_by_role("button", name="Copy: ./sentiloop review").click()
    expect(page.get_by_text("Copied").first).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "./sentiloop review"
    shown.get_by_text("1 alert that is over").click()
    expect(shown.get_by_role("heading", name="Title of latency")).to_be_visible()
    expect(shown.get_by_role("heading", name="Title of promoted-v1")).to_be_hidden()
    shown.get_by_text("1 message about models").click()
    expect(shown.get_by_role("heading", name="Title of promoted-v1")).to_be_visible()


def test_no_alert_is_good_news_only_if_a_check_has_looked(admin_page: Page, stack: Stack) -> None:
    admin_page.route(ALERTS, answer(alerts()))
    opened(admin_page, stack)
    expect(part(admin_page, "Alerts").get_by_text("All is well: no alert is open.")).to_be_visible()
    nothing = {"items": [], "checks": 0, "unreadable": 0, "newest": None}
    admin_page.route(CHECKS, answer(nothing))
    admin_page.get_by_role("button", name="Refresh", exact=True).click()
    expect(part(admin_page, "Alerts").get_by_text("no check has looked yet")).to_be_visible()
    expect(part(admin_page, "Does the model still fit?").get_by_text("No check looked in this time")).to_be_visible()


def test_figures_are_those_of_the_service(page: Page, stack: Stack) -> None:
    with page.expect_response(HISTORY) as came:
        opened(page, stack)
    history = came.value.json()
    for name, value in [("Predictions", history["totals"]["predictions"]), ("Requests", history["totals"]["requests"])]:
        expect(page.locator(".watch-tile", has_text=name).first.locator(".watch-figure")).to_have_text(f"{value:,}")
    chart = figure(page, "Requests and predictions")
    chart.get_by_text("Show as table").click()
    rows = chart.locator("tbody tr")
    expect(rows).to_have_count(len(history["buckets"]))
    expect(rows.nth(2).locator("td").nth(1)).to_have_text(f"{history['buckets'][2]['requests']:,}")
    expect(page.get_by_text("Figures may be up to 2 seconds old")).to_be_visible()


def test_arrow_keys_tell_single_values_and_so_does_the_pointer(page: Page, stack: Stack) -> None:
    opened(page, stack)
    chart = figure(page, "Latency")
    picture = chart.get_by_role("img")
    expect(picture).to_have_accessible_name(re.compile("^Latency. Half of the predictions took up to .* ms"))
    whole = chart.locator(".chart-value").first.inner_text()
    picture.focus()
    page.keyboard.press("End")
    expect(chart.locator(".chart-when")).to_contain_text("(UTC)")
    last = chart.locator(".chart-when").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(chart.locator(".chart-when")).not_to_have_text(last)
    expect(page.locator("#announcer")).to_contain_text(re.compile(r"\(UTC\): p50 .*, p95 .*, p99 "))
    for _ in range(20):  # it stops at the first one
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    expect(chart.locator(".chart-when")).to_have_text("The whole range")
    expect(chart.locator(".chart-value").first).to_have_text(whole)
    picture.hover(position={"x": 100, "y": 60})
    expect(chart.locator(".chart-cursor line")).to_have_count(1)
    page.mouse.move(0, 0)
    expect(chart.locator(".chart-cursor line")).to_have_count(0)


def test_a_line_has_gaps_where_nothing_is_known(page: Page, stack: Stack) -> None:
    def without(history: Any) -> None:
        for number in (2, 4):
            history["buckets"][number]["latency_ms"] = {"mean": None, "p50": None, "p95": None, "p99": None}

    page.route(HISTORY, changed(without))
    opened(page, stack)
    first = figure(page, "Latency").locator(".chart-picture .chart-line").first
    expect(first.locator("path")).to_have_count(2)
    expect(first.locator("circle")).to_have_count(1)
    figure(page, "Latency").get_by_text("Show as table").click()
    expect(figure(page, "Latency").locator("tbody tr").nth(2).locator("td").first).to_have_text("–")


def test_signals_nearest_to_their_limit_come_first_and_say_what_they_lead_to(admin_page: Page, stack: Stack) -> None:
    with admin_page.expect_response(lambda response: "checks?from" in response.url) as came:
        opened(admin_page, stack)
    newest = came.value.json()["items"][-1]
    shown = part(admin_page, "Does the model still fit?")
    near = shown.locator(".watch-drift > .watch-signals figure")
    ratios = sorted((each["value"] / each["threshold"] for each in newest["signals"].values()), reverse=True)
    expect(near).to_have_count(sum(ratio >= 0.5 for ratio in ratios))
    expect(near.first.locator("figcaption")).to_contain_text("Length of texts")
    expect(near.first).to_contain_text("▲ Beyond its limit")
    expect(near.first.locator(".chart-threshold")).to_have_text("limit 0.25")
    expect(figure(admin_page, "Choice of words")).to_contain_text("an alert and a retrain")
    expect(figure(admin_page, "Failed requests")).to_be_hidden()
    shown.get_by_text("below half of their limits").click()
    expect(figure(admin_page, "Failed requests")).to_contain_text("of its limit")
    expect(figure(admin_page, "Failed requests").locator(".chart-tick").first).to_be_visible()
    expect(figure(admin_page, "Lengths beside the reference").locator("rect").first).to_be_visible()
    expect(shown.get_by_role("table").filter(has_text="Words whose share changed most")).to_be_visible()
    expect(shown.get_by_role("table").filter(has_text="Texts that have it")).to_be_visible()


def test_versions_are_told_apart_and_a_challenger_by_how_often_it_differs(page: Page, stack: Stack) -> None:
    opened(page, stack)
    rows = part(page, "Versions").locator("tbody tr")
    expect(rows.nth(0).get_by_role("rowheader")).to_contain_text("champion")
    expect(rows.nth(1).get_by_role("rowheader")).to_contain_text("challenger")
    expect(rows.nth(1).locator("td").last).to_have_text(re.compile(r"% of \d+"))


@pytest.mark.parametrize("status", [500, 503, 429, 0])
def test_a_part_that_fails_says_so_leaves_the_others_alone_and_can_be_tried_again(
    page: Page, stack: Stack, status: int
) -> None:
    page.route(HISTORY, answer(refused(status), status) if status else lambda route: route.abort())
    opened(page, stack)
    shown = part(page, "Traffic and answers")
    expect(shown.get_by_role("alert")).to_contain_text(
        "it is broken" if status else "does not answer", ignore_case=True
    )
    expect(part(page, "Versions").get_by_role("table")).to_be_visible()
    page.unroute(HISTORY)
    shown.get_by_role("button", name="Try again").press("Enter")
    expect(figure(page, "Latency")).to_be_visible()
    expect(shown.get_by_role("heading", level=2)).to_be_focused()


def test_every_other_part_fails_alone_as_well(admin_page: Page, stack: Stack) -> None:
    for pattern in (ALERTS, CHECKS, METRICS):
        admin_page.route(pattern, answer(refused(503), 503))
    opened(admin_page, stack)
    for title in ("Alerts", "Does the model still fit?", "Versions"):
        expect(part(admin_page, title).get_by_role("alert")).to_contain_text("It is broken.")
    expect(figure(admin_page, "Latency")).to_be_visible()


def test_what_could_not_be_asked_for_at_all_is_not_told_as_updated(admin_page: Page, stack: Stack) -> None:
    opened(admin_page, stack)
    expect(admin_page.get_by_text(re.compile("^Updated "))).to_be_visible()
    admin_page.route("**/v1/**", lambda route: route.abort())
    admin_page.get_by_role("button", name="Refresh", exact=True).click()
    expect(admin_page.get_by_text("Not updated")).to_be_visible()
    admin_page.unroute("**/v1/**")
    admin_page.get_by_role("button", name="Refresh", exact=True).click()
    expect(admin_page.get_by_text(re.compile("^Updated "))).to_be_visible()


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_the_fields_of_a_range_lie_beside_or_below_one_another(
    open_page: Callable[..., Page], stack: Stack, size: dict[str, int]
) -> None:
    page = open_page(viewport=size)
    opened(page, stack)
    page.get_by_text("From and until").click()
    fields = [page.get_by_label("From", exact=True), page.get_by_label("Until", exact=True)]
    boxes = [each.bounding_box() for each in (*fields, page.get_by_role("button", name="Show", exact=True))]
    for before, after in itertools.pairwise(box for box in boxes if box):
        assert before["x"] + before["width"] <= after["x"] or before["y"] + before["height"] <= after["y"]
    assert all(box and box["x"] + box["width"] <= size["width"] for box in boxes)


def test_before_the_first_text_the_page_says_how_to_begin(page: Page, stack: Stack) -> None:
    def nothing(history: Any) -> None:
        for each in (history["totals"], *history["buckets"]):
            each |= {
                "requests": 0,
                "predictions": 0,
                "errors": 0,
                "feedback": {"total": 0, "confirmed": 0, "mistakes": 0},
            }

    page.route(HISTORY, changed(nothing))
    page.route(METRICS, changed(lambda metrics: metrics.update(versions={}, since=None)))
    opened(page, stack)
    expect(page.get_by_text("send a first text in Try", exact=False)).to_have_count(2)


def test_a_refresh_leaves_focus_cursor_scroll_and_what_is_unfolded(admin_page: Page, stack: Stack) -> None:
    page = admin_page
    page.clock.install()
    opened(page, stack)
    part(page, "Alerts").get_by_text("Figures").first.click()
    chart = figure(page, "Latency")
    chart.get_by_text("Show as table").click()
    chart.get_by_role("img").focus()
    page.keyboard.press("End")
    at, place = chart.locator(".chart-when").inner_text(), page.evaluate("scrollY")
    with page.expect_response(ALERTS), page.expect_response(HISTORY):
        page.clock.fast_forward(70_000)  # by itself, after a minute
    settled(page)
    expect(chart.get_by_role("img")).to_be_focused()
    expect(chart.locator(".chart-when")).to_have_text(at)
    expect(chart.get_by_role("table")).to_be_visible()
    expect(part(page, "Alerts").locator("li details").first).to_have_attribute("open", "")
    assert page.evaluate("scrollY") == place
    summary = part(page, "Alerts").locator("li summary").first
    summary.focus()
    with page.expect_response(ALERTS), page.expect_response(HISTORY):
        page.clock.fast_forward(70_000)
    settled(page)
    expect(summary).to_be_focused()


def test_who_switches_the_refresh_off_is_left_alone(page: Page, stack: Stack) -> None:
    page.clock.install()
    opened(page, stack)
    switch = page.get_by_role("button", name="Auto-refresh")
    switch.press("Enter")
    expect(switch).to_have_attribute("aria-pressed", "false")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.fast_forward(200_000)
    expect(page.get_by_text(re.compile("Updated 3 minutes ago"))).to_be_visible()
    assert not asked
    with page.expect_response(HISTORY):
        switch.click()
        page.clock.fast_forward(10_000)


def test_what_was_asked_before_the_last_choice_is_given_up(page: Page, stack: Stack) -> None:
    opened(page, stack)
    held: list[Route] = []
    page.route(HISTORY, lambda route: held.append(route))  # noqa: PLW0108 - a method of list takes no attributes
    given_up: list[str] = []
    page.on("requestfailed", lambda request: given_up.append(request.url))
    with page.expect_request(HISTORY):
        page.get_by_role("button", name="90 days").click()
    page.unroute(HISTORY)
    page.get_by_role("button", name="3 hours").click()
    settled(page)
    figure(page, "Latency").get_by_text("Show as table").click()
    expect(figure(page, "Latency").locator("thead th").first).to_have_text("Hour")
    assert any("history" in url for url in given_up)


def test_texts_of_others_are_shown_as_texts_and_break_nothing(open_page: Callable[..., Page], stack: Stack) -> None:
    def hostile(checks: Any) -> None:
        if checks["newest"]:
            checks["newest"]["new_words"] = {HOSTILE: 7}
            checks["newest"]["reference"]["of"] = HOSTILE
            checks["items"][-1]["signals"][HOSTILE] = checks["items"][-1]["signals"]["drift-length"]
            checks["items"][-1]["cause"] = HOSTILE

    def labels(history: Any) -> None:
        for each in (history["totals"], *history["buckets"]):
            each["labels"] = {HOSTILE: each["predictions"]}

    page = open_page(viewport=NARROW)
    give_admin_key(page, stack)
    told = alert("x", title=HOSTILE, text=HOSTILE, command=f"make {HOSTILE}", figures={HOSTILE: HOSTILE})
    page.route(ALERTS, answer(alerts(told)))
    page.route(CHECKS, changed(hostile))
    page.route(HISTORY, changed(labels))
    page.route(
        METRICS,
        changed(lambda metrics: metrics["versions"].update({HOSTILE: next(iter(metrics["versions"].values()))})),
    )
    opened(page, stack)
    expect(part(page, "Alerts").get_by_role("heading", level=3)).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0
    page.evaluate("document.querySelectorAll('main details').forEach(each => { each.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("state", ["all", "locked", "failed", "empty"])
def test_axe_finds_nothing_in_any_state(open_page: Callable[..., Page], stack: Stack, theme: str, state: str) -> None:
    page = open_page(color_scheme=theme)
    if state != "locked":
        give_admin_key(page, stack)
    if state == "failed":
        for pattern in (HISTORY, ALERTS, CHECKS, METRICS):
            page.route(pattern, answer(refused(503), 503))
    if state == "empty":
        page.route(ALERTS, answer(alerts()))
    opened(page, stack, "?from=2026-01-01&until=2026-01-02" if state == "empty" else "?range=7d")
    page.evaluate("document.querySelectorAll('main details').forEach(each => { each.open = true })")
    if state == "all":
        figure(page, "Latency").get_by_role("img").focus()
        page.keyboard.press("End")
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    assert found.violations_count == 0, found.generate_report()
