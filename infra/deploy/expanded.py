"""The template as the SAM translator expands it, and what a deployment with given parameters makes of it.

What is not known before there is a stack stays a reference: `${Bucket.Arn}/models/*`.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.template import Template

ROOT = Path(__file__).parents[2]
SAM_PYTHON = ROOT / ".venv-sam" / "bin" / "python"
_NO_VALUE = object()


@dataclass(frozen=True, slots=True)
class Expansion:
    """An expanded template, None if the translator refuses it, and what the linter says of it."""

    template: Template | None
    findings: list[str]


def expand(*paths: Path, lint: bool = True) -> list[Expansion]:
    """Expand templates in one process, whose start takes a second, and lint them, which takes another for each.

    Raises:
        FileNotFoundError: if .venv-sam is missing; `make check` makes it.
        subprocess.CalledProcessError: if a file is no template at all.
    """
    command = [
        str(SAM_PYTHON),
        "infra/expand_template.py",
        "--json",
        *([] if lint else ["--no-lint"]),
        *map(str, paths),
    ]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return [Expansion(**each) for each in json.loads(done.stdout)]


class Deployment:
    """An expanded template with the values of its parameters.

    Args:
        template: as `expand` returns it.
        parameters: values that differ from the defaults.
    """

    def __init__(self, template: Template, parameters: Mapping[str, str] | None = None) -> None:
        defaults = {name: str(each["Default"]) for name, each in template["Parameters"].items()}
        self.parameters = {**defaults, **(parameters or {})}
        self.template = template

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the properties of all resources of one type that are made, by logical id, with all that is known."""
        return {
            name: self.value(resource.get("Properties", {}))
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == kind and self._made(resource)
        }

    def value(self, value: Any) -> Any:
        """Return a value of the template with its functions carried out as far as they are known."""
        if isinstance(value, list):
            return [each for each in map(self.value, value) if each is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._carried_out(name, argument)
        return {name: each for name, each in self._items(value) if each is not _NO_VALUE}

    def holds(self, condition: Any) -> bool:
        """Return whether a condition, by name or in full, holds."""
        if isinstance(condition, str):
            return self.holds(self.template["Conditions"][condition])
        [(name, argument)] = condition.items()
        if name == "Condition":
            return self.holds(argument)
        if name == "Fn::Equals":
            left, right = self.value(argument)
            return str(left) == str(right)
        if name == "Fn::Not":
            return not self.holds(argument[0])
        parts = [self.holds(each) for each in argument]
        return {"Fn::And": all, "Fn::Or": any}[name](parts)

    def _items(self, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        return ((name, self.value(each)) for name, each in value.items())

    def _made(self, resource: Mapping[str, Any]) -> bool:
        return "Condition" not in resource or self.holds(resource["Condition"])

    def _carried_out(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return _NO_VALUE if argument == "AWS::NoValue" else self.parameters.get(argument, f"${{{argument}}}")
        if name == "Fn::GetAtt":
            return f"${{{argument if isinstance(argument, str) else '.'.join(argument)}}}"
        if name == "Fn::If":
            condition, then, otherwise = argument
            return self.value(then if self.holds(condition) else otherwise)
        if name == "Fn::Sub":
            text, given = argument if isinstance(argument, list) else (argument, {})
            known = {**self.parameters, **self.value(given)}
            return re.sub(r"\$\{([^}!]+)\}", lambda found: str(known.get(found[1], found[0])), text)
        raise ValueError(f"{name} is not used in the template so far")
