"""`make bench-console`: the page on a warm `make up` in Chromium: its weight, its times, and a first visit to the end.

The visit is that of somebody who has a labelled file: from the open page to a text that is answered differently because
of it, with clicks and keys as a person would make them. Machine's time is counted, not that of a person's hand.
"""

import csv
import io
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.benchmarks.bench import closing_lines
from tests.e2e.browser.conftest import FLAGS, WIDE, Stack, chromium, started
from tests.e2e.test_loop import corrections

VISITS = 5
WEIGHT_KB, USABLE_SECONDS = 100.0, 1.0  # bars
SENTENCE = "The staff were wonderful and we loved every minute."
TEXT, LABEL = "hyped, the new bowl is mint", "positive"
PEOPLE = 12
PATIENCE_MS = 120_000
WEIGHT = "performance.getEntries().filter(each => 'transferSize' in each).map(each => each.transferSize)"


def main() -> int:
    """Print the figures; return 1 if one misses its bar."""
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as stack, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        _first_view(browser, stack)  # the instances are warm after it
        views = [_first_view(browser, stack) for _ in range(VISITS)]
        kilobytes, requests = views[0][0] / 1000, views[0][1]
        usable, answered = (median(view[place] for view in views) for place in (2, 3))
        print(f"first view: {requests} requests, {kilobytes:.1f} KB over the wire, nothing cached")
        print(f"until a text can be typed: {usable:.2f} s, median of {VISITS} visits")
        print(f"from the last key to the answer: {answered:.2f} s, of which the page waits 0.25 s for a further key")
        clicks, seconds = _visit(browser, stack)
        print(f"from the open page to a text that is answered differently: {clicks} clicks, {seconds:.1f} s")
        browser.close()
    return closing_lines(
        [
            ("console-weight", kilobytes, "KB", WEIGHT_KB, False),
            ("console-usable", usable, "s", USABLE_SECONDS, False),
        ]
    )


def _first_view(browser: Browser, stack: Stack) -> tuple[int, int, float, float]:
    """Return bytes and requests of a first visit, seconds until it is usable, and seconds until a text is answered."""
    page = _page(browser)
    begun = time.perf_counter()
    page.goto(stack.url, wait_until="commit")
    field = page.get_by_label("Text", exact=True)
    field.wait_for()
    usable = time.perf_counter() - begun
    page.wait_for_load_state("networkidle")
    sizes = page.evaluate(WEIGHT)
    begun = time.perf_counter()
    field.fill(SENTENCE)
    page.get_by_text("What each word adds").wait_for()
    answered = time.perf_counter() - begun
    page.context.close()
    return sum(sizes), len(sizes), usable, answered


def _visit(browser: Browser, stack: Stack) -> tuple[int, float]:
    """Teach the service with a file, in the browser alone; return clicks and seconds."""
    page = _page(browser)
    clicks = 0

    def click(name: str) -> None:
        nonlocal clicks
        page.get_by_role("button", name=name).last.click()
        clicks += 1

    begun = time.perf_counter()
    page.goto(stack.url)
    page.get_by_label("Text", exact=True).fill(TEXT)
    before = _headline(page)
    click("Many texts")
    page.get_by_label("Or a CSV file").set_input_files(
        {"name": "skaters.csv", "mimeType": "text/csv", "buffer": _labelled_file()}
    )
    clicks += 2  # the button, and the file in the system's dialog
    click("Score 300 rows")
    click("Send as feedback")
    click("Send")
    page.get_by_label("Your name").fill("ada")
    clicks += 1
    click("Learn now")
    page.get_by_role("textbox", name="Admin key").fill(stack.admin_key)
    click("Use this key")
    expect(page.locator("#served")).not_to_contain_text("baseline-", timeout=PATIENCE_MS)
    click("One text")
    after = _headline(page)
    seconds = time.perf_counter() - begun
    page.context.close()
    print(f"{TEXT!r}: {before} before, {after} after")
    assert LABEL not in before, "there was nothing to teach"
    assert LABEL in after, "it was not learned"
    return clicks, seconds


def _headline(page: Page) -> str:
    """Return label and confidence, once a text is answered."""
    page.get_by_text("What each word adds").wait_for()
    return " ".join(page.locator(".try-headline").inner_text().split())


def _page(browser: Browser) -> Page:
    context = browser.new_context(viewport=WIDE)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    return context.new_page()


def _labelled_file() -> bytes:
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(["text", "label", "user"])
    rows.writerows((text, label, f"skater {number % PEOPLE}") for number, (text, label) in enumerate(corrections()))
    return file.getvalue().encode()


if __name__ == "__main__":
    sys.exit(main())
