"""Try: one text in a real browser: answered as it is typed, explained, corrected, learned."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.browser.conftest import NARROW, WIDE, Stack, give_admin_key, started
from tests.e2e.test_loop import corrections
from tests.e2e.test_up import ask

pytestmark = pytest.mark.browser
MIXED = "Great camera, terrible battery, and the screen scratches if you look at it."
HOSTILE = "<img src=x onerror=alert(1)> \u202eevil\u202c <script>alert(2)</script> 👩‍👩‍👧 great ﬁne"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose people have corrected 300 texts of a domain that its model does not know."""
    with started(tmp_path_factory.mktemp("learner")) as made:
        for number, (text, label) in enumerate(corrections()):
            body = {"text": text, "correct_label": label, "user": f"skater {number % 12}"}
            assert ask(f"{made.url}/v1/feedback", body)[0] == 201
        yield made


def field(page: Page) -> Locator:
    return page.get_by_label("Text", exact=True)


def answer(page: Page) -> Locator:
    return page.get_by_role("region", name="Answer")


def mine(page: Page) -> Locator:
    return page.locator(".try-mine")


def write(page: Page, stack: Stack, text: str) -> dict[str, Any]:
    """Open the view, write a text, and return the answer once it is on the page."""
    page.goto(f"{stack.url}/#/try")
    with page.expect_response(re.compile("v1/predict")) as asked:
        field(page).fill(text)
    found: dict[str, Any] = asked.value.json()
    expect(answer(page).locator(".try-label")).to_have_text(found["label"])
    settled(page)
    return found


def settled(page: Page) -> None:
    expect(page.locator("[aria-busy=true], .skeleton")).to_have_count(0)


def failing(status: int, hint: str, **headers: str) -> Callable[[Route], None]:
    body = {"error": {"code": "broken", "message": "it broke", "hint": hint, "request_id": "r-1"}}

    def fulfil(route: Route) -> None:
        route.fulfill(status=status, headers=headers, content_type="application/json", body=json.dumps(body))

    return fulfil


def choice(page: Page, label: str) -> Locator:
    return answer(page).locator(f".try-choice[data-label={label}]")


def test_an_example_is_answered_with_all_its_figures(page: Page, stack: Stack) -> None:
    page.goto(stack.url)
    expect(answer(page)).to_contain_text("Write a text or take an example")
    with page.expect_response(re.compile("v1/predict")) as asked:
        page.get_by_role("button", name="Mixed feelings").click()
    expect(field(page)).to_have_value(MIXED)
    expect(field(page)).to_be_focused()
    found = asked.value.json()
    expect(answer(page).locator(".try-headline")).to_contain_text(f"{found['label']}{100 * found['confidence']:.0f}")
    expect(answer(page).locator(".try-headline")).to_contain_text("in doubt")
    for label, share in found["probabilities"].items():
        bar = answer(page).locator(".bar", has_text=label)
        expect(bar.locator(".number")).to_have_text(f"{100 * share:.1f}\u202f%")
    expect(answer(page)).to_contain_text(found["model_version"])
    assert page.url in {stack.url, f"{stack.url}/"}, "the address holds nothing of the text"


def figure(text: str) -> float:
    return float(text.replace("−", "-"))


def centred(contributions: dict[str, float]) -> dict[str, float]:
    """What each label gets more than the labels get on average."""
    mean = sum(contributions.values()) / len(contributions)
    return {label: added - mean for label, added in contributions.items()}


