"""The view of the models: what is served and why, what was decided, what differs, and moves of the pointer."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Request, Route, expect
from sentiloop.s3 import S3Store

from infra.local.bucket import CREDENTIALS
from tests.e2e.browser.conftest import NARROW, Stack, give_admin_key, started
from tests.e2e.test_loop import corrections
from tests.e2e.test_up import ask, retrain

pytestmark = pytest.mark.browser
BASELINE = "baseline-58011387"
HOSTILE = '<img src=x onerror="alert(1)"> \u202eright to left\u202c 👩‍👩‍👧 {{release}} %s'
EARLY = re.compile("gnarly|shreds|kooked|cruddy|canal|nine")  # whoever learned these does not know the others' words
DELIVERIES = [
    (f"the parcel came on day {number} and was blue", ("positive", "neutral")[number % 2]) for number in range(40)
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One with three versions and three decisions, of which the last is a refusal."""
    with started(tmp_path_factory.mktemp("stack")) as made:
        early = [row for row in corrections() if EARLY.search(row[0])]
        late = [row for row in corrections() if row not in early]
        for rows in (early, late, DELIVERIES):
            for number, (text, label) in enumerate(rows):
                ask(f"{made.url}/v1/predict", {"text": text})  # some of them are kept as samples
                body = {"text": text, "correct_label": label, "user": f"skater {number % 12}"}
                assert ask(f"{made.url}/v1/feedback", body)[0] == 201
            retrain(made.folder)
        yield made


@pytest.fixture
def versions(stack: Stack) -> list[str]:
    """The trained versions, the newest first, of which that one is served to all, unpinned, without a trial."""
    made = [item["version"] for item in look(stack, "models")["items"] if item["kind"] == "trained"]
    made.sort(key=lambda version: look(stack, f"models/{version}")["summary"]["created_at"], reverse=True)
    for act in ("unpin", "withdraw", f"{made[0]}/promote"):
        move(stack, act)
    return made


def look(stack: Stack, path: str) -> Any:
    status, found = ask(f"{stack.url}/v1/{path}", **{"x-admin-key": stack.admin_key})
    assert status == 200, found
    return found


def move(stack: Stack, act: str, **more: object) -> Any:
    body = {"by": "test", "reason": "to begin with", **more}
    status, receipt = ask(f"{stack.url}/v1/models/{act}", body, **{"x-admin-key": stack.admin_key})
    assert status == 200, receipt
    return receipt


def newest(stack: Stack) -> Any:
    return look(stack, "models/history?limit=1")["items"][0]


def part(page: Page, heading: str) -> Locator:
    return page.locator("section.panel").filter(has=page.get_by_role("heading", level=2, name=heading))


def go(page: Page, stack: Stack, query: str = "") -> Page:
    page.goto(f"{stack.url}/#/models{query}")
    expect(part(page, "Served now").get_by_role("article").first).to_be_visible()
    return page


