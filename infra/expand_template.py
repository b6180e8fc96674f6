"""Lint template.yaml as the SAM translator expands it, which shows what `sam validate --lint` misses inside functions.

Needs .venv-sam's interpreter.
"""

import json
import os
import sys
from pathlib import Path

from cfnlint.api import ManualArgs, lint  # type: ignore[import-not-found]
from samtranslator.translator.transform import transform  # type: ignore[import-not-found]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-not-found]

# The translator itself leaves these two behind: values in the place of parameters, and superfluous DependsOn.
IGNORED = ["W2001", "W3005"]
REGION = os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # the translator asks for one; any will do


class _NoManagedPolicies:
    """Managed policies by name would be looked up in the account; the template has none."""

    def load(self) -> dict[str, str]:
        return {}


def main() -> int:
    """Print the expanded template with --print, then the findings; return 1 if there are any."""
    template = yaml_parse(Path("template.yaml").read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        for name in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
            resource["Properties"][name] = "s3://bucket/key"  # as packaging leaves it; the translator refuses folders
    expanded = json.dumps(transform(template, {}, _NoManagedPolicies()), indent=2)
    if "--print" in sys.argv:
        print(expanded)
    findings = lint(expanded, config=ManualArgs(regions=[REGION], ignore_checks=IGNORED))
    print(*findings, sep="\n", file=sys.stderr)
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
