"""Many texts at once: lines and CSV files, scored in their places, compared with right labels, and sent as feedback."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from console.pages import ASSETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.e2e.browser.conftest import NARROW, WIDE, Stack, give_admin_key
from tests.e2e.test_loop import CONTRIBUTORS, corrections
from tests.e2e.test_up import ask

pytestmark = pytest.mark.browser
BATCH, FEEDBACK = "**/v1/predict/batch", "**/v1/feedback"
csv.field_size_limit(2**24)
LABELS = ["negative", "neutral", "positive"]
ADDED = ["predicted_label", "confidence", *(f"probability_{label}" for label in LABELS), "model_version", "error"]
HOSTILE = [
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "\u202eevil\u202c \u200f\u05e9\u05dc\u05d5\u05dd",
    "😀👩‍👩‍👧 e\u0301 ﬁ İ",
    '=HYPERLINK("http://x","y")',
    "a" * 10_000,
]
CELLS = st.text(
    st.one_of(
        st.sampled_from(',;\t"\r\n \ufeff\u2028='), st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    )
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=5)
MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def open_many(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/#/try?many=1")
    expect(page.get_by_label("Texts, one a line")).to_be_visible()


def as_csv(rows: list[list[str]], delimiter: str = ",") -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter).writerows(rows)
    return written.getvalue().encode()


def give_file(page: Page, content: bytes, name: str = "reviews.csv") -> None:
    page.get_by_label("Or a CSV file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})


def drop_file(page: Page, content: bytes, name: str) -> None:
    """Drop a file as a person does; the page makes it, as nothing else can."""
    transfer = page.evaluate_handle(
        "([text, name]) => { const made = new DataTransfer(); made.items.add(new File([text], name)); return made }",
        [content.decode(), name],
    )
    page.dispatch_event(".many-drop", "drop", {"dataTransfer": transfer})


def score(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Score ")).click()


def result(page: Page) -> Locator:
    return page.get_by_role("heading", level=2, name=re.compile("^Result"))


def done(page: Page, text: str) -> Locator:
    """Return how far the run is, as it is seen; it is said, too, to those who hear the page."""
    return page.locator("main strong").get_by_text(text, exact=True)


def downloaded(page: Page) -> tuple[str, str]:
    """Return the name of the file that the page offers, and what is in it."""
    with page.expect_download() as offered:
        page.get_by_role("button", name="Download as CSV").click()
    return offered.value.suggested_filename, Path(offered.value.path()).read_bytes().decode()


def rows_of(content: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter))


def made_answer(label: str = "positive", version: str = "v1", labels: list[str] | None = None) -> dict[str, Any]:
    shares = {name: 0.8 if name == label else 0.1 for name in labels or LABELS}
    return {
        "label": label,
        "confidence": 0.8,
        "probabilities": shares,
        "model_version": version,
        "prediction_id": "pr-1",
    }


def texts_of(route: Route) -> list[str]:
    return list(json.loads(route.request.post_data or "")["texts"])


def refusal(status: int, message: str = "too many requests") -> dict[str, Any]:
    return {
        "status": status,
        "json": {"error": {"code": "refused", "message": message, "hint": "Wait.", "request_id": "r1"}},
    }


@pytest.fixture(scope="module")
def csv_page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page that has csv.js as `csv`."""
    opened = browser.new_page()
    opened.route("**/csv.js", lambda route: route.fulfill(path=ASSETS / "csv.js"))  # the page has it with the view
    opened.goto(stack.url)
    opened.evaluate(
        "import(document.querySelector('script[type=module]').src.replace('app.js', 'csv.js'))"
        ".then(found => { window.csv = found })"
    )
    yield opened
    opened.close()


@given(table=TABLES, delimiter=st.sampled_from(",;\t"), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
@MANY
def test_what_python_writes_is_read_cell_by_cell(
    csv_page: Page, table: list[list[str]], delimiter: str, quoting: Any
) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, quoting=quoting).writerows(table)
    assert csv_page.evaluate("([text, by]) => csv.parse(text, by)", [written.getvalue(), delimiter]) == table


