"""The rules of the house, read off the source: who imports whom, and what may stand where."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import ROOT

LAYER = ROOT / "layers" / "model" / "sentiloop"
FUNCTIONS = {name: ROOT / "functions" / name / name for name in ("predict", "feedback", "admin", "console", "retrain")}
OURS = {"sentiloop", "infra", "tests", *FUNCTIONS}
PURE = frozenset(
    {"features", "scoring", "spans", "artefact", "pointer", "registry", "records"}
    | {"review", "review_queue", "review_samples", "review_labels", "profit"}
    | {"trial", "moves", "history", "models", "diff", "bundled"}
    | {"activity", "activity_store", "activity_totals"}
    | {"documents", "run_records", "check_records", "alert_records"}
    | {"receipts", "gate", "texts", "settings", "errors", "storage"}
)
NUMERIC = {"numpy", "scipy", "sklearn", "pandas", "joblib", "huggingface_hub"}
STORAGE = {"boto3", "botocore", "mypy_boto3_s3"}
POSTING = {"urllib3", "requests", "httpx", "aiohttp", "urllib", "http"}
LOGGING = {"aws_lambda_powertools"}
WEB = {"fastapi", "starlette", "mangum", "pydantic"}
EXECUTING_MODULES = {"pickle", "joblib", "marshal", "shelve", "dill", "cloudpickle", "code", "runpy"}
EXECUTING_CALLS = {"eval", "exec", "compile", "__import__"}
LONGEST_MODULE = 300


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The full names that a module imports, at its top or inside a function."""
    package = path.parent.name
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            start = f"{package}.{module}".rstrip(".") if node.level else module
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def layer_modules_with(packages: set[str]) -> set[str]:
    return {path.stem for path in modules(LAYER) if roots(path) & packages}


def named(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in paths]


LAYER_MODULES = modules(LAYER)
FUNCTION_MODULES = [path for folder in FUNCTIONS.values() for path in modules(folder)]
HTTP = ("predict", "feedback", "admin", "console")
EXPOSED = [*LAYER_MODULES, *(path for name in HTTP for path in modules(FUNCTIONS[name]))]


def test_there_is_something_to_look_at() -> None:
    assert {path.stem for path in LAYER_MODULES} >= {*PURE, "bulk", "s3", "http", "serving"}
    assert all(modules(folder) for folder in FUNCTIONS.values())
    assert "sentiloop" in roots(FUNCTIONS["predict"] / "app.py")


@pytest.mark.parametrize("path", named(FUNCTION_MODULES))
def test_a_function_imports_nothing_of_ours_but_itself_and_the_layer(path: Path) -> None:
    assert roots(path) & OURS <= {path.parent.name, "sentiloop"}


@pytest.mark.parametrize("path", named(LAYER_MODULES))
def test_the_layer_imports_nothing_of_ours_outside_itself(path: Path) -> None:
    assert roots(path) & OURS <= {"sentiloop"}


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_core_of_the_layer_is_pure(name: str) -> None:
    outside = roots(LAYER / f"{name}.py") - {"sentiloop"}
    assert outside <= sys.stdlib_module_names


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_core_of_the_layer_leans_on_nothing_but_the_core(name: str) -> None:
    names = {full.split(".")[1] for full in imported(LAYER / f"{name}.py") if full.startswith("sentiloop.")}
    assert names <= PURE


def test_one_module_of_the_layer_knows_numpy() -> None:
    assert layer_modules_with(NUMERIC) == {"bulk"}


def test_the_layer_has_one_module_for_each_service_of_aws() -> None:
    assert layer_modules_with(STORAGE) == {"s3", "sns", "starting"}


def test_one_module_of_the_layer_knows_the_library_of_the_log_lines() -> None:
    assert layer_modules_with(LOGGING) == {"lines"}


def test_one_module_of_a_function_sends_anything_elsewhere() -> None:
    assert {path.stem for path in FUNCTION_MODULES if roots(path) & POSTING} == {"webhook"}
    assert layer_modules_with(POSTING) == set()


@pytest.mark.parametrize("function", HTTP)
def test_a_function_on_the_internet_tells_nobody_anything(function: str) -> None:
    for path in modules(FUNCTIONS[function]):
        assert "sentiloop.sns" not in set(imported(path))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_one_module_of_one_function_starts_runs(function: str) -> None:
    starting = {path.stem for path in modules(FUNCTIONS[function]) if "sentiloop.starting" in set(imported(path))}
    assert starting == ({"routes", "start_routes"} if function == "admin" else set())


def test_one_module_of_the_layer_knows_http() -> None:
    assert layer_modules_with(WEB) == {"http", "startup"}


@pytest.mark.parametrize("function", HTTP)
def test_a_function_on_the_internet_knows_nothing_of_training(function: str) -> None:
    for path in modules(FUNCTIONS[function]):
        assert not roots(path) & NUMERIC
        assert {"sentiloop.bulk", "sentiloop.rows"}.isdisjoint(imported(path))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_reaches_storage_through_the_layer_only(function: str) -> None:
    for path in modules(FUNCTIONS[function]):
        assert not roots(path) & STORAGE


def test_training_knows_nothing_of_http() -> None:
    for path in modules(FUNCTIONS["retrain"]):
        assert not roots(path) & WEB
        assert "sentiloop.http" not in set(imported(path))


@pytest.mark.parametrize("path", named(EXPOSED))
def test_nothing_that_the_internet_reaches_can_execute_what_it_reads(path: Path) -> None:
    assert not roots(path) & EXECUTING_MODULES
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & EXECUTING_CALLS


@pytest.mark.parametrize("path", named([*LAYER_MODULES, *FUNCTION_MODULES, *modules(ROOT / "infra")]))
def test_no_module_is_too_long_to_read_in_one_go(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_MODULE