def test_words_have_the_colour_of_the_label_that_they_speak_for_and_the_table_adds_up(page: Page, stack: Stack) -> None:
    found = write(page, stack, MIXED)
    assert found["label"] == "positive"
    text = page.locator(".try-text")
    expect(text).to_have_text(MIXED)
    expect(text.locator(".label-positive", has_text="Great")).to_have_css("text-decoration-style", "solid")
    terrible = text.locator(".label-negative", has_text="terrible")
    expect(terrible).to_have_css("text-decoration-style", "dashed")
    expect(page.locator(".try-legend")).to_contain_text("speaks for positive, the answer")
    expect(page.locator(".try-legend")).to_contain_text(re.compile("speaks for negative(?!, the answer)"))
    start = MIXED.index("terrible")
    adds = centred(next(each["contributions"] for each in found["explanation"]["spans"] if each["start"] == start))
    terrible.hover()
    readout = page.locator(".try-readout")
    expect(readout).to_contain_text(f"“terrible” speaks for negative: +{adds['negative']:.2f}; ")
    expect(readout).to_contain_text(f"positive −{-adds['positive']:.2f}")
    page.get_by_text("What each word adds").click()
    expect(page.locator(".try-words tbody tr").first).to_contain_text("Greatpositive")
    expect(page.locator(".try-words tbody")).to_contain_text("Base rate")
    rows = page.locator(".try-words tbody tr").all()
    cells = [[figure(cell) for cell in row.locator("td.number").all_inner_texts()] for row in rows]
    total = [figure(cell) for cell in page.locator(".try-words tfoot td.number").all_inner_texts()]
    for column, shown in enumerate(total):
        assert sum(row[column] for row in cells) == pytest.approx(shown, abs=0.005 * (len(cells) + 1))
    assert total == pytest.approx(list(centred(found["explanation"]["logits"]).values()), abs=0.0051)
    expect(page.locator(".try-words tfoot")).to_contain_text("Totalpositive")


def test_a_word_of_praise_speaks_for_positive_whatever_the_answer_is(page: Page, stack: Stack) -> None:
    text = "The staff were lovely, but the room was not clean and nobody answered the phone."
    assert write(page, stack, text)["label"] == "negative"
    expect(page.locator(".try-text .label-positive", has_text="lovely")).to_have_css("text-decoration-style", "dashed")
    expect(page.locator(".try-text .label-negative", has_text="nobody")).to_have_css("text-decoration-style", "solid")


def test_words_are_gone_through_with_the_arrow_keys(page: Page, stack: Stack) -> None:
    write(page, stack, MIXED)
    first, second = (page.locator(".try-text .try-mark").nth(place) for place in (0, 1))
    first.focus()
    expect(page.locator(".try-readout")).to_contain_text(f"“{first.inner_text()}” speaks for")
    page.keyboard.press("ArrowRight")
    expect(second).to_be_focused()
    expect(page.locator("#announcer")).to_contain_text(f"“{second.inner_text()}” speaks for")
    page.keyboard.press("End")
    expect(page.locator(".try-text .try-mark").last).to_be_focused()
    page.keyboard.press("Home")
    expect(first).to_be_focused()
    page.keyboard.press("Tab")
    expect(choice(page, "negative")).to_be_focused()


def test_only_the_answer_to_the_text_that_is_there_is_shown(page: Page, stack: Stack) -> None:
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if "dreadful" in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    write(page, stack, "It opens at nine.")
    page.route("**/v1/predict?*", hold_the_first)
    with page.expect_request(re.compile("v1/predict")):
        field(page).fill("It was dreadful.")
    expect(answer(page)).to_have_attribute("aria-busy", "true")
    expect(answer(page)).to_contain_text("Updating")
    with page.expect_event("requestfailed"):  # it is taken back
        field(page).fill("It was lovely, thank you.")
    expect(answer(page).locator(".try-label")).to_have_text("positive")
    settled(page)
    expect(page.locator(".try-text")).to_have_text("It was lovely, thank you.")
    assert len(held) == 1


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [(503, {}, "Do this."), (500, {}, "Do this."), (429, {"retry-after": "7"}, "Wait 7 seconds.")],
)
def test_an_answer_that_fails_says_why_and_can_be_asked_for_again(
    page: Page, stack: Stack, status: int, headers: dict[str, str], told: str
) -> None:
    page.goto(f"{stack.url}/#/try")
    page.route("**/v1/predict?*", failing(status, "Do this.", **headers))
    field(page).fill("It was lovely, thank you.")
    expect(answer(page).get_by_role("alert")).to_contain_text("It broke.")
    expect(answer(page).get_by_role("alert")).to_contain_text(told)
    page.unroute("**/v1/predict?*")
    answer(page).get_by_role("button", name="Try again").press("Enter")
    expect(answer(page).locator(".try-label")).to_have_text("positive")
    expect(answer(page).get_by_role("heading", name="Answer")).to_be_focused()


