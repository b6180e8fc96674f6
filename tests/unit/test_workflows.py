"""The workflows: they parse, run what people run, and hold no key and no more rights than they need."""

import re
from typing import Any

import pytest
import yaml

from tests.builders import ROOT

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(path.name for path in FOLDER.iterdir())


class StrictLoader(yaml.SafeLoader):
    """YAML without repeated keys, which the parser would drop without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key twice near {node.start_mark}"
        return super().construct_mapping(node, deep)


def workflow(name: str) -> dict[str, Any]:
    document = StrictLoader((FOLDER / name).read_text(encoding="utf-8")).get_single_data()
    document["on"] = document.pop(True)  # YAML 1.1 reads `on` as true
    return dict(document)


def steps(name: str) -> list[dict[str, Any]]:
    [job] = workflow(name)["jobs"].values()
    return list(job["steps"])


def test_there_are_two() -> None:
    assert WORKFLOWS == ["ci.yml", "deploy.yml"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_file_is_plain_yaml_with_what_github_asks_for(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert workflow(name).keys() >= {"name", "on", "permissions", "jobs"}
    assert "\t" not in text
    assert text.endswith("\n")
    assert not re.search(r"[ ]+$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 120
    for job in workflow(name)["jobs"].values():
        assert job.keys() >= {"runs-on", "timeout-minutes", "steps"}
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_read_the_code_and_nothing_else_unless_a_job_says_so(name: str) -> None:
    assert workflow(name)["permissions"] == {"contents": "read"}
    granted = [job.get("permissions", {}) for job in workflow(name)["jobs"].values()]
    assert granted == ([{"contents": "read", "id-token": "write"}] if name == "deploy.yml" else [{}])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_secret_is_used_and_no_input_is_written_into_a_script(name: str) -> None:
    assert "secrets." not in (FOLDER / name).read_text(encoding="utf-8")
    assert not re.search("aws-(access|secret)", (FOLDER / name).read_text(encoding="utf-8"))
    assert not any("${{" in step.get("run", "") for step in steps(name)), "an input could be a command"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_of_a_major_version_or_a_commit(name: str) -> None:
    used = [step["uses"] for step in steps(name) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"(actions|aws-actions)/[a-z-]+@(v\d+|[0-9a-f]{40})", action) for action in used)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_lands_and_what_is_deployed_passed_the_same_command(name: str) -> None:
    assert ".ci/run" in [step.get("run") for step in steps(name)]


def test_a_deployment_starts_by_hand_or_by_a_tag_and_goes_through_make() -> None:
    deploy = workflow("deploy.yml")
    assert deploy["on"]["workflow_dispatch"]["inputs"]["stage"]["options"] == ["dev", "prod"]
    assert deploy["on"]["push"] == {"tags": ["v*"]}
    assert deploy["concurrency"]["cancel-in-progress"] is False
    [job] = deploy["jobs"].values()
    assert job["environment"] == deploy["env"]["STAGE"] == "${{ inputs.stage || 'prod' }}"
    assert steps("deploy.yml")[-1]["run"] == 'make deploy STAGE="$STAGE"'


def test_credentials_are_borrowed_for_the_run() -> None:
    [borrowed] = [step for step in steps("deploy.yml") if "configure-aws-credentials" in step.get("uses", "")]
    assert borrowed["with"] == {"role-to-assume": "${{ vars.AWS_ROLE_ARN }}", "aws-region": "${{ vars.AWS_REGION }}"}