@given(text=st.text(st.sampled_from('ab,"\r\n;')), delimiter=st.sampled_from(",;"))
@MANY
def test_any_text_is_read_as_python_reads_it(csv_page: Page, text: str, delimiter: str) -> None:
    expected = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    assert csv_page.evaluate("([text, by]) => csv.parse(text, by)", [text, delimiter]) == expected


@given(table=TABLES, delimiter=st.sampled_from(",;\t"))
@MANY
def test_python_reads_what_is_written_cell_by_cell(csv_page: Page, table: list[list[str]], delimiter: str) -> None:
    written = csv_page.evaluate("([rows, by]) => csv.write(rows, by)", [table, delimiter])
    assert list(csv.reader(io.StringIO(written, newline=""), delimiter=delimiter)) == table


@given(st.text())
@MANY
def test_no_cell_that_is_added_begins_as_a_formula(csv_page: Page, text: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        return
    made = csv_page.evaluate("text => csv.harmless(text)", text)
    assert made[:1] not in set("=+-@\t\r")
    assert made.removeprefix("'") == text.removeprefix("'")


def test_pasted_lines_are_scored_counted_and_taken_away(page: Page, stack: Stack) -> None:
    open_many(page, stack)
    page.get_by_label("Texts, one a line").fill("I love it, truly.\n\n  \nIt broke twice.\r\nIt opens at nine.")
    page.get_by_role("button", name="Score 3 texts").click()
    expect(result(page)).to_be_focused()
    expect(page.get_by_text("3 of 3 rows", exact=True)).to_be_visible()
    name, content = downloaded(page)
    assert name == "texts-scored.csv"
    rows = rows_of(content)
    assert list(rows[0]) == ["text", *ADDED]
    assert [row["text"] for row in rows] == ["I love it, truly.", "It broke twice.", "It opens at nine."]
    _, answers = ask(f"{stack.url}/v1/predict/batch", {"texts": [row["text"] for row in rows]})
    assert [row["predicted_label"] for row in rows] == [answer["label"] for answer in answers["results"]]
    assert [row["confidence"] for row in rows] == [f"{answer['confidence']:.6f}" for answer in answers["results"]]


def test_without_a_text_it_is_said_what_is_missing(page: Page, stack: Stack) -> None:
    open_many(page, stack)
    score(page)
    expect(page.get_by_role("alert")).to_contain_text("There is no text")
    expect(page.get_by_label("Texts, one a line")).to_be_focused()
    page.get_by_role("button", name="Fill in an example").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("button", name="Score 5 texts")).to_be_visible()


def test_of_5000_dropped_rows_each_comes_back_in_its_place(page: Page, stack: Stack) -> None:
    moods = ["lovely", "dreadful", "open at nine"]
    table = [[str(n), f'Place {n}, "{moods[n % 3]}"\r\nas ever', f"-{n}"] for n in range(5000)]
    open_many(page, stack)
    drop_file(page, as_csv([["id", "review", "=sum"], *table]), "Many reviews.CSV")
    expect(page.get_by_text("5,000 rows · 3 columns · UTF-8")).to_be_visible()
    expect(page.get_by_label("Text", exact=True).locator("option:checked")).to_have_text("review")
    page.get_by_role("button", name="Score 5,000 rows").click()
    expect(done(page, "5,000 of 5,000 rows")).to_be_visible()
    name, content = downloaded(page)
    assert name == "Many reviews-scored.csv"
    rows = rows_of(content)
    assert [[row["id"], row["review"], row["=sum"]] for row in rows] == table
    assert not any(row["error"] for row in rows)
    _, answers = ask(f"{stack.url}/v1/predict/batch", {"texts": [row["review"] for row in rows[2990:3060]]})
    assert [row["predicted_label"] for row in rows[2990:3060]] == [answer["label"] for answer in answers["results"]]
    assert {row["predicted_label"] for row in rows} == set(LABELS)


