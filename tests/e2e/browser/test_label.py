"""Labelling in the browser: by key or button, ahead of the service, and without losing an answer."""

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Dialog, Page, Route, expect

from tests.e2e.browser.conftest import NARROW, WIDE, Stack, started
from tests.e2e.browser.label_service import (
    ANSWERS,
    QUEUE,
    Gate,
    Service,
    failing,
    figures,
    fresh,
    label_button,
    last_answers,
    on_page,
    opened,
    prepare,
    press,
    saved,
    shown,
    stage,
)
from tests.e2e.test_up import ask

pytestmark = pytest.mark.browser
LABELS = ["negative", "neutral", "positive"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One that keeps every prediction as a sample."""
    folder = tmp_path_factory.mktemp("label")
    with started(folder, SENTILOOP_LOW_CONFIDENCE="1", SENTILOOP_SAMPLE_SECONDS="0") as made:
        yield made


@pytest.fixture
def service(stack: Stack) -> Service:
    return Service(stack)


@pytest.fixture
def page(open_page: Callable[..., Page], service: Service) -> Page:
    """A page with the admin key, whose answers the service fixture remembers."""
    page = open_page()
    prepare(page, service)
    return page


# --- labelling ---


def test_texts_are_labelled_by_keys_alone(page: Page, service: Service) -> None:
    opened(page, service, fresh(5))
    items = {item["text"]: item for item in service.waiting()}
    assert figures(page) == ["0", "5"]
    answered = []
    for key in ("1", "3", "s", "Enter"):
        answered.append((items[shown(page)], key))
        press(page, key)
    saved(page)
    assert figures(page) == ["4", "1"]
    for (sample_id, body), (item, key) in zip(service.sent, answered, strict=True):
        label = {"1": "negative", "3": "positive", "Enter": item["label"]}.get(key)
        if label is None:
            expected = {"action": "skip"}
        elif label == item["label"]:
            expected = {"action": "accept"}
        else:
            expected = {"action": "correct", "correct_label": label}
        assert (sample_id, body) == (item["sample_id"], expected)
    assert [item["text"] for item in service.waiting()] == [shown(page)]
    rows = last_answers(page)
    expect(rows).to_have_count(4)
    expect(rows.nth(0)).to_contain_text(answered[-1][0]["label"])
    expect(rows.nth(1)).to_contain_text("skipped")
    expect(rows.get_by_role("button", name="Undo")).to_have_count(1)


def test_buttons_do_the_same_and_leave_the_keys_to_the_text(page: Page, service: Service) -> None:
    opened(page, service, fresh(4))
    model = {item["text"]: item["label"] for item in service.waiting()}
    expect(page.get_by_role("group", name="Labels").get_by_role("button")).to_contain_text(LABELS)
    first = shown(page)
    label_button(page, "neutral").click()
    expect(stage(page)).not_to_have_text(first)
    expect(stage(page)).to_be_focused()
    press(page, "Enter")  # agrees with the model, and does not press the button again
    page.get_by_role("button", name="Skip").click()
    page.get_by_role("button", name="Agree").click()
    expect(on_page(page, "Nothing is left. You gave 4 answers")).to_be_visible()
    saved(page)
    assert service.actions == ["accept" if model[first] == "neutral" else "correct", "accept", "skip", "accept"]
    assert service.waiting() == []


def test_who_presses_buttons_by_key_stays_on_the_button(page: Page, service: Service) -> None:
    opened(page, service, fresh(3))
    label_button(page, "positive").focus()
    press(page, "Enter")
    press(page, "Space")
    expect(label_button(page, "positive")).to_be_focused()
    press(page, "Space")  # the last: the button goes away
    expect(stage(page)).to_be_focused()


def test_a_text_is_shown_with_why_it_is_asked_about_and_what_the_model_said(page: Page, service: Service) -> None:
    first, second = fresh(2)
    opened(page, service, [f"{first} {second}"])
    ask(f"{service.stack.url}/v1/predict", {"text": f"{first} {second}."})  # near-equal
    page.reload()
    item = service.waiting()[0]
    card = page.locator(".label-card")
    expect(card).to_contain_text(item["why"])
    expect(card).to_contain_text(f"The model says {item['label']}")
    expect(card).to_contain_text("Stands for 1 similar text more")
    expect(card).to_contain_text(f"Predicted by {item['model_version']}")
    expect(card.locator("time")).to_have_attribute("datetime", item["received_at"])


HOSTILE = [
    "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script><b>bold</b> &amp; ${1}",
    "\u202egnihtyna\u202c \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u2066left",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1ee\U0001f1f8 e\u0301 \u0130\ufb01 z\u0300\u0301\u0302\u0303",
    "  two\n\n  lines\tand   room ",
    "x" * 10_000,
    ("wide " * 2_000).strip(),
]


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_any_text_is_shown_as_it_was_written(
    open_page: Callable[..., Page], service: Service, size: dict[str, int]
) -> None:
    page = open_page(viewport=size)
    prepare(page, service)
    word = fresh(1)[0]
    texts = [f"{text}{word if len(text) < 9_000 else ''}"[:10_000] for text in HOSTILE]
    if size != NARROW:
        texts[-2:] = ["y" * 10_000, ("broad " * 1_600).strip()]
    seen = [opened(page, service, texts)]
    buttons = label_button(page, "positive").bounding_box()
    for number in range(1, len(texts) + 1):
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert label_button(page, "positive").bounding_box() == buttons  # nothing jumps
        page.keyboard.press("s")
        if number < len(texts):
            expect(stage(page)).not_to_have_text(seen[-1], use_inner_text=False)
            seen.append(shown(page))
    saved(page)
    assert sorted(seen) == sorted(texts)
    expect(page).to_have_title("Label · Sentiloop")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


# --- ahead of the service ---


def test_the_next_text_is_there_while_answers_are_on_their_way_one_at_a_time(page: Page, service: Service) -> None:
    opened(page, service, fresh(4))
    gate = Gate(page)
    for key in "123":
        press(page, key)
    expect(on_page(page, "Saving…")).to_be_visible()
    expect(last_answers(page).filter(has_text="on its way")).to_have_count(3)
    assert len(service.sent) == 1
    gate.open()
    saved(page)
    assert len({sample_id for sample_id, _ in service.sent}) == len(service.sent) == 3
    assert figures(page) == ["3", "1"]
    assert [item["text"] for item in service.waiting()] == [shown(page)]


@pytest.mark.parametrize("status", [429, 503, 500, 0])
def test_an_answer_that_is_not_taken_waits_and_is_sent_again_unchanged(
    page: Page, service: Service, status: int
) -> None:
    opened(page, service, fresh(3))
    gate = Gate(page, failing(status, "busy", **{"retry-after": "30"}))
    page.get_by_label("Your name").fill("Ada")
    stage(page).focus()
    press(page, "1")
    expect(on_page(page, "1 answer waits to be sent.")).to_be_visible()
    expect(page.locator("#announcer")).to_contain_text("1 answer waits to be sent.")
    page.get_by_label("Your name").fill("Grace")
    stage(page).focus()
    press(page, "2")
    expect(on_page(page, "2 answers wait to be sent.")).to_be_visible()
    gate.open()
    page.get_by_role("button", name="Try now").click()
    saved(page)
    expect(stage(page)).to_be_focused()  # the button that was pressed is gone
    assert len(service.waiting()) == 1
    (first, said), *again, (second, other) = service.sent
    assert again
    assert all(each == (first, said) for each in again)
    assert (said["reviewer"], other["reviewer"]) == ("Ada", "Grace")
    assert first != second


def test_an_answer_is_tried_again_by_itself_in_any_view_and_the_tab_is_not_closed_on_it(
    page: Page, service: Service
) -> None:
    opened(page, service, fresh(2))
    gate = Gate(page, failing(503, "busy"))
    press(page, "3")
    expect(on_page(page, "1 answer waits to be sent.")).to_be_visible()
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.close(run_before_unload=True)
    page.get_by_role("link", name="Try", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Try")
    assert asked == ["beforeunload"]
    with page.expect_response(lambda answer: bool(ANSWERS.search(answer.url)) and answer.status == 201):
        gate.open()
    page.get_by_role("link", name="Label", exact=True).click()
    saved(page)
    expect(last_answers(page)).to_have_count(1)
    assert figures(page) == ["1", "1"]
    page.close(run_before_unload=True)  # closes without a question
    assert asked == ["beforeunload"]


def test_a_reply_that_is_lost_leaves_one_answer(page: Page, service: Service) -> None:
    opened(page, service, fresh(2))

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route(ANSWERS, lose, times=1)
    press(page, "1")
    saved(page)
    assert service.sent[0] == service.sent[1]
    assert len(service.waiting()) == 1
    press(page, "u")
    expect(on_page(page, "Each answer is sent at once.")).to_be_visible()
    assert len(service.waiting()) == 2


@pytest.mark.parametrize("theirs", ["negative", "positive"])
def test_what_somebody_else_has_answered_is_told_and_passed_over(page: Page, service: Service, theirs: str) -> None:
    text = opened(page, service, fresh(3))
    item = next(item for item in service.waiting() if item["text"] == text)
    action = {"action": "accept"} if theirs == item["label"] else {"action": "correct", "correct_label": theirs}
    assert service.review(f"/{item['sample_id']}", action)[0] == 201
    press(page, "2")
    expect(on_page(page, "It was answered before, and otherwise: your answer was not taken.")).to_be_visible()
    expect(page.locator("#announcer")).to_contain_text("was not taken")
    expect(last_answers(page)).to_contain_text("not taken")
    expect(page.get_by_role("button", name="Undo")).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("u")  # is not sent: it would undo another's answer
    press(page, "1")
    saved(page)
    assert service.actions[1:] in (["accept"], ["correct"])
    page.get_by_role("button", name="Dismiss").click()
    expect(on_page(page, "It was answered before")).to_have_count(0)
    expect(stage(page)).to_be_focused()


def test_an_undo_of_what_is_then_refused_does_not_undo_anothers_answer(page: Page, service: Service) -> None:
    opened(page, service, fresh(2))
    gate = Gate(page)
    press(page, "1")
    press(page, "u")
    for route in gate.held:
        failing(409, "review_conflict")(route)
    expect(on_page(page, "It was answered before, and otherwise")).to_be_visible()
    assert len(service.sent) == 1
    expect(on_page(page, "Each answer is sent at once.")).to_be_visible()


def test_a_text_that_is_gone_is_passed_over(page: Page, service: Service) -> None:
    opened(page, service, fresh(2))
    page.route(ANSWERS, failing(404, "sample_not_found"), times=1)
    press(page, "1")
    expect(on_page(page, "It is gone, and passed over.")).to_be_visible()
    assert figures(page) == ["0", "1"]


def test_a_refused_answer_brings_its_text_back(page: Page, service: Service) -> None:
    text = opened(page, service, fresh(3))
    page.route(ANSWERS, failing(422, "invalid_request"), times=1)
    press(page, "1")
    expect(on_page(page, "The answer was refused. The text comes again.")).to_be_visible()
    assert figures(page) == ["0", "3"]
    assert press(page, "1") == text
    press(page, "1")
    saved(page)
    assert len(service.waiting()) == 1


def test_texts_are_asked_for_before_they_run_out_and_none_comes_twice(page: Page, service: Service) -> None:
    texts = fresh(33)
    opened(page, service, texts)
    expect(page.locator(".label-profit").get_by_text(" since ")).to_be_visible()
    seen = []
    for number in range(33):
        seen.append(shown(page))
        page.keyboard.press("2" if number % 2 else "Enter")
        if number < 32:
            expect(stage(page)).not_to_have_text(seen[-1])
            expect(stage(page).locator(".text")).to_be_visible()
    expect(on_page(page, "Nothing is left. You gave 33 answers")).to_be_visible()
    saved(page)
    assert sorted(seen) == sorted(texts)
    assert len({sample_id for sample_id, _ in service.sent}) == len(service.sent) == 33
    expect(last_answers(page)).to_have_count(10)
    assert figures(page) == ["33", "0"]


def test_what_the_labels_bring_is_told_anew_after_ten_answers(page: Page, service: Service) -> None:
    opened(page, service, fresh(14))
    before = service.review()[1]["profit"]
    part = page.locator(".label-profit")
    expect(part).to_contain_text(before["sentence"])
    meter = part.get_by_role("meter")
    expect(meter).to_have_attribute("aria-valuenow", str(before["labels"]))
    for number in range(1, 10):
        press(page, "1")
        expect(meter).to_have_attribute("aria-valuenow", str(before["labels"] + number))
    expect(part).to_contain_text(before["sentence"])
    press(page, "1")
    expect(part).not_to_contain_text(before["sentence"])
    expect(part).to_contain_text(service.review()[1]["profit"]["sentence"])


# --- taking back ---


def test_answers_are_taken_back_one_after_the_other(page: Page, service: Service) -> None:
    first = opened(page, service, fresh(4))
    second = press(page, "1")
    third = press(page, "s")
    press(page, "3")
    saved(page)
    last_answers(page).get_by_role("button", name="Undo").click()
    expect(stage(page)).to_have_text(third)
    expect(stage(page)).to_be_focused()
    assert press(page, "u") == second
    page.get_by_role("button", name="Undo").first.click()
    expect(stage(page)).to_have_text(first)
    expect(page.locator("#announcer")).to_contain_text(f"Undone. Text: {first}")
    assert figures(page) == ["0", "4"]
    expect(on_page(page, "Your answers appear here.")).to_be_visible()
    expect(on_page(page, "Each answer is sent at once.")).to_be_visible()
    assert len(service.waiting()) == 4
    page.keyboard.press("u")  # there is nothing more to take back
    press(page, "2")
    saved(page)
    assert service.actions[3:6] == ["undo"] * 3
    assert len(service.waiting()) == 3


def test_an_answer_on_its_way_is_taken_back_after_it_and_one_not_sent_is_never_sent(
    page: Page, service: Service
) -> None:
    first = opened(page, service, fresh(3))
    gate = Gate(page)
    second = press(page, "1")
    press(page, "3")
    assert press(page, "u") == second
    assert press(page, "u") == first
    gate.open()
    expect(on_page(page, "Each answer is sent at once.")).to_be_visible()
    assert [(sample_id, body["action"]) for sample_id, body in service.sent][1:] == [(service.sent[0][0], "undo")]
    assert len(service.waiting()) == 3


def test_a_text_that_had_a_label_is_left_as_it_was_when_skipped(page: Page, service: Service) -> None:
    text = opened(page, service, fresh(2))
    other = press(page, "1")
    saved(page)
    assert press(page, "u") == text
    expect(on_page(page, "Your label of before counts until you give another.")).to_be_visible()
    assert press(page, "s") == other
    expect(last_answers(page)).to_contain_text("left as it was")
    press(page, "s")
    saved(page)
    assert service.actions[1:] == ["undo", "skip"]  # the service would refuse to skip the first
    expect(on_page(page, "Nothing is left.")).to_be_visible()
    page.get_by_role("button", name="Look again").click()
    expect(stage(page)).to_have_text(text)


# --- nothing there, and what fails ---


def test_where_nothing_waits_the_page_says_what_to_do(page: Page, service: Service) -> None:
    service.keep()
    page.goto(f"{service.stack.url}/#/label")
    expect(on_page(page, "No text waits for a label.")).to_be_visible()
    expect(page.get_by_role("link", name="Score many texts")).to_have_attribute("href", "#/try?many=1")
    for key in "123su":
        page.keyboard.press(key)
    text = fresh(1)[0]
    ask(f"{service.stack.url}/v1/predict", {"text": text})
    page.get_by_role("button", name="Look again").click()
    expect(stage(page)).to_have_text(text)
    expect(stage(page)).to_be_focused()
    assert service.sent == []


@pytest.mark.parametrize("status", [500, 503, 0])
def test_texts_that_do_not_come_can_be_asked_for_again(page: Page, service: Service, status: int) -> None:
    service.keep(*fresh(1))
    page.route(QUEUE, failing(status, "storage_unavailable"))
    page.goto(f"{service.stack.url}/#/label")
    expect(stage(page).get_by_role("alert")).to_be_visible()
    page.unroute(QUEUE)
    page.get_by_role("button", name="Try again").click()
    expect(stage(page).locator(".text")).to_be_visible()
    expect(stage(page)).to_be_focused()


def test_a_failure_in_the_background_does_not_disturb(page: Page, service: Service) -> None:
    opened(page, service, fresh(22))
    page.route(QUEUE, failing(503, "storage_unavailable"))
    for _ in range(19):
        press(page, "2")
    expect(stage(page).get_by_role("alert")).to_have_count(0)
    page.keyboard.press("2")
    expect(stage(page).get_by_role("alert")).to_be_visible()
    expect(page.get_by_text("All answers are saved.")).to_be_visible()  # each that is taken looks for more
    page.unroute(QUEUE)
    page.get_by_role("button", name="Try again").click()
    expect(stage(page).locator(".text")).to_be_visible()


def test_a_service_that_does_not_name_its_labels_can_be_asked_again(page: Page, service: Service) -> None:
    service.keep(*fresh(1))
    page.route("**/v1/model_info", failing(503, "storage_unavailable"))
    page.goto(f"{service.stack.url}/#/label")
    expect(page.get_by_role("alert")).to_be_visible()
    page.unroute("**/v1/model_info")
    page.get_by_role("button", name="Try again").click()
    expect(stage(page).locator(".text")).to_be_visible()


def test_the_admin_key_is_asked_for_where_it_is_wanted(open_page: Callable[..., Page], service: Service) -> None:
    service.keep(*fresh(2))
    page = open_page()
    page.goto(f"{service.stack.url}/#/label")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Enter the key").click()
    expect(page.get_by_role("heading", name="Admin key needed")).to_be_visible()
    page.get_by_role("textbox", name="Admin key").fill(service.stack.admin_key)
    page.keyboard.press("Enter")
    expect(stage(page).locator(".text")).to_be_visible()
    page.evaluate("sessionStorage.removeItem('sentiloop.admin-key')")  # while texts are held
    press(page, "1")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(on_page(page, "1 answer waits to be sent.")).to_be_visible()
    page.locator(".label-trouble").get_by_role("button", name="Enter the key").click()
    page.get_by_role("textbox", name="Admin key").fill(service.stack.admin_key)
    page.keyboard.press("Enter")
    saved(page)
    assert len(service.waiting()) == 1


# --- how to label ---


def test_the_models_answer_can_be_hidden_and_then_enter_agrees_with_nothing(page: Page, service: Service) -> None:
    text = opened(page, service, fresh(2))
    card = page.locator(".label-card")
    expect(card).to_contain_text("The model says")
    page.get_by_label("Hide the model’s answer").check()
    page.reload()
    expect(card).to_contain_text("The model’s answer is hidden.")
    expect(card.get_by_role("button", name="Agree")).to_be_hidden()
    expect(page.get_by_role("group", name="Labels").get_by_role("button")).to_contain_text(LABELS)
    words = card.inner_text()
    assert words.count("negative") + words.count("neutral") + words.count("positive") == 3  # the buttons
    assert "%" not in words
    assert "The model says" not in (page.locator("#announcer").text_content() or "")
    stage(page).focus()
    page.keyboard.press("Enter")
    expect(stage(page)).to_have_text(text)
    page.get_by_label("Hide the model’s answer").uncheck()
    expect(card).to_contain_text("The model says")
    assert service.sent == []


def test_keys_can_be_switched_off_and_do_nothing_in_fields_and_dialogs(page: Page, service: Service) -> None:
    text = opened(page, service, fresh(3))
    page.get_by_label("Your name").focus()
    page.keyboard.type("123su?")
    page.keyboard.press("Enter")
    stage(page).focus()
    for keys in ("Control+1", "Meta+s", "Alt+u"):
        page.keyboard.press(keys)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Shortcuts")
    expect(dialog).to_contain_text("Label the text neutral")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_label("Use single-key shortcuts").uncheck()
    page.reload()
    expect(stage(page)).to_have_text(text)
    for key in ("1", "s", "Enter", "?"):
        page.keyboard.press(key)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(stage(page)).to_have_text(text)
    assert service.sent == []
    page.get_by_label("Use single-key shortcuts").check()
    page.keyboard.down("2")
    page.keyboard.down("2")  # held down, which repeats it
    page.keyboard.up("2")
    saved(page)
    assert figures(page) == ["1", "2"]


def test_the_reviewers_name_goes_with_each_answer_of_the_session(page: Page, service: Service) -> None:
    opened(page, service, fresh(4))
    press(page, "1")
    name = page.get_by_label("Your name")
    name.fill("  Ada\u202e <b>\u0000 ")
    stage(page).focus()
    press(page, "1")
    page.reload()
    expect(name).to_have_value("Ada <b>")
    expect(stage(page).locator(".text")).to_be_visible()
    press(page, "1")
    saved(page)
    assert [body.get("reviewer") for _, body in service.sent] == [None, "Ada <b>", "Ada <b>"]
    assert "Ada" not in str(page.context.storage_state())


def test_a_new_text_is_read_out(page: Page, service: Service) -> None:
    text = opened(page, service, fresh(2))
    announcer = page.locator("#announcer")
    expect(announcer).to_contain_text(f"Text: {text}. The model says")
    following = press(page, "1")
    expect(announcer).to_contain_text(f"negative. Next text: {following}")
    page.keyboard.press("s")
    expect(announcer).to_contain_text("No text is left.")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(open_page: Callable[..., Page], service: Service, theme: str) -> None:
    page = open_page(viewport=NARROW, color_scheme=theme)
    prepare(page, service)

    def check() -> None:
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]

    opened(page, service, [" ".join([text, "w" * 80, "and on"]) for text in fresh(3)])
    page.route(ANSWERS, failing(409, "review_conflict"), times=1)
    press(page, "1")
    expect(page.locator(".label-note")).to_be_visible()
    gate = Gate(page, failing(503, "busy"))
    press(page, "1")
    expect(page.locator(".label-trouble")).to_be_visible()
    check()
    page.keyboard.press("?")
    check()
    page.keyboard.press("Escape")
    page.get_by_label("Hide the model’s answer").check()
    check()
    gate.open()
    page.get_by_role("button", name="Try now").click()
    saved(page)
    stage(page).focus()
    with page.expect_response(QUEUE) as looked:  # by itself, once the last answer is taken
        page.keyboard.press("s")
    looked.value.finished()
    expect(on_page(page, "Nothing is left.")).to_be_visible()
    check()
    page.route(QUEUE, failing(500, "internal_error"))
    page.get_by_role("button", name="Look again").click()
    expect(stage(page).get_by_role("alert")).to_be_visible()
    check()
