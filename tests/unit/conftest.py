"""The template as it is deployed, expanded once for all tests that look at it."""

import pytest

from infra.deploy.expanded import ROOT, SAM_PYTHON, Deployment, Expansion, expand


@pytest.fixture(scope="session")
def sam_python() -> None:
    """Skip what needs the SAM translator where it is not installed."""
    if not SAM_PYTHON.exists():
        pytest.skip("NOT CHECKED: the expanded template, because .venv-sam is missing; `make check` makes it")


@pytest.fixture(scope="session")
def expansion(sam_python: None) -> Expansion:
    [expansion] = expand(ROOT / "template.yaml")
    return expansion


@pytest.fixture(scope="session", params=["prod", "dev"])
def deployed(request: pytest.FixtureRequest, expansion: Expansion) -> Deployment:
    """Each stage with the template's defaults."""
    assert expansion.template is not None, expansion.findings
    return Deployment(expansion.template, {"Stage": request.param})


@pytest.fixture(scope="session")
def prod(expansion: Expansion) -> Deployment:
    assert expansion.template is not None, expansion.findings
    return Deployment(expansion.template)