def test_rows_that_cannot_be_scored_keep_their_place_and_say_why(page: Page, stack: Stack) -> None:
    table = [["1", "I love it."], ["2", "short", "and long"], ["3", ""], ["4"], ["5", "x" * 10_001], ["6", "It broke."]]
    open_many(page, stack)
    give_file(page, as_csv([["id", "text"], *table]))
    expect(page.get_by_text("2 rows have more or fewer cells than the first")).to_be_visible()
    score(page)
    expect(result(page)).to_be_focused()
    page.get_by_label("Show").select_option("error")
    shown = page.get_by_role("region", name="Scored rows").locator("tbody tr")
    expect(shown).to_have_count(4)
    expect(shown.nth(1)).to_contain_text("is empty")
    expect(shown.nth(3)).to_contain_text("10001 characters, the limit is 10000")
    records = list(csv.reader(io.StringIO(downloaded(page)[1], newline="")))
    assert [record[0] for record in records[1:]] == ["1", "2", "3", "4", "5", "6"]
    assert [bool(record[2]) for record in records[1:]] == [True, False, False, False, False, True]
    assert [bool(record[8]) for record in records[1:]] == [False, True, True, True, True, False]
    assert records[2][9] == "and long"


def test_texts_of_others_are_shown_and_written_as_they_are(page: Page, stack: Stack) -> None:
    open_many(page, stack)
    give_file(page, as_csv([["<b>id</b>", "text"], *([f"@{n}", text] for n, text in enumerate(HOSTILE))]), "<i>=x.csv")
    expect(page.get_by_role("heading", name="<i>=x.csv", exact=True)).to_be_focused()
    score(page)
    expect(result(page)).to_be_focused()
    shown = page.get_by_role("region", name="Scored rows")
    for text in HOSTILE[:4]:
        expect(shown.get_by_text(text, exact=True)).to_be_visible()
    expect(shown.get_by_text("a" * 10_000, exact=True)).to_be_hidden()
    shown.locator("summary").click()
    expect(shown.get_by_text("a" * 10_000, exact=True)).to_be_visible()
    rows = rows_of(downloaded(page)[1])
    assert [row["text"] for row in rows] == HOSTILE
    assert [row["<b>id</b>"] for row in rows] == [f"@{n}" for n in range(5)]


def test_a_label_that_looks_like_a_formula_is_none_in_the_file(page: Page, stack: Stack) -> None:
    def answer(route: Route) -> None:
        route.fulfill(json={"results": [made_answer("=cmd", labels=["=cmd", "@x"]) for _ in texts_of(route)]})

    page.route(BATCH, answer)
    open_many(page, stack)
    page.get_by_label("Texts, one a line").fill("=1+1")
    score(page)
    expect(result(page)).to_be_focused()
    [row] = rows_of(downloaded(page)[1])
    assert row["text"] == "=1+1"
    assert row["predicted_label"] == "'=cmd"


def test_a_file_that_was_scored_before_can_be_scored_again(page: Page, stack: Stack) -> None:
    open_many(page, stack)
    give_file(page, as_csv([["text", "predicted_label"], ["I love it.", "negative"]]))
    score(page)
    expect(result(page)).to_be_focused()
    [row] = rows_of(downloaded(page)[1])
    assert row["predicted_label"] == "negative"
    assert row["run2_predicted_label"] == "positive"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \r\n\r\n", "is empty"),
        (b"text\n\0\1\2\3", "is no text file"),
        (b"PK\3\4 a spreadsheet", "save the sheet as CSV"),
        (b"text\n" + b"x\n" * 50_001, "./sentiloop score"),
        (b"a," * 300 + b"\n", "A row has 301 cells"),
    ],
    ids=["empty", "blank", "binary", "spreadsheet", "too many rows", "too many columns"],
)
def test_a_bad_file_is_refused_with_what_to_do(page: Page, stack: Stack, content: bytes, said: str) -> None:
    open_many(page, stack)
    give_file(page, content)
    expect(page.get_by_role("alert")).to_contain_text(said)
    give_file(page, b"text\nI love it.\n")  # mended, by the same name
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("button", name="Score 1 row")).to_be_visible()