def test_a_service_that_cannot_be_reached_is_told_apart(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/#/try")
    page.route("**/v1/predict?*", lambda route: route.abort())
    field(page).fill("It was lovely, thank you.")
    expect(answer(page).get_by_role("alert")).to_contain_text("Check your connection")


def test_blank_and_overlong_texts_are_not_asked_about(page: Page, stack: Stack) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{stack.url}/#/try")
    field(page).fill("   \n ")
    expect(answer(page)).to_contain_text("Write a text")
    field(page).fill("😀" * 10_001)
    expect(page.locator(".try-counter")).to_have_text("10,001 of 10,000 characters: shorten it")
    expect(field(page)).to_have_attribute("aria-invalid", "true")
    assert not [url for url in requests if "v1/predict" in url]
    with page.expect_response(re.compile("v1/predict")) as asked:  # code points count, not UTF-16 units
        field(page).fill("😀" * 10_000)
    assert asked.value.status == 200
    field(page).fill("short")
    expect(page.locator(".try-counter")).to_be_empty()


def test_hostile_text_stays_text(page: Page, stack: Stack) -> None:
    write(page, stack, HOSTILE)
    expect(page.locator(".try-text")).to_have_text(HOSTILE)
    assert page.locator(".try-text").evaluate("element => element.textContent") == HOSTILE
    choice(page, "positive").click()
    expect(mine(page).locator(".try-quote")).to_have_text(HOSTILE)
    assert page.locator("img[src=x], main script").count() == 0


def test_thousands_of_words_leave_few_marks_and_one_stop_of_the_tab_key(page: Page, stack: Stack) -> None:
    words = [f"{word}{number}" for number in range(100) for word in ("bad", "lovely", "awful")]
    text = " ".join(["good", "bad", "not"] * 650 + words)[:10_000].strip()
    write(page, stack, text)
    assert page.locator(".try-text").evaluate("element => element.textContent") == text
    assert 0 < page.locator(".try-text .try-mark").count() <= 500
    assert page.locator(".try-text [tabindex='0']").count() == 1
    page.get_by_text("What each word adds").click()
    expect(page.locator(".try-words tbody tr")).to_have_count(32)  # the strongest, the rest together, the base rate


def test_a_correction_is_sent_with_what_it_corrects_and_its_receipt_shows_at_once(page: Page, stack: Stack) -> None:
    found = write(page, stack, "The bowl is gnarly, stoked all day")
    page.get_by_label("Who says so").fill("ada")
    with page.expect_request(re.compile("v1/feedback$")) as asked:
        choice(page, "positive").click()
    sent = asked.value.post_data_json
    assert sent == {
        "text": "The bowl is gnarly, stoked all day",
        "correct_label": "positive",
        "predicted_label": found["label"],
        "confidence": found["confidence"],
        "model_version": found["model_version"],
        "prediction_id": found["prediction_id"],
        "user": "ada",
    }
    expect(answer(page).locator(".try-receipt")).to_contain_text("Stored.")
    expect(answer(page).locator(".try-receipt")).to_contain_text(re.compile("fb-[0-9]{8}-"))
    expect(mine(page)).to_contain_text("The next retrain looks at it.")
    expect(page.locator("#announcer")).to_contain_text("Stored as positive")
    page.reload()
    expect(mine(page)).to_contain_text("The bowl is gnarly, stoked all day")
    expect(page.get_by_label("Who says so")).to_have_value("ada")
    expect(field(page)).to_have_value("The bowl is gnarly, stoked all day")


def test_saying_the_same_again_sends_nothing(page: Page, stack: Stack) -> None:
    write(page, stack, "It opens at nine, I was told")
    choice(page, "neutral").click()
    expect(answer(page).locator(".try-receipt")).to_contain_text("Stored.")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    choice(page, "neutral").click()
    expect(page.locator("#announcer")).to_contain_text("You have said so already.")
    assert not sent


def test_a_confirmation_is_told_apart_from_a_correction(page: Page, stack: Stack) -> None:
    found = write(page, stack, "It was lovely, thank you all.")
    expect(choice(page, found["label"])).to_contain_text("That is right")
    choice(page, found["label"]).click()
    expect(mine(page)).to_contain_text(f"You confirmed {found['label']}")


def test_keys_correct_while_typing_and_elsewhere_but_never_by_accident(page: Page, stack: Stack) -> None:
    write(page, stack, "Keys are quick")
    field(page).press("End")
    page.keyboard.type(" 1")
    expect(field(page)).to_have_value("Keys are quick 1")
    settled(page)
    expect(mine(page).locator(".try-entry")).to_have_count(0)
    page.keyboard.press("Alt+1")
    expect(mine(page).locator(".try-entry")).to_have_count(1)
    expect(mine(page)).to_contain_text("negative")
    expect(field(page)).to_have_value("Keys are quick 1")
    page.get_by_role("button", name="One text").focus()
    page.keyboard.press("Control+2")
    page.get_by_role("button", name="Keys").click()
    page.keyboard.press("2")  # in a dialog
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="One text").focus()
    page.keyboard.press("3")
    expect(mine(page).locator(".try-entry")).to_have_count(2)
    expect(mine(page).locator(".try-entry").first).to_contain_text("positive")


