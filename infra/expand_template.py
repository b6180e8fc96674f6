"""Lint template.yaml as the SAM translator expands it, which shows what `sam validate --lint` misses inside functions.

Needs .venv-sam's interpreter. With --json, the expanded template goes to the output with its findings, for those that
look at it; infra/deploy/expanded.py reads it.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from cfnlint.api import ManualArgs, lint  # type: ignore[import-not-found]
from samtranslator.model.exceptions import InvalidDocumentException  # type: ignore[import-not-found]
from samtranslator.translator.transform import transform  # type: ignore[import-not-found]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-not-found]

# The translator itself leaves these two behind: values in the place of parameters, and superfluous DependsOn.
IGNORED = ["W2001", "W3005"]
REGION = os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # the translator asks for one; any will do


class _NoManagedPolicies:
    """Managed policies by name would be looked up in the account; the template has none."""

    def load(self) -> dict[str, str]:
        return {}


def expand(path: Path) -> dict[str, Any]:
    """Return the template in plain CloudFormation.

    Raises:
        InvalidDocumentException: if the translator refuses it.
    """
    template = yaml_parse(path.read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        for name in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
            resource["Properties"][name] = "s3://bucket/key"  # as packaging leaves it; the translator refuses folders
    expanded: dict[str, Any] = transform(template, {}, _NoManagedPolicies())
    return expanded


def examine(path: Path, with_lint: bool = True) -> dict[str, Any]:
    """Return the expanded template, null if the translator refuses it, and the findings."""
    try:
        expanded = expand(path)
    except InvalidDocumentException as refusal:
        return {"template": None, "findings": [cause.message for cause in refusal.causes]}
    config = ManualArgs(regions=[REGION], ignore_checks=IGNORED)
    found = lint(json.dumps(expanded), config=config) if with_lint else []
    return {"template": expanded, "findings": [str(finding) for finding in found]}


def main() -> int:
    """Print the findings, or all as JSON; return 1 if there are findings and nobody reads them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, default=[Path("template.yaml")], metavar="template")
    parser.add_argument("--json", action="store_true", help="print a list with an object a template")
    parser.add_argument("--no-lint", action="store_true", help="expand only, which takes a tenth of the time")
    given = parser.parse_args()
    examined = [examine(path, not given.no_lint) for path in given.paths]
    if given.json:
        print(json.dumps(examined))
        return 0
    findings = [finding for each in examined for finding in each["findings"]]
    print(*findings, sep="\n", file=sys.stderr)
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