def sign(page: Page, reason: str, by: str = "ada") -> Locator:
    """Fill in who and why in the dialog that is open, and return it."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Your name").fill(by)
    dialog.get_by_label("Reason").fill(reason)
    return dialog


def answer_pages(page: Page, path: str, reply: Callable[[dict[str, str]], object]) -> None:
    """Answer GET requests to a path by a function of their query."""

    def fulfil(route: Route) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(route.request.url).query).items()}
        route.fulfill(json=reply(query))

    page.route(re.compile(rf"/v1/{path}(\?|$)"), fulfil)


def sent_to(page: Page, path: str) -> list[Any]:
    """Return a list that gets the body of each POST to a path."""
    bodies: list[Any] = []

    def note(request: Request) -> None:
        if request.method == "POST" and request.url.endswith(path):
            bodies.append(json.loads(request.post_data or "null"))

    page.on("request", note)
    return bodies


def test_what_is_served_stands_first_with_its_figure_and_the_reason(
    admin_page: Page, stack: Stack, versions: list[str]
) -> None:
    move(stack, "rollback", **{"from": versions[0]}, by="grace", reason="customers complain about gigs")
    go(admin_page, stack)
    served = part(admin_page, "Served now").get_by_role("article").first
    name = newest(stack)["champion"]
    expect(served.get_by_role("heading", level=3)).to_have_text(name)
    expect(served).to_contain_text("served now")
    expect(served).to_contain_text("customers complain about gigs")
    expect(served).to_contain_text("by grace")
    accuracy = look(stack, f"models/{name}")["summary"]["metrics"]["accuracy"]
    expect(served).to_contain_text(f"{100 * accuracy:.1f}\u202f% accuracy")
    expect(part(admin_page, "Served now")).to_contain_text("No version is on trial")


def test_every_version_has_a_lane_that_says_in_words_what_it_draws(
    admin_page: Page, stack: Stack, versions: list[str]
) -> None:
    go(admin_page, stack)
    lanes = part(admin_page, "What was served when").locator("li.models-lane")
    expect(lanes).to_have_count(3)
    first = admin_page.locator(f"li.models-lane[data-version={versions[0]}]")
    expect(first).to_contain_text(re.compile(r"Accuracy \d\d\.\d.%, 95 % interval \d\d\.\d.% to \d\d\.\d.%\."))
    expect(first).to_contain_text(re.compile("Served from .* until now"))
    for width in ("24 hours", "7 days", "All"):
        button = admin_page.get_by_role("button", name=width, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(lanes).to_have_count(3)
    admin_page.get_by_text("Moves as a list").click()
    listed = part(admin_page, "What was served when").locator("li.models-move")
    expect(listed.last).to_contain_text(f"{BASELINE} served")
    expect(listed.filter(has_text=f"served instead of {BASELINE}").first).to_be_visible()


def test_a_version_is_opened_and_closed_by_keyboard_and_has_an_address(
    admin_page: Page, stack: Stack, versions: list[str]
) -> None:
    go(admin_page, stack)
    lane = part(admin_page, "What was served when").get_by_role("link", name=versions[0])
    lane.focus()
    admin_page.keyboard.press("Enter")
    details = part(admin_page, f"Version {versions[0]}")
    expect(details.get_by_role("heading", level=2)).to_be_focused()
    assert admin_page.url == f"{stack.url}/#/models?version={versions[0]}"
    expect(details.get_by_role("heading", name="Against its parent")).to_be_visible()
    expect(details).to_contain_text("better beyond chance")
    found = look(stack, f"models/{versions[0]}")
    confusion = found["summary"]["metrics"]["confusion"]
    table = details.get_by_role("region", name="Confusion table")
    for row, counts in zip(table.locator("tbody tr").all(), confusion, strict=True):
        for cell, count in zip(row.get_by_role("cell").all(), counts, strict=True):
            expect(cell).to_contain_text(str(count))
    expect(details).to_contain_text(f"{found['summary']['feedback_rows']} texts")
    expect(details).to_contain_text("In doubt below")
    admin_page.reload()
    expect(details.get_by_role("heading", name="Against its parent")).to_be_in_viewport()
    details.get_by_role("button", name="Close").focus()
    admin_page.keyboard.press("Enter")
    expect(details).to_have_count(0)
    assert admin_page.url == f"{stack.url}/#/models"
    expect(lane).to_be_focused()


def test_an_unknown_version_in_the_address_is_told_and_can_be_closed(admin_page: Page, stack: Stack) -> None:
    go(admin_page, stack, "?version=v0%3Cb%3E")
    details = part(admin_page, "Version v0<b>")
    expect(details.get_by_role("alert")).to_contain_text("is no name of a version")
    details.get_by_role("button", name="Close").click()
    expect(details).to_have_count(0)
    assert admin_page.url == f"{stack.url}/#/models"


def test_two_versions_are_compared_by_figures_answers_and_words(
    admin_page: Page, stack: Stack, versions: list[str]
) -> None:
    go(admin_page, stack)
    compare = part(admin_page, "Compare two versions")
    expect(compare.get_by_label("After")).to_have_value(versions[0])
    compare.get_by_label("Before").select_option(BASELINE)
    compare.get_by_role("button", name="Compare").click()
    expect(admin_page).to_have_url(f"{stack.url}/#/models?a={BASELINE}&b={versions[0]}")
    expect(compare.get_by_role("region", name="Words whose effect moved most")).to_be_visible()
    found = look(stack, f"models/diff?a={BASELINE}&b={versions[0]}&samples=300")
    answers = found["answers"]
    expect(compare).to_contain_text(f"{answers['changed']} of {answers['texts']}")
    flip, times = max(answers["flips"].items(), key=lambda each: each[1])
    expect(compare.locator(".models-flips li").first).to_contain_text(
        re.compile(rf"{flip.replace('>', ' → ')}\s*{times}")
    )
    expect(compare.get_by_role("rowheader", name=found["words"][0]["word"])).to_be_visible()
    expect(compare.get_by_role("button", name="Compare")).to_be_focused()
    compare.get_by_role("button", name="Swap").click()
    expect(admin_page).to_have_url(f"{stack.url}/#/models?a={versions[0]}&b={BASELINE}")
    admin_page.reload()
    expect(compare.get_by_label("Before")).to_have_value(versions[0])
    expect(compare.get_by_role("heading", name="Answers that changed")).to_be_in_viewport()


def test_figures_of_other_rows_are_not_subtracted_and_those_of_the_same_rows_come_first(
    admin_page: Page, stack: Stack, versions: list[str]
) -> None:
    all_rows = next(each for each in look(stack, f"models/{versions[0]}")["slices"] if each["name"] == "all")
    parent = look(stack, f"models/{versions[0]}")["summary"]["parents"][0]
    go(admin_page, stack, f"?a={BASELINE}&b={versions[0]}")
    compare = part(admin_page, "Compare two versions")
    figures = compare.get_by_role("region", name="Figures of both")
    expect(figures).to_contain_text("do not compare")
    expect(figures.get_by_role("columnheader")).to_have_text(["Figure", BASELINE, versions[0]])
    assert compare.get_by_role("heading", level=3).all_text_contents()[0] == "On the same rows"
    served = part(admin_page, "Served now").get_by_role("article").first
    expect(served).to_contain_text(f"On the same rows its parent {parent} has {100 * all_rows['a']:.1f}\u202f%")


def test_texts_words_and_reasons_of_others_are_shown_as_they_were_written(
    admin_page: Page, stack: Stack, versions: list[str]
) -> None:
    move(stack, "pin", by=HOSTILE[:60], reason=HOSTILE)
    found = look(stack, f"models/diff?a={BASELINE}&b={versions[0]}&limit=1")
    long = HOSTILE + "x" * 10_000
    found["answers"]["examples"] = [{**found["answers"]["examples"][0], "text": long}]
    found["words"] = [{**found["words"][0], "word": "<script>alert(1)</script>"}]
    answer_pages(admin_page, "models/diff", lambda _: found)
    go(admin_page, stack, f"?a={BASELINE}&b={versions[0]}")
    compare = part(admin_page, "Compare two versions")
    expect(compare.get_by_role("rowheader", name="<script>alert(1)</script>")).to_be_visible()
    assert compare.locator(".models-text .text").text_content() == long
    reasons = part(admin_page, "Served now").locator(".models-reason").all_text_contents()
    assert HOSTILE in reasons
    assert admin_page.locator("main img, main script").count() == 0
    assert admin_page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_decisions_tell_their_outcome_reasons_and_checks(admin_page: Page, stack: Stack, versions: list[str]) -> None:
    go(admin_page, stack)
    runs = part(admin_page, "Decisions").locator("li.models-run")
    expect(runs).to_have_count(3)
    expect(runs.first).to_contain_text("Not released")
    expect(runs.first).to_contain_text("Not better beyond chance")
    expect(runs.last).to_contain_text("Promoted")
    expect(runs.last.get_by_role("link", name=versions[1])).to_be_visible()
    opener = runs.first.get_by_role("button", name="Show the checks")
    opener.press("Enter")
    expect(runs.first.get_by_role("button", name="Hide the checks")).to_be_focused()
    checks = runs.first.get_by_role("list", name="Checks").get_by_role("listitem")
    expect(checks.first).to_contain_text("failed")
    expect(checks.first).to_contain_text("gain")
    run = look(stack, "runs")["items"][0]
    expect(checks).to_have_count(len(run["checks"]))
    expect(runs.first.get_by_role("region", name=re.compile("Slice by slice"))).to_be_visible()
    runs.first.get_by_role("button", name="Hide the checks").click()
    expect(checks).to_have_count(0)


def test_older_decisions_and_older_moves_are_a_click_away(admin_page: Page, stack: Stack) -> None:
    run = look(stack, "runs?limit=1")["items"][0]
    ages = [f"{run['run_id'][:-24]}{2025 - number:04}1122T031057.729Z" for number in range(12)]

    def runs(query: dict[str, str]) -> object:
        first = ages.index(query["before"]) + 1 if "before" in query else 0
        shown = ages[first : first + int(query["limit"])]
        following = shown[-1] if first + len(shown) < len(ages) else None
        return {
            "items": [{**run, "run_id": age} for age in shown],
            "next": following,
            "unreadable": 0 if following else 2,
        }

    past = newest(stack)

    def moves(query: dict[str, str]) -> object:
        last = int(query.get("before", 91)) - 1
        shown = range(last, max(0, last - 60), -1)
        items = [{**past, "generation": each, "reason": f"reason {each}"} for each in shown]
        return {"items": items, "next": shown[-1] if shown[-1] > 1 else None}

    answer_pages(admin_page, "runs", runs)
    answer_pages(admin_page, "models/history", moves)
    go(admin_page, stack)
    decisions = part(admin_page, "Decisions")
    expect(decisions.locator("li.models-run")).to_have_count(10)
    decisions.get_by_role("button", name="Older decisions").click()
    expect(decisions.locator("li.models-run")).to_have_count(12)
    expect(decisions.locator("li.models-run").nth(10)).to_be_focused()
    expect(decisions).to_contain_text("2 records here cannot be read")
    expect(decisions.get_by_role("button", name="Older decisions")).to_have_count(0)
    admin_page.get_by_text("Moves as a list").click()
    listed = part(admin_page, "What was served when").locator("li.models-move")
    expect(listed).to_have_count(60)
    admin_page.get_by_role("button", name="Older moves").click()
    expect(listed).to_have_count(90)
    expect(listed.nth(60)).to_be_focused()
    expect(listed.nth(60)).to_contain_text("reason 30")


def test_promoting_by_keyboard_asks_who_and_why_and_the_page_follows(
    admin_page: Page, stack: Stack, versions: list[str]
) -> None:
    go(admin_page, stack, f"?version={versions[1]}")
    bodies = sent_to(admin_page, f"/{versions[1]}/promote")
    opener = part(admin_page, f"Version {versions[1]}").get_by_role("button", name="Promote…")
    opener.focus()
    admin_page.keyboard.press("Enter")
    dialog = admin_page.get_by_role("dialog", name=f"Promote {versions[1]}")
    expect(dialog).to_contain_text(f"{versions[1]} will answer everybody")
    expect(dialog).to_contain_text(f"{versions[0]} stays published")
    admin_page.keyboard.press("Enter")
    expect(dialog).to_contain_text("Say who you are.")
    expect(dialog).to_contain_text("Say why.")
    expect(dialog.get_by_label("Your name")).to_be_focused()
    admin_page.keyboard.type("ada")
    admin_page.keyboard.press("Tab")
    admin_page.keyboard.type("  ")
    admin_page.keyboard.press("Tab")
    admin_page.keyboard.press("Enter")
    expect(dialog).to_contain_text("Say why.")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_label("Reason").fill("x" * 501)
    dialog.get_by_role("button", name="Promote").click()
    expect(dialog).to_contain_text("1 characters too many")
    assert bodies == []
    dialog.get_by_label("Reason").fill(f"{HOSTILE} it was better")
    dialog.get_by_role("button", name="Promote").press("Enter")
    expect(dialog).to_have_count(0)
    expect(admin_page.locator("#announcer")).to_contain_text(f"Done: {versions[1]} is served.")
    expect(admin_page.locator("#served")).to_have_text(versions[1])
    expect(part(admin_page, "Served now").get_by_role("article").first).to_contain_text(f"{HOSTILE} it was better")
    assert bodies == [{"by": "ada", "reason": f"{HOSTILE} it was better", "expected": versions[0]}]
    assert newest(stack)["champion"] == versions[1]
    assert admin_page.evaluate("document.activeElement !== document.body")
    part(admin_page, "Served now").get_by_role("button", name="Roll back…").click()
    expect(admin_page.get_by_role("dialog").get_by_label("Your name")).to_have_value("ada")
    expect(admin_page.get_by_role("dialog").get_by_label("Reason")).to_be_focused()
    admin_page.keyboard.press("Escape")
    expect(part(admin_page, "Served now").get_by_role("button", name="Roll back…")).to_be_focused()


def test_a_late_click_moves_nothing_and_shows_what_is_served_meanwhile(
    admin_page: Page, stack: Stack, versions: list[str]
) -> None:
    go(admin_page, stack)
    bodies = sent_to(admin_page, "/rollback")
    part(admin_page, "Served now").get_by_role("button", name="Roll back…").click()
    dialog = sign(admin_page, "complaints")
    move(stack, f"{versions[1]}/promote", reason="somebody was faster")
    move(stack, f"{BASELINE}/promote", reason="and once more")
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog.get_by_role("alert").last).to_contain_text(f"is served, and not {versions[0]}")
    expect(dialog).to_contain_text("Nothing was moved by this request.")
    assert bodies == [{"by": "ada", "reason": "complaints", "from": versions[0]}]
    dialog.get_by_role("button", name="See what is served now").click()
    expect(part(admin_page, "Served now").get_by_role("article").first.get_by_role("heading")).to_have_text(BASELINE)
    expect(part(admin_page, "Served now").get_by_role("button", name="Roll back…")).to_be_focused()
    assert newest(stack)["reason"] == "and once more"


def test_a_rollback_that_is_sent_again_after_an_outage_goes_back_once(
    admin_page: Page, stack: Stack, versions: list[str]
) -> None:
    go(admin_page, stack)
    part(admin_page, "Served now").get_by_role("button", name="Roll back…").click()
    dialog = sign(admin_page, "complaints")
    generation = newest(stack)["generation"]

    def lose(route: Route) -> None:
        route.fetch()  # it arrives, and its answer gets lost
        route.abort()

    admin_page.route("**/v1/models/rollback", lose, times=1)
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog.get_by_role("alert").last).to_contain_text("The service does not answer.")
    expect(dialog).to_contain_text("You can send it again: it happens only once.")
    dialog.get_by_role("button", name="Roll back").click()
    expect(admin_page.get_by_role("dialog")).to_have_count(0)
    expect(admin_page.locator("#announcer")).to_contain_text("it was so already")
    assert newest(stack)["generation"] == generation + 1


def test_who_closes_the_dialog_too_early_is_told_what_became_of_it(
    admin_page: Page, stack: Stack, versions: list[str]
) -> None:
    go(admin_page, stack)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    admin_page.route("**/v1/models/pin", hold)
    part(admin_page, "Served now").get_by_role("button", name="Pin…").click()
    with admin_page.expect_request("**/v1/models/pin"):
        sign(admin_page, "the fair is on").get_by_role("button", name="Pin").click()
    admin_page.keyboard.press("Escape")
    expect(admin_page.get_by_role("dialog")).to_have_count(0)
    held[0].continue_()
    expect(admin_page.locator(".models-notice")).to_contain_text(f"Done: {versions[0]} is served, pinned.")
    expect(part(admin_page, "Served now").get_by_role("button", name="Unpin…")).to_be_visible()


def test_a_dialog_goes_with_its_view(admin_page: Page, stack: Stack, versions: list[str]) -> None:
    admin_page.goto(f"{stack.url}/#/try")
    go(admin_page, stack)
    part(admin_page, "Served now").get_by_role("button", name="Pin…").click()
    expect(admin_page.get_by_role("dialog")).to_be_visible()
    admin_page.go_back()
    expect(admin_page.get_by_role("heading", level=1)).to_have_text("Try")
    expect(admin_page.get_by_role("dialog")).to_have_count(0)


def test_a_trial_begins_changes_and_ends(admin_page: Page, stack: Stack, versions: list[str]) -> None:
    go(admin_page, stack, f"?version={BASELINE}")
    bodies = sent_to(admin_page, f"/{BASELINE}/try")
    part(admin_page, f"Version {BASELINE}").get_by_role("button", name="Put on trial…").click()
    dialog = admin_page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"{versions[0]} goes on answering everybody.")
    sign(admin_page, "compare with the start").get_by_role("button", name="Begin").click()
    trial = part(admin_page, "Served now").get_by_role("article").nth(1)
    expect(trial.get_by_role("heading")).to_have_text(BASELINE)
    expect(trial).to_contain_text("On trial as shadow. It answers nobody")
    expect(trial).to_contain_text("compare with the start")

    trial.get_by_role("button", name="Change the trial…").click()
    dialog.get_by_label("Canary: it answers a share of the clients").check()
    for wrong in ("0", "101", "-5", ""):
        dialog.get_by_label("Share of the clients, in %").fill(wrong)
        sign(admin_page, "gently").get_by_role("button", name="Change").click()
        expect(dialog.get_by_role("alert").first).to_have_text("Give a share above 0 and up to 100 %.")
    dialog.get_by_label("Share of the clients, in %").fill("12.5")
    expect(dialog).to_contain_text(
        f"{BASELINE} answers as canary for 12.5\u202f% of the clients; all others get {versions[0]}."
    )
    dialog.get_by_role("button", name="Change").click()
    expect(trial).to_contain_text("On trial as canary for 12.5\u202f% of the clients.")
    expect(trial).to_contain_text("This step begun")
    assert [(body["mode"], body["share"], body["expected"]) for body in bodies] == [
        ("shadow", 0, versions[0]),
        ("canary", 0.125, versions[0]),
    ]
    expect(admin_page.locator(f"li.models-lane[data-version={BASELINE}]")).to_contain_text(
        re.compile("On trial as canary for 12.5.% of the clients from .* until now")
    )

    trial.get_by_role("button", name="Withdraw…").click()
    expect(dialog).to_contain_text(f"The trial of {BASELINE} ends.")
    sign(admin_page, "enough seen").get_by_role("button", name="Withdraw").click()
    expect(part(admin_page, "Served now")).to_contain_text("No version is on trial")
    assert newest(stack)["challenger"] is None


def test_how_often_both_differ_is_told_and_missing_figures_hide_nothing(
    admin_page: Page, stack: Stack, versions: list[str]
) -> None:
    move(stack, f"{BASELINE}/try", mode="shadow")
    metrics = look(stack, "metrics")
    beside = {
        "texts": 400,
        "disagreement": 0.25,
        "flips": {"neutral>negative": 90, "positive>neutral": 10},
        "slices": {},
    }
    known = metrics["versions"].get(BASELINE) or next(iter(metrics["versions"].values()))
    metrics["versions"][BASELINE] = {**known, "beside": beside}
    answer_pages(admin_page, "metrics", lambda _: metrics)
    go(admin_page, stack)
    trial = part(admin_page, "Served now").get_by_role("article").nth(1)
    expect(trial).to_contain_text("Both differ on 25.0\u202f% of 400 texts so far, most often neutral → negative (90)")
    admin_page.unroute_all()
    admin_page.route("**/v1/metrics", lambda route: route.fulfill(status=500, body="no"))
    admin_page.get_by_role("button", name="Refresh").click()
    expect(trial).to_contain_text("cannot be read at this moment")
    expect(trial).to_contain_text("On trial as shadow")


def test_the_pointer_is_pinned_and_unpinned(admin_page: Page, stack: Stack, versions: list[str]) -> None:
    go(admin_page, stack)
    served = part(admin_page, "Served now").get_by_role("article").first
    served.get_by_role("button", name="Pin…").click()
    dialog = admin_page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Only people will be able to move the pointer: {versions[0]} stays")
    sign(admin_page, "the fair is on").get_by_role("button", name="Pin").click()
    expect(served.locator(".chip").filter(has_text="pinned")).to_be_visible()
    expect(served).to_contain_text("the fair is on")
    expect(served.get_by_role("button", name="Unpin…")).to_be_focused()
    served.get_by_role("button", name="Unpin…").click()
    sign(admin_page, "the fair is over").get_by_role("button", name="Unpin").click()
    expect(served.get_by_role("button", name="Pin…", exact=True)).to_be_visible()
    assert newest(stack)["pinned"] is False


@pytest.fixture
def mark(stack: Stack, versions: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], object]]:
    """Mark the older trained version as erased when called; afterwards it is unmarked."""
    endpoint = json.loads((stack.folder / "stack.json").read_text())["endpoint"]
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": endpoint}.items():
        monkeypatch.setenv(name, value)
    store, key = S3Store("sentiloop"), f"models/{versions[1]}/erased.json"
    yield lambda: store.put(key, b"{}", if_absent=True)
    store.delete(key)


def test_a_version_that_learned_from_what_was_erased_asks_for_a_second_consent(
    admin_page: Page, stack: Stack, versions: list[str], mark: Callable[[], object]
) -> None:
    go(admin_page, stack, f"?version={versions[1]}")
    details = part(admin_page, f"Version {versions[1]}")
    bodies = sent_to(admin_page, "/promote")
    details.get_by_role("button", name="Promote…").click()
    mark()  # after the page has looked
    dialog = sign(admin_page, "it has to be this one")
    dialog.get_by_role("button", name="Promote").click()
    expect(dialog.get_by_role("alert").last).to_contain_text("learned from corrections that were erased since")
    dialog.get_by_role("button", name="Promote").click()
    expect(dialog).to_contain_text("Choose another version, or tick this.")
    expect(dialog.get_by_label("Use it all the same")).to_be_focused()
    admin_page.keyboard.press("Escape")
    admin_page.get_by_role("button", name="Refresh").click()
    expect(details.get_by_text("erased data")).to_be_visible()
    expect(details).to_contain_text("promoted only by who insists on it")
    details.get_by_role("button", name="Promote…").click()
    sign(admin_page, "it has to be this one").get_by_label("Use it all the same").check()
    dialog.get_by_role("button", name="Promote").click()
    expect(admin_page.locator("#announcer")).to_contain_text(f"Done: {versions[1]} is served.")
    assert [body.get("force") for body in bodies] == [None, True]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_cannot_be_read_says_so_and_can_be_tried_again(admin_page: Page, stack: Stack, status: int) -> None:
    error = {"code": "busy", "message": "it is too much now", "hint": "Wait a moment.", "request_id": "r-1"}
    admin_page.route(
        re.compile(r"/v1/(models|runs)"), lambda route: route.fulfill(status=status, json={"error": error})
    )
    admin_page.goto(f"{stack.url}/#/models")
    for heading in ("Served now", "What was served when", "Decisions", "Compare two versions", "All versions"):
        expect(part(admin_page, heading).get_by_role("alert").last).to_contain_text(
            re.compile(r"It is too much now\.\s*Wait a moment\.")
        )
    admin_page.unroute_all()
    for heading in ("Served now", "What was served when", "Decisions", "Compare two versions", "All versions"):
        part(admin_page, heading).get_by_role("button", name="Try again").click()
        expect(part(admin_page, heading).get_by_role("button", name="Try again")).to_have_count(0)
        expect(part(admin_page, heading).get_by_role("heading", level=2)).to_be_focused()


def test_details_of_a_run_that_cannot_be_read_can_be_tried_again(admin_page: Page, stack: Stack) -> None:
    go(admin_page, stack)
    admin_page.route(re.compile(r"/v1/runs/"), lambda route: route.abort())
    run = part(admin_page, "Decisions").locator("li.models-run").first
    run.get_by_role("button", name="Show the checks").click()
    expect(run.get_by_role("alert")).to_contain_text("The service does not answer.")
    admin_page.unroute_all()
    run.get_by_role("button", name="Try again").click()
    expect(run.get_by_role("list", name="Checks")).to_be_visible()


def test_all_versions_are_listed_a_page_at_a_time(admin_page: Page, stack: Stack, versions: list[str]) -> None:
    item = look(stack, f"models/{versions[0]}")["summary"]
    names = [f"v{number:012}" for number in range(23)]

    def page_of(query: dict[str, str]) -> object:
        first = int(query.get("skip", 0))
        items = [{**item, "version": name, "role": None} for name in names[first : first + int(query["limit"])]]
        return {"items": items, "versions": len(names), "pinned": False, "problem": "models/current.json is gone"}

    answer_pages(admin_page, "models", page_of)
    admin_page.goto(f"{stack.url}/#/models")
    listed = part(admin_page, "All versions")
    expect(listed).to_contain_text("1 to 10 of 23 versions")
    expect(listed.get_by_role("button", name="Newer")).to_be_disabled()
    listed.get_by_role("button", name="Older").press("Enter")
    expect(listed).to_contain_text("11 to 20 of 23 versions")
    expect(listed.get_by_role("button", name="Older")).to_be_focused()
    listed.get_by_role("button", name="Older").press("Enter")
    expect(listed).to_contain_text("21 to 23 of 23 versions")
    expect(listed.get_by_role("link", name=names[-1])).to_be_visible()
    expect(listed.get_by_role("button", name="Older")).to_be_disabled()
    expect(listed.get_by_role("button", name="Older")).to_be_focused()
    admin_page.keyboard.press("Enter")
    expect(listed).to_contain_text("21 to 23 of 23 versions")
    expect(part(admin_page, "What was served when")).to_contain_text("11 more are in the list of versions below.")


def test_without_an_admin_key_one_prompt_asks_for_it(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/#/models")
    page.get_by_role("dialog", name="Admin key needed").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(1)
    page.get_by_role("button", name="Enter the key").click()
    page.get_by_role("dialog").get_by_role("textbox").fill(stack.admin_key)
    page.get_by_role("dialog").get_by_role("button", name="Use this key").click()
    expect(part(page, "Served now").get_by_role("article").first).to_be_visible()
    expect(part(page, "Decisions").locator("li.models-run")).to_have_count(3)


def test_a_view_that_is_left_stops_asking(admin_page: Page, stack: Stack) -> None:

    def hold(route: Route) -> None:
        """Let it wait for an answer that never comes."""

    admin_page.route(re.compile(r"/v1/models/history"), hold)
    failed: list[str] = []
    admin_page.on("requestfailed", lambda request: failed.append(request.url))
    admin_page.goto(f"{stack.url}/#/models")
    expect(part(admin_page, "All versions").get_by_role("row").first).to_be_visible()
    with admin_page.expect_event("requestfailed"):
        admin_page.get_by_role("link", name="Watch", exact=True).click()
    expect(admin_page.get_by_role("heading", level=1)).to_have_text("Watch")
    assert any("/v1/models/history" in url for url in failed)


def test_learning_now_shows_what_was_decided(admin_page: Page, stack: Stack, versions: list[str]) -> None:
    go(admin_page, stack)
    decisions = part(admin_page, "Decisions")
    decisions.get_by_label("With runs that had nothing to decide").check()
    decisions.get_by_label("Your name").fill("ada")
    decisions.get_by_role("button", name="Learn now").click()
    expect(decisions.locator(".learn .notice")).to_contain_text("Nothing to learn", timeout=60_000)
    expect(decisions.locator("li.models-run").first).to_contain_text("Nothing to decide")
    expect(decisions.locator("li.models-run").first).to_contain_text("asked for by ada")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state_and_nothing_runs_out_of_a_narrow_window(
    open_page: Callable[..., Page], stack: Stack, versions: list[str], theme: str
) -> None:
    move(stack, f"{BASELINE}/try", mode="canary", share=0.1)
    page = open_page(viewport=NARROW, color_scheme=theme)
    give_admin_key(page, stack)
    go(page, stack, f"?version={versions[0]}&a={BASELINE}&b={versions[0]}")
    expect(part(page, "Compare two versions").get_by_role("heading", name="Answers that changed")).to_be_visible()
    page.get_by_text("Moves as a list").click()
    part(page, "Decisions").get_by_role("button", name="Show the checks").first.click()
    expect(page.get_by_role("list", name="Checks")).to_be_visible()
    check(page)
    page.set_viewport_size({"width": 1600, "height": 900})
    check(page)
    part(page, f"Version {versions[0]}").get_by_role("button", name="Compare").focus()
    part(page, "Served now").get_by_role("button", name="Change the trial…").click()
    page.get_by_role("dialog").get_by_role("button", name="Change").click()
    expect(page.get_by_role("dialog")).to_contain_text("Say why.")
    check(page)
    page.set_viewport_size({"width": 360, "height": 740})
    check(page)


def check(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