def test_a_key_that_is_faster_than_the_answer_corrects_the_new_text(page: Page, stack: Stack) -> None:
    write(page, stack, "It was lovely, thank you.")
    with page.expect_request(re.compile("v1/feedback$")) as asked:
        field(page).fill("That rail is kooked")
        field(page).press("Alt+1")
    assert (asked.value.post_data_json or {}).get("text") == "That rail is kooked"
    expect(answer(page).locator(".try-receipt")).to_contain_text("Stored.")


def test_a_correction_that_could_not_be_sent_is_kept_and_sent_again_with_its_key(page: Page, stack: Stack) -> None:
    write(page, stack, "The ditch is sketchy, slammed")
    keys: list[str | None] = []
    page.on(
        "request",
        lambda request: keys.append(request.headers.get("idempotency-key")) if "feedback" in request.url else None,
    )
    page.route("**/v1/feedback", failing(503, "Send it again."))
    choice(page, "negative").click()
    expect(answer(page).locator(".try-receipt").get_by_role("alert")).to_contain_text("Send it again.")
    expect(mine(page)).to_contain_text("Not sent")
    page.reload()
    expect(mine(page)).to_contain_text("Not sent")
    page.unroute("**/v1/feedback")
    mine(page).get_by_role("button", name="Send again").press("Enter")
    expect(mine(page)).to_contain_text("Stored")
    first, *others = keys
    assert first
    assert others[:1] == [first]
    expect(mine(page).get_by_role("heading")).to_be_focused()


def test_a_correction_that_could_not_be_sent_can_be_discarded(page: Page, stack: Stack) -> None:
    write(page, stack, "The plaza is cruddy")
    page.route("**/v1/feedback", lambda route: route.abort())
    choice(page, "negative").click()
    mine(page).get_by_role("button", name="Discard").click()
    expect(mine(page)).to_contain_text("What you say of an answer is listed here")


@pytest.mark.parametrize(
    ("fate", "told"),
    [
        ({"status": "in_snapshot", "snapshot": "ab"}, "A model was trained with it, but is not released."),
        ({"status": "quarantined", "reason": "beyond what one contributor may bring in a day"}, "beyond what one"),
        ({"status": "erased", "erased_at": "2026-01-02T03:04:05.000Z"}, "Nothing of it is left since 2 Jan 2026"),
    ],
)
def test_what_became_of_a_correction_is_told_in_plain_words(
    page: Page, stack: Stack, fate: dict[str, str], told: str
) -> None:
    write(page, stack, "The plaza is cruddy, total bust")
    choice(page, "negative").click()
    expect(mine(page)).to_contain_text("Stored")
    page.route("**/v1/feedback/*", lambda route: route.fulfill(json={"id": "fb-1", **fate}))
    mine(page).get_by_role("button", name="Look again").click()
    expect(mine(page)).to_contain_text(told)


def test_a_look_that_fails_leaves_the_list_and_says_so(page: Page, stack: Stack) -> None:
    write(page, stack, "The plaza is cruddy, total bust")
    choice(page, "negative").click()
    expect(mine(page)).to_contain_text("Stored")
    page.route("**/v1/feedback/*", failing(500, "Later."))
    mine(page).get_by_role("button", name="Look again").click()
    expect(mine(page).get_by_role("alert")).to_contain_text("Later.")
    expect(mine(page).locator(".try-entry")).to_have_count(1)
    page.unroute("**/v1/feedback/*")
    mine(page).get_by_role("button", name="Try again").click()
    expect(mine(page).get_by_role("alert")).to_have_count(0)