def test_a_file_without_a_row_is_not_scored_and_one_that_is_refused_is_named(page: Page, stack: Stack) -> None:
    open_many(page, stack)
    give_file(page, b"text,label\n", "head.csv")
    page.get_by_role("button", name="Score 0 rows").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no row to score.")
    give_file(page, b"", "empty.csv")
    expect(page.get_by_role("alert")).to_contain_text("empty.csv: ", ignore_case=True)
    expect(page.get_by_role("heading", name="head.csv")).to_be_visible()


def test_a_file_that_is_too_large_is_not_even_read(page: Page, stack: Stack) -> None:
    open_many(page, stack)
    transfer = page.evaluate_handle(
        "() => { const made = new DataTransfer();"
        " made.items.add(new File([new Uint8Array(20 * 2 ** 20 + 1)], 'large.csv')); return made }"
    )
    page.dispatch_event(".many-drop", "drop", {"dataTransfer": transfer})
    expect(page.get_by_role("alert")).to_contain_text("The file large.csv is larger than 20 MB")
    expect(page.get_by_role("alert")).to_contain_text("./sentiloop score")


@pytest.mark.parametrize(
    ("content", "said", "delimiter"),
    [
        ("id;text;note\r\n1;Café, schön;a,b\r\n".encode(), "1 row · 3 columns · UTF-8", ";"),
        ("id;text;note\r\n1;Café, schön;a,b\r\n".encode("cp1252"), "1 row · 3 columns · Windows-1252", ";"),
        ("\ufeffid\ttext\tnote\n1\tCafé, schön\ta,b\n".encode(), "1 row · 3 columns · UTF-8", "\t"),
        (
            "\ufeffid\ttext\tnote\r\n1\tCafé, schön\ta,b\r\n".encode("utf-16le"),
            "1 row · 3 columns · UTF-16",
            "\t",
        ),
    ],
    ids=["semicolon", "windows-1252", "tab", "utf-16"],
)
def test_separators_and_encodings_are_found_out_and_kept(
    page: Page, stack: Stack, content: bytes, said: str, delimiter: str
) -> None:
    open_many(page, stack)
    give_file(page, content)
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.get_by_role("region", name="The first rows")).to_contain_text("Café, schön")
    score(page)
    expect(result(page)).to_be_focused()
    written = downloaded(page)[1]
    came_as_plain_utf8 = content == content.decode("utf-8", "ignore").encode() and content[0] != 0xEF
    assert written.startswith("\ufeff") != came_as_plain_utf8
    [row] = rows_of(written.removeprefix("\ufeff"), delimiter)
    assert (row["id"], row["text"], row["note"]) == ("1", "Café, schön", "a,b")
    assert row["predicted_label"] in LABELS


def test_what_was_guessed_of_a_file_can_be_changed(page: Page, stack: Stack) -> None:
    open_many(page, stack)
    give_file(page, b'I love it, truly.\nIt broke; twice.\nA quote "\nThe last one, too.\n', "lines.txt")
    expect(page.get_by_label("Cells are parted by").locator("option:checked")).to_have_text(
        "Nothing: each line is a text"
    )
    expect(page.get_by_role("button", name="Score 4 rows")).to_be_visible()
    page.get_by_label("The first row names the columns").check()
    expect(page.get_by_role("button", name="Score 3 rows")).to_be_visible()
    page.get_by_label("Cells are parted by").focus()
    page.get_by_label("Cells are parted by").select_option("Comma")
    expect(page.get_by_label("Cells are parted by")).to_be_focused()
    page.get_by_label("The first row names the columns").uncheck()
    page.get_by_label("Text", exact=True).select_option("column_2")
    page.get_by_role("button", name="Score 4 rows").click()
    expect(page.get_by_role("region", name="Scored rows")).to_contain_text("truly.")
    page.get_by_role("button", name="Remove the file").click()
    expect(page.get_by_label("Or a CSV file")).to_be_focused()


