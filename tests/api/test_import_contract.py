"""What an HTTP function loads: in a process of its own, after a served request, with storage that does not answer.

`loaded/<function>.txt` lists every module, so that an import that makes starts slower is a change somebody decided on.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import ROOT
from tests.events import Event, get, post

LOADED = Path(__file__).parent / "loaded"
HTTP = ("predict", "feedback", "admin", "console")
FOLDERS = [ROOT / folder for folder in ("layers/model", *(f"functions/{name}" for name in HTTP))]
SERVE = """
import importlib, json, sys
sys.modules["pydantic.v1"] = sys.modules["certifi"] = None  # what the build leaves out
module, events = json.load(sys.stdin)
handler = importlib.import_module(module).handler
statuses = [handler(event, None)["statusCode"] for event in events]
json.dump({"statuses": statuses, "modules": sorted(sys.modules)}, sys.stdout)
"""
HEAVY = {"numpy", "scipy", "sklearn", "pandas", "joblib", "huggingface_hub", "pyarrow"}
LOADERS_OF_PICKLES = {"joblib", "cloudpickle", "dill", "shelve"}  # pickle itself comes with the standard library
TRAINING = {"retrain", "sentiloop.bulk", "sentiloop.rows", "sentiloop.gate"}


def served(module: str, events: list[Event], port: int) -> tuple[list[int], set[str]]:
    """Import a function's module as Lambda does, serve the events, and return the statuses and what was loaded."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join(map(str, FOLDERS)),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        "SENTILOOP_CONTRIBUTOR_KEY": "for tests",
        "SENTILOOP_ADMIN_KEY": "for tests",
        "SENTILOOP_LOW_CONFIDENCE": "1",
    }
    done = subprocess.run(
        # Mangum asks for an event loop and makes one if there is none; Python from 3.12 would rather have it make one.
        [sys.executable, "-W", "error", "-W", "ignore:There is no current event loop", "-c", SERVE],
        input=json.dumps([module, events]),
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT / "functions",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])  # before it stand the lines of the requests
    return answer["statuses"], set(answer["modules"]) - {"pydantic.v1", "certifi"}


PREDICT = [
    post("/v1/predict", {"text": "The staff were not lovely."}, query={"explain": "true"}),
    post("/v1/predict/batch", {"texts": ["one", ""]}),
    get("/v1/model_info"),
    get("/health"),
]
FEEDBACK = [
    post("/v1/feedback", {"text": "a", "correct_label": "neutral"}, headers={"Idempotency-Key": "k"}),
    get("/v1/feedback/fb-20260301-" + "0" * 32),
]

ADMIN = [
    get("/v1/review", headers={"x-admin-key": "for tests"}),
    post("/v1/review/2026-03-01.pr-1.pr-1", {"action": "accept"}, headers={"x-admin-key": "for tests"}),
]


@pytest.mark.parametrize(
    ("module", "events", "statuses"),
    [
        ("predict.app", PREDICT, [200, 200, 200, 200]),
        ("feedback.app", FEEDBACK, [503, 503]),
        ("admin.app", ADMIN, [503, 503]),
    ],
    ids=["predict", "feedback", "admin"],
)
def test_an_http_function_loads_no_training_code_and_nothing_that_loads_pickles(
    module: str, events: list[Event], statuses: list[int], free_port: int
) -> None:
    answered, modules = served(module, events, free_port)
    assert answered == statuses
    assert "botocore.session" in modules, "storage was asked, so that what it loads is seen as well"
    packages = {name.partition(".")[0] for name in modules}
    assert packages.isdisjoint(HEAVY | LOADERS_OF_PICKLES)
    assert modules.isdisjoint(TRAINING)


@pytest.mark.parametrize(
    ("function", "event", "status"),
    [
        ("predict", PREDICT[0], 200),
        ("feedback", FEEDBACK[0], 503),
        ("admin", ADMIN[0], 503),
        ("console", get("/"), 200),
    ],
    ids=HTTP,
)
def test_an_http_function_loads_what_is_listed_and_nothing_else(
    function: str, event: Event, status: int, free_port: int
) -> None:
    answered, modules = served(f"{function}.app", [event], free_port)
    assert answered == [status]
    listed = set((LOADED / f"{function}.txt").read_text().split())
    public = {name for name in modules if not name.startswith("_")}
    installed = {name for name in public if top_level(name) not in sys.stdlib_module_names}
    assert sorted(installed - listed) == [], "loaded now: is it needed by a first request? Then list it"
    assert sorted(name for name in listed - installed if top_level(name) not in sys.stdlib_module_names) == []
    # The standard library differs from version to version: its packages are listed for all of them together.
    assert sorted((public & sys.stdlib_module_names) - listed) == []


def test_the_console_loads_nothing_that_reaches_elsewhere_or_reads_a_body(free_port: int) -> None:
    _, modules = served("console.app", [get("/")], free_port)
    packages = {name.partition(".")[0] for name in modules}
    assert packages.isdisjoint({"botocore", "urllib3", "fastapi", "pydantic", "sentiloop"})


def test_what_no_request_needs_waits_until_one_needs_it() -> None:
    code = "import sys, predict.app; print(*sys.modules)"
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(map(str, FOLDERS))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True, timeout=120
    )
    modules = set(done.stdout.split())
    assert "botocore.exceptions" in modules
    assert not modules & {"botocore.session", "botocore.client", "urllib3", "xml.etree"}, (
        "the client, before its first use"
    )
    assert "sentiloop.scoring" in modules
    assert "sentiloop.spans" not in modules, "before an explanation is asked for"


def top_level(name: str) -> str:
    return name.partition(".")[0]


def test_no_module_of_an_http_function_or_the_layer_names_what_could_execute_data() -> None:
    for folder in FOLDERS:
        for path in folder.rglob("*.py"):
            found = re.findall(
                r"^\s*(?:import|from)\s+(pickle|joblib|marshal|shelve|dill|yaml)\b", path.read_text(), re.M
            )
            assert found == [], path.name
            assert not re.search(r"\b(eval|exec|__import__)\(", path.read_text()), path.name