def test_the_command_for_a_terminal_is_quoted_and_holds_no_key(open_page: Callable[..., Page], stack: Stack) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    text = "It's $HOME `id` \"quoted\" \\ \n!! '; rm -rf /"
    write(page, stack, text)
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.locator("#announcer")).to_contain_text("Copied")
    command = page.evaluate("navigator.clipboard.readText()")
    words = shlex.split(command)
    assert words[:3] == ["curl", "-s", f"{stack.url}/v1/predict?explain=true"]
    assert json.loads(words[-1]) == {"text": text}
    assert "x-api-key" not in command
    page.evaluate("sessionStorage.setItem('sentiloop.api-key', 'secret')")
    expect(page.get_by_role("button", name="Copy as curl")).to_be_visible()
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.locator("#announcer")).to_contain_text("Copied")
    command = page.evaluate("navigator.clipboard.readText()")
    assert '-H "x-api-key: $SENTILOOP_API_KEY"' in command
    assert "secret" not in command


def test_a_browser_without_a_clipboard_shows_the_command(page: Page, stack: Stack) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    write(page, stack, "It was lovely, thank you.")
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_role("dialog").get_by_role("textbox")).to_have_value(re.compile("^curl -s "))
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Copy as curl")).to_be_focused()


def test_the_mode_is_in_the_address(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/#/try")
    page.get_by_role("button", name="Many texts").click()
    assert page.url.endswith("#/try?many=1")
    expect(page.get_by_role("button", name="Many texts")).to_have_attribute("aria-pressed", "true")
    expect(field(page)).to_have_count(0)
    page.get_by_role("button", name="One text").click()
    assert page.url.endswith("#/try")
    expect(field(page)).to_be_visible()


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(
    open_page: Callable[..., Page], stack: Stack, theme: str, size: dict[str, int]
) -> None:
    page = open_page(viewport=size, color_scheme=theme, reduced_motion="reduce")

    def check() -> None:
        found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]

    page.goto(f"{stack.url}/#/try")
    expect(answer(page)).to_contain_text("Write a text")
    check()
    write(page, stack, MIXED)
    page.get_by_text("What each word adds").click()
    choice(page, "negative").click()
    expect(mine(page)).to_contain_text("Stored")
    check()
    page.route("**/v1/feedback", failing(503, "Send it again."))
    choice(page, "neutral").click()
    expect(mine(page)).to_contain_text("Not sent")
    page.route("**/v1/predict?*", failing(500, "Later."))
    field(page).fill("x" * 10_001)
    check()
    field(page).fill("something else")
    expect(answer(page).get_by_role("alert")).to_be_visible()
    check()


def learn(page: Page) -> Locator:
    return page.locator(".try-learn")


def start_learning(page: Page) -> None:
    learn(page).get_by_label("Your name").fill("ada")
    learn(page).get_by_role("button", name="Learn now").click()