def test_who_stops_keeps_what_is_done_and_can_go_on(page: Page, stack: Stack) -> None:
    asked: list[str] = []
    held: list[Route] = []

    def hold_after_five(route: Route) -> None:
        asked.extend(texts_of(route))
        if len(asked) <= 500:
            route.continue_()
        else:
            held.append(route)

    page.route(BATCH, hold_after_five)
    open_many(page, stack)
    give_file(page, as_csv([["text"], *([f"Place {n} is lovely."] for n in range(1000))]))
    score(page)
    expect(done(page, "500 of 1,000 rows")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Go on")).to_be_focused()
    expect(page.get_by_text("Not scored yet")).to_be_visible()
    assert sum(row["error"] == "not scored" for row in rows_of(downloaded(page)[1])) == 500
    page.unroute(BATCH)
    page.on("request", lambda request: asked.extend(json.loads(request.post_data or "{}").get("texts", [])))
    del asked[500:]
    page.get_by_role("button", name="Go on").click()
    expect(done(page, "1,000 of 1,000 rows")).to_be_visible()
    expect(result(page)).to_be_focused()
    assert not any(row["error"] for row in rows_of(downloaded(page)[1]))
    assert len(asked) == len(set(asked)) == 1000


def test_who_looks_elsewhere_meanwhile_finds_all_again(page: Page, stack: Stack) -> None:
    open_many(page, stack)
    page.get_by_label("Texts, one a line").fill("I love it.\nIt broke.")
    score(page)
    expect(result(page)).to_be_focused()
    page.get_by_role("link", name="Watch", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Watch")
    page.go_back()
    expect(result(page)).to_be_visible()
    expect(page.get_by_label("Texts, one a line")).to_have_value("I love it.\nIt broke.")


@pytest.mark.parametrize("status", [429, 503])
def test_a_service_with_too_much_to_do_is_given_the_time_that_it_asks_for(
    page: Page, stack: Stack, status: int
) -> None:
    refused: list[Route] = []

    def refuse_two(route: Route) -> None:
        if len(refused) < 2:
            refused.append(route)
            route.fulfill(**refusal(status), headers={"Retry-After": "1"})
        else:
            route.continue_()

    page.route(BATCH, refuse_two)
    open_many(page, stack)
    give_file(page, as_csv([["text"], *([f"Place {n}"] for n in range(300))]))
    score(page)
    expect(page.get_by_text(re.compile(r"Too many requests\. Retry 1 of 5 in 1", re.IGNORECASE))).to_be_visible()
    expect(done(page, "300 of 300 rows")).to_be_visible()
    expect(page.get_by_text("Retry 1 of 5")).to_have_count(0)
    assert not any(row["error"] for row in rows_of(downloaded(page)[1]))


def test_a_service_that_stays_away_ends_the_run_and_loses_nothing(page: Page, stack: Stack) -> None:
    page.clock.install()
    page.route(BATCH, lambda route: route.abort())
    open_many(page, stack)
    page.get_by_label("Texts, one a line").fill("I love it.")
    page.clock.run_for(1000)
    page.get_by_role("button", name="Score 1 text").click()
    again = page.get_by_role("button", name="Try again")
    for tries in range(1, 6):
        expect(page.get_by_text(f"Retry {tries} of 5")).to_be_visible()
        page.clock.run_for(500 * 2**tries)
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer")
    page.unroute(BATCH)
    again.click()
    page.clock.run_for(1000)
    expect(result(page)).to_be_focused()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_service_that_wants_an_hour_is_not_waited_for(page: Page, stack: Stack) -> None:
    page.route(BATCH, lambda route: route.fulfill(**refusal(429), headers={"Retry-After": "3600"}))
    open_many(page, stack)
    page.get_by_label("Texts, one a line").fill("I love it.")
    score(page)
    expect(page.get_by_role("alert")).to_contain_text("Too many requests")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_batch_that_is_refused_costs_only_the_row_that_it_is_refused_for(page: Page, stack: Stack) -> None:
    def refuse_one(route: Route) -> None:
        if "bad text" in texts_of(route):
            route.fulfill(**refusal(422, "texts: not liked"))
        else:
            route.continue_()

    page.route(BATCH, refuse_one)
    open_many(page, stack)
    page.get_by_label("Texts, one a line").fill("\n".join([*(f"Place {n}" for n in range(6)), "bad text", "The last"]))
    score(page)
    expect(result(page)).to_be_focused()
    rows = rows_of(downloaded(page)[1])
    assert [row["error"] for row in rows] == ["", "", "", "", "", "", "texts: not liked. Wait.", ""]


def test_no_request_is_larger_than_the_service_takes(page: Page, stack: Stack) -> None:
    sizes: list[int] = []
    page.on("request", lambda request: sizes.append(len(request.post_data_buffer or b"")))
    open_many(page, stack)
    give_file(page, as_csv([["text"], *(["😀" * 10_000] for _ in range(60)), ["x" * 1_000_000]]))
    score(page)
    expect(result(page)).to_be_focused()
    rows = rows_of(downloaded(page)[1])
    assert [bool(row["error"]) for row in rows] == [False] * 60 + [True]
    assert 500_000 < max(sizes) < 1_048_576


def test_it_is_told_when_two_versions_answered(page: Page, stack: Stack) -> None:
    versions = iter(["v1", "v2"])

    def answer(route: Route) -> None:
        version = next(versions)
        route.fulfill(json={"results": [made_answer(version=version) for _ in texts_of(route)]})

    page.route(BATCH, answer)
    open_many(page, stack)
    give_file(page, as_csv([["text"], *([f"Place {n}"] for n in range(150))]))
    score(page)
    expect(page.get_by_text("Two versions answered.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="v1: 100 rows")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="v2: 50 rows")).to_be_visible()


def test_rows_are_filtered_sorted_and_turned_over_by_key(page: Page, stack: Stack) -> None:
    open_many(page, stack)
    table = [[f"The room was lovely, {n}."] for n in range(70)] + [[f"It broke, awful, {n}."] for n in range(40)]
    give_file(page, as_csv([["text"], *table]))
    page.get_by_role("button", name="Score 110 rows").press("Enter")
    expect(result(page)).to_be_focused()
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main").get_by_text("51 to 100 of 110 rows")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("main").get_by_text("101 to 110 of 110 rows")).to_be_visible()
    expect(page.get_by_role("button", name="Next")).to_be_focused()
    page.get_by_role("button", name="Confidence").press("Enter")
    column = page.get_by_role("columnheader", name="Confidence")
    expect(column).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("main").get_by_text("1 to 50 of 110 rows")).to_be_visible()
    cells = page.get_by_role("region", name="Scored rows").locator("tbody td:last-child")
    shown = [float(text.split()[0]) for text in cells.all_inner_texts()]
    assert shown == sorted(shown)
    page.get_by_label("Show").select_option("=negative")
    expect(page.locator("main").get_by_text(re.compile("^1 to 4. of 4. rows"))).to_be_visible()


def feedback_file(rows: list[tuple[str, str]]) -> bytes:
    said = [[text, label, CONTRIBUTORS[n % 12]] for n, (text, label) in enumerate(rows)]
    return as_csv([["text", "label", "user"], *said])


def test_right_labels_are_compared_and_unknown_ones_listed(page: Page, stack: Stack) -> None:
    rows = [("I love it.", " Positive "), ("It broke, awful.", "positive"), ("It opens.", "mixed<b>"), ("Nice!", "")]
    open_many(page, stack)
    give_file(page, feedback_file(rows))
    score(page)
    expect(page.get_by_text("1 of 2 agree (50.0")).to_be_visible()
    expect(page.get_by_text("It knows negative, neutral, positive")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="mixed<b>: 1 row")).to_be_visible()
    expect(page.get_by_text("1 row has no right label.")).to_be_visible()
    right = page.get_by_role("region", name="Right and predicted labels").get_by_role(
        "row", name="positive", exact=False
    )
    expect(right.last.get_by_role("cell")).to_have_text(["1", "0", "✓ 1"])
    page.get_by_label("Show").select_option("differ")
    expect(page.locator("main").get_by_text("1 to 1 of 1 row")).to_be_visible()
    page.get_by_role("button", name="Send as feedback: 1 correction, 1 confirmation").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Send as feedback")).to_be_focused()
    page.get_by_label("Right label, if there is one").select_option("None")
    expect(page.get_by_role("heading", name="Right labels")).to_have_count(0)


def test_who_stops_sending_and_goes_on_sends_nothing_twice(page: Page, stack: Stack) -> None:
    keys: list[str] = []
    receipts: list[str] = []
    loses = True

    def lose_some(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        number = len(keys)  # others are sent while this one is answered
        if loses and number > 30:
            return  # not answered: the page stops
        answer = route.fetch()
        receipts.append(answer.json()["id"])
        if loses and number % 10 == 3:
            route.abort()  # stored, and the answer lost
        else:
            route.fulfill(response=answer)

    page.route(FEEDBACK, lose_some)
    open_many(page, stack)
    give_file(page, feedback_file([(f"The ledge {n} is rad", "positive") for n in range(60)]))
    score(page)
    page.get_by_role("button", name="Send as feedback").click()
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(page.locator("main strong").filter(has_text=re.compile(r"^2\d of 60 rows"))).to_be_visible()
    expect(page.get_by_role("button", name="Score 60 rows")).to_be_disabled()
    page.get_by_role("button", name="Stop").click()
    loses = False
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("60 rows stored.")).to_be_visible()
    assert len(set(keys)) == len(set(receipts)) == 60
    assert len(keys) > 60
    status, receipt = ask(f"{stack.url}/v1/feedback/{receipts[0]}")
    assert (status, receipt["status"]) == (200, "stored")


def test_a_row_that_is_refused_as_feedback_stops_no_other(page: Page, stack: Stack) -> None:
    open_many(page, stack)
    give_file(
        page, as_csv([["text", "label", "user"], ["Rad.", "positive", "u" * 201], ["Gnarly.", "positive", "ada"]])
    )
    score(page)
    page.get_by_role("button", name="Send as feedback").click()
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(page.get_by_text("1 row stored.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Row 1: user")).to_be_visible()


def test_a_file_of_corrections_is_learned_from_at_once(page: Page, stack: Stack) -> None:
    page.set_default_timeout(60_000)
    give_admin_key(page, stack)
    open_many(page, stack)
    give_file(page, feedback_file(corrections()))
    page.get_by_role("button", name="Score 300 rows").click()
    page.get_by_role("button", name="Send as feedback").click()
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(page.get_by_text("300 rows stored.")).to_be_visible(timeout=60_000)
    page.get_by_label("Your name").fill("ada")
    page.get_by_role("button", name="Learn now").click()
    agree = page.get_by_text(re.compile(r"of 300 agree"))
    before = int(agree.inner_text().split()[0])
    page.get_by_role("button", name="Score the rows again").click(timeout=120_000)
    expect(page.locator("#served")).not_to_contain_text("baseline-")
    expect(page.get_by_text(f"The last time it was {before / 3:.1f}\u202f%.")).to_be_visible()
    assert int(agree.inner_text().split()[0]) > 250 > before


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(
    open_page: Callable[..., Page], stack: Stack, theme: str, size: dict[str, int]
) -> None:
    page = open_page(viewport=size, color_scheme=theme)
    open_many(page, stack)

    def look() -> None:
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]

    look()
    give_file(page, b"")
    expect(page.get_by_role("alert")).to_be_visible()
    look()
    wide = ["x" * 300, *(f"column {n}" for n in range(30))]
    rows = [[f"{'a' * 400} <b>", "positive", *wide], ["It broke.", "mixed", *wide], ["ragged"]]
    give_file(page, as_csv([["text", "label", *(f"name {n}" * 9 for n in range(31))], *rows]))
    look()
    page.route(BATCH, lambda route: route.fulfill(**refusal(429), headers={"Retry-After": "60"}))
    score(page)
    expect(page.get_by_text("Retry 1 of 5")).to_be_visible()
    look()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Not scored yet")).to_be_visible()
    look()
    page.unroute(BATCH)
    page.get_by_role("button", name="Go on").click()
    expect(result(page)).to_be_focused()
    look()
    page.get_by_role("button", name="Send as feedback").click()
    look()
