"""`make screenshots`: every view of the console on a stack with a past, at both widths and in both themes."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.builders import ROOT
from tests.e2e.browser.conftest import FLAGS, PATIENCE_MS, Stack, chromium, started
from tests.e2e.browser.views import OPENED, open_view
from tests.e2e.browser.world import fill

FOLDER = ROOT / "docs" / "images"
SIZES = {"wide": {"width": 1600, "height": 1000}, "narrow": {"width": 360, "height": 780}}
THEMES = ("light", "dark")


def main() -> int:
    """Write docs/images/console-<view>-<width>-<theme>.png."""
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as stack, sync_playwright() as playwright:
        fill(stack)
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for view in OPENED:
            for width in SIZES:
                for theme in THEMES:
                    _take(browser, stack, view, width, theme)
        browser.close()
    return 0


def _take(browser: Browser, stack: Stack, view: str, width: str, theme: str) -> None:
    context = browser.new_context(viewport=SIZES[width], color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    open_view(page, stack, view)
    file = FOLDER / f"console-{view}-{width}-{theme}.png"
    page.screenshot(path=file)
    print(file.relative_to(ROOT))
    context.close()


if __name__ == "__main__":
    sys.exit(main())