def test_learning_needs_a_name_and_the_admin_key_and_says_what_to_do_where_it_cannot_start(
    page: Page, stack: Stack
) -> None:
    page.goto(f"{stack.url}/#/try")
    page.get_by_role("button", name="Learn now").click()
    expect(learn(page).get_by_role("alert")).to_contain_text("Say who you are.")
    expect(learn(page).get_by_label("Your name")).to_be_focused()
    start_learning(page)
    expect(page.get_by_role("heading", name="Admin key needed")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(learn(page).get_by_role("button", name="Enter the key")).to_be_visible()
    page.route("**/v1/runs", failing(503, "Run `make retrain`."))
    page.get_by_role("button", name="Enter the key").click()
    expect(learn(page).locator(".notice.error")).to_contain_text("Run `make retrain`.")


def test_the_waiting_goes_on_in_another_view_and_who_stops_it_is_told_where_the_decision_will_be(
    admin_page: Page, stack: Stack
) -> None:
    asked = {"asked_at": "2026-01-01T00:00:00.000Z"}
    admin_page.route("**/v1/runs", lambda route: route.fulfill(status=202, json=asked))
    admin_page.route("**/v1/runs?*", lambda route: route.fulfill(json={"items": [], "next": None, "unreadable": 0}))
    admin_page.goto(f"{stack.url}/#/try")
    start_learning(admin_page)
    expect(learn(admin_page)).to_contain_text("Learning.")
    admin_page.get_by_role("link", name="Models").click()
    expect(admin_page.get_by_role("heading", level=1)).to_have_text("Models")
    expect(admin_page.get_by_text("Learning.")).to_be_visible()
    admin_page.get_by_role("button", name="Stop waiting").press("Enter")
    expect(admin_page.get_by_text("You stopped waiting.")).to_be_visible()
    expect(admin_page.get_by_role("button", name="Learn now")).to_be_focused()
    admin_page.get_by_role("link", name="Try", exact=True).click()
    expect(learn(admin_page)).not_to_contain_text("Learning.")
    expect(learn(admin_page).get_by_label("Your name")).to_have_value("ada")


def test_a_run_that_has_recorded_nothing_in_its_time_is_given_up(admin_page: Page, stack: Stack) -> None:
    admin_page.route("**/v1/runs?*", failing(503, "Later."))
    asked = {"by": "ada", "at": "2026-01-01T00:00:00.000Z", "since": 0}
    admin_page.evaluate("asked => sessionStorage.setItem('sentiloop.learning', asked)", json.dumps(asked))
    admin_page.goto(f"{stack.url}/#/try")
    expect(learn(admin_page)).to_contain_text("No decision after 15 minutes")
    admin_page.reload()
    expect(learn(admin_page).get_by_role("button", name="Learn now")).to_be_visible()
    expect(learn(admin_page).locator(".learn-shown")).to_be_empty()


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("rejected", "Nothing changed"),
        ("held", "A better model waits"),
        ("on_trial", "A new version is on trial: v2"),
        ("skipped", "Nothing to learn"),
    ],
)
def test_every_outcome_of_a_run_is_told_in_words(admin_page: Page, stack: Stack, outcome: str, told: str) -> None:
    run = {"run_id": "r", "at": "2026-01-01T00:00:01.000Z", "by": "ada", "outcome": outcome, "version": "v2"}
    other = {**run, "by": "schedule", "outcome": "rejected", "reasons": ["of somebody else"]}
    items = [other, {**run, "reasons": ["it is so"]}, other]
    now = admin_page.evaluate("new Date().toISOString()")
    items = [{**item, "at": now} for item in items]
    admin_page.route("**/v1/runs", lambda route: route.fulfill(status=202, json={"asked_at": now}))
    admin_page.route("**/v1/runs?*", lambda route: route.fulfill(json={"items": items, "next": None, "unreadable": 0}))
    admin_page.goto(f"{stack.url}/#/try")
    start_learning(admin_page)
    expect(learn(admin_page)).to_contain_text(told)
    expect(learn(admin_page)).to_contain_text("It is so.")
    expect(learn(admin_page)).not_to_contain_text("of somebody else", ignore_case=True)
    way_on = learn(admin_page).get_by_role("link", name="Label the texts that help most")
    expect(way_on).to_have_count(int(outcome == "rejected"))


def test_the_whole_loop_a_correction_is_learned_and_the_model_changes_its_mind(
    open_page: Callable[..., Page], learner: Stack
) -> None:
    page = open_page()
    give_admin_key(page, learner)
    before = write(page, learner, "that ledge is kooked, total bust today")
    assert before["label"] != "negative"
    page.get_by_label("Who says so").fill("skater 1")
    choice(page, "negative").click()
    expect(mine(page)).to_contain_text("Stored")
    start_learning(page)
    expect(learn(page)).to_contain_text("Learning.")
    expect(learn(page)).to_contain_text("A new version answers now", timeout=120_000)
    expect(learn(page)).to_contain_text(f"Your text before{before['label']}")
    expect(learn(page)).to_contain_text("Your text nownegative")
    expect(answer(page).locator(".try-label")).to_have_text("negative")
    expect(page.locator("#served")).not_to_have_text(before["model_version"])
    version = page.locator("#served").inner_text()
    expect(answer(page)).to_contain_text(version)
    expect(mine(page)).to_contain_text("Learned")
    expect(mine(page)).to_contain_text(f"The model has changed its mind: was {before['label']}")
