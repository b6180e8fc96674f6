"""`make privileges`: write the tables of docs/security.md that say what each role may do, from the expanded template.

A test holds the page to the template.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.deploy.expanded import ROOT, Deployment, expand

PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- privileges: written by `make privileges` -->", "<!-- privileges end -->"

Row = tuple[str, ...]


def listed(value: Any) -> list[Any]:
    """Return what stands for itself or for a list of one as a list."""
    return value if isinstance(value, list) else [value]


def role_rows(deployment: Deployment) -> Iterator[Row]:
    """Yield (role, taken by, actions, resources, condition), a row a statement; AWS's own policies by name."""
    for name, role in sorted(deployment.resources("AWS::IAM::Role").items()):
        [trust] = role["AssumeRolePolicyDocument"]["Statement"]
        taker = " ".join(listed(trust["Principal"]["Service"]))
        for managed in role.get("ManagedPolicyArns", []):
            yield name, taker, f"AWS's policy {managed.rpartition('/')[2]}", "", ""
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, taker, *_statement(statement)


def bucket_rows(deployment: Deployment) -> Iterator[Row]:
    """Yield (statement, effect, actions, resources, condition) of the bucket's policy, which holds for everybody."""
    for policy in deployment.resources("AWS::S3::BucketPolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield statement["Sid"], statement["Effect"], *_statement(statement)


def _statement(statement: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the cells of a statement: actions, resources, condition."""
    places = [_code(place) for place in listed(statement.get("Resource", []))]
    places += [f"all but {_code(place)}" for place in listed(statement.get("NotResource", []))]
    actions = ", ".join(map(_code, listed(statement["Action"])))
    return actions, ", ".join(places), _condition(statement.get("Condition", {}))


def _code(text: str) -> str:
    return f"`{text}`"


def _condition(condition: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{operator} {_code(key)} {' or '.join(map(_code, listed(value)))}"
        for operator, tests in condition.items()
        for key, value in tests.items()
    )


def tables(deployment: Deployment) -> str:
    """Return both tables as Markdown."""
    roles = _table(("role", "taken by", "actions", "resources", "if"), role_rows(deployment))
    bucket = _table(("bucket policy", "effect", "actions", "resources", "if"), bucket_rows(deployment))
    return f"{roles}\n\n{bucket}"


def _table(head: Sequence[str], rows: Iterator[Row]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def with_tables(page: str, deployment: Deployment) -> str:
    """Return the page with the tables between their marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables(deployment)}\n\n{END}{after}"


def main() -> int:
    """Write the page; print the linter's findings and return 1 if the template is not sound."""
    [expansion] = expand(ROOT / "template.yaml")
    if expansion.template is None or expansion.findings:
        print(json.dumps(expansion.findings, indent=2), file=sys.stderr)
        return 1
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), Deployment(expansion.template)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
