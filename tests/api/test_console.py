"""The page and its parts: what is sent, what is told to the browser, and what is refused."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from console.pages import ASSETS, create_console_app
from console.scripts import FIRST_VIEW
from starlette.testclient import TestClient

from tests.events import Event, call, get

pytestmark = pytest.mark.usefixtures("event_loop_of_the_thread")

# What turns a text into markup or code; the browser refuses it as well (Trusted Types), but only once somebody tries.
FORBIDDEN = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|\bstyle=")


def handler(event: Event, context: object) -> Any:
    """The handler, imported by the first test that needs it: Mangum asks for an event loop when it is made."""
    return importlib.import_module("console.app").handler(event, context)


def asked(path: str, outside: str | None = None) -> tuple[int, str, dict[str, str]]:
    """Return status, body and headers of a GET; `outside` is the path with the stage that API Gateway was asked for."""
    event = get(path)
    event["requestContext"]["path"] = outside or path
    reply = handler(event, None)
    assert not reply["isBase64Encoded"], "API Gateway would hand it on as it is"
    return reply["statusCode"], reply["body"], reply["headers"]


def parts() -> list[str]:
    """The addresses that the page names, relative to its base."""
    return re.findall(r'(?:src|href)="(assets/[^"]+)"', asked("/")[1])


def test_the_page_names_parts_that_are_there() -> None:
    status, body, headers = asked("/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "{{" not in body
    assert len(parts()) >= 4
    for part in parts():
        status, _, headers = asked(f"/{part}")
        assert status == 200
        assert headers["cache-control"] == "public, max-age=31536000, immutable"


def test_all_scripts_go_out_as_one_and_one_for_each_further_view() -> None:
    release = parts()[0].split("/")[1]
    bodies = []
    for name in ("app.js", "label.js", "many.js", "models.js", "watch.js"):
        status, body, headers = asked(f"/assets/{release}/{name}")
        assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        bodies.append(body)
    for script in ASSETS.glob("*.js"):
        assert sum(body.count(f"const ${script.stem} = (() => {{\n") for body in bodies) == 1


def test_all_sheets_go_out_as_one() -> None:
    release = parts()[0].split("/")[1]
    status, body, headers = asked(f"/assets/{release}/style.css")
    assert (status, headers["content-type"]) == (200, "text/css; charset=utf-8")
    for sheet in ASSETS.glob("*.css"):
        assert sheet.read_text(encoding="utf-8") in body


@pytest.mark.parametrize(("outside", "base"), [("/", "/"), ("/prod/", "/prod/"), ("/prod", "/prod/")])
def test_what_the_page_names_is_relative_to_where_it_was_asked_for(outside: str, base: str) -> None:
    assert f'<base href="{base}">' in asked("/", outside)[1]


def test_nothing_of_a_request_gets_into_the_page_as_markup() -> None:
    body = asked("/", '/"><script>alert(1)</script>')[1]
    assert "<script>alert" not in body
    assert "&lt;script&gt;" in body


@pytest.mark.parametrize(
    "path",
    [
        "/assets/0000000000000000/app.js",
        "/assets/{release}/index.html",
        "/assets/{release}/..%2Fpages.py",
        "/assets/{release}/x.js",
    ],
)
def test_what_is_no_part_of_this_release_is_refused_in_the_one_shape(path: str) -> None:
    event = get(path.replace("{release}", parts()[0].split("/")[1]))
    status, body, _ = call(handler, event)
    assert status == 404
    assert body["error"]["code"] == "not_found"
    assert body["error"].keys() == {"code", "message", "hint", "request_id"}


@pytest.mark.parametrize("path", ["/", "/assets/x/y"])
def test_the_browser_is_told_to_run_nothing_but_these_parts(path: str) -> None:
    policy = dict(directive.split(" ", 1) for directive in asked(path)[2]["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[kind] for kind in ("script-src", "style-src", "img-src", "connect-src", "base-uri")} == {"'self'"}
    assert policy["frame-ancestors"] == policy["form-action"] == policy["trusted-types"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in str(policy)
    assert asked(path)[2]["x-content-type-options"] == "nosniff"
    assert asked(path)[2]["x-request-id"] == get(path)["requestContext"]["requestId"]


@pytest.mark.parametrize("file", sorted(ASSETS.iterdir()), ids=lambda file: file.name)
def test_no_part_names_another_place_or_makes_markup_of_texts(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not FORBIDDEN.findall(text)
    assert not [url for url in re.findall(r"https?://[^\s'\"`)]*", text) if not url.startswith("http://www.w3.org/")]


@pytest.mark.parametrize("file", sorted(ASSETS.glob("*.js")), ids=lambda file: file.name)
def test_scripts_are_as_small_as_modules(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 300


def test_another_part_makes_another_release(tmp_path: Path) -> None:
    def release(script: str) -> Any:
        (tmp_path / "index.html").write_text("{{release}}")
        for name in FIRST_VIEW:
            (tmp_path / name).write_text(script)
        return TestClient(create_console_app(tmp_path)).get("/").text

    assert release("1") != release("2")
    assert release("1") == release("1")
