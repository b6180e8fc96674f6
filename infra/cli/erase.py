"""`./sentiloop erase`: removes somebody's corrections from the bucket, and has the models that saw them replaced.

It works with the operator's own credentials: the functions can delete nothing.
"""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from sentiloop.records import now, timestamp

from infra.cli.stopping import UsageError

if TYPE_CHECKING:
    from retrain.erase import Plan
    from sentiloop.s3 import S3Store

UNFINISHED_STATUS = 1
STAYS = """What this does not reach:
  - the weights of the models named above, until a retrain has replaced the served one
  - run records and reports: figures, hashes of contributors, and names that the gate found in feedback
  - frozen snapshots, backups, and what a retrain that is under way writes: repeat the command when it has ended"""


def add_parser(commands: Any) -> None:
    """Describe the command line."""
    parser = commands.add_parser("erase", help="remove somebody's corrections", description=__doc__)
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument(
        "--contributor", type=_given, metavar="HASH", help="all of theirs; the hash as it stands in corrections"
    )
    whose.add_argument("--feedback-id", nargs="+", type=_given, default=[], metavar="ID", help="those with these ids")
    parser.add_argument("--by", required=True, type=_given, metavar="NAME", help="who erases; recorded")
    parser.add_argument(
        "--reason", required=True, type=_given, metavar="TEXT", help="why; recorded, so name nobody in it"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Plan, ask, erase; return the exit status.

    Raises:
        SentiloopError: the command cannot be carried out, and why.
    """
    from retrain.erase import erase, plan_erasure  # noqa: PLC0415 - slow to load
    from retrain.erasures import Erasure  # noqa: PLC0415

    request = Erasure(
        at=timestamp(now()),
        by=arguments.by,
        reason=arguments.reason,
        contributor=arguments.contributor,
        ids=frozenset(arguments.feedback_id),
    )
    store = _attached_store()
    plan = plan_erasure(store, request)
    print(_described(plan), flush=True)
    if arguments.dry_run:
        return 0
    if not arguments.yes and not _agreed():
        print("Nothing was erased.")
        return UNFINISHED_STATUS
    denied = erase(store, plan)
    print(_result(plan, denied))
    return UNFINISHED_STATUS if denied else 0


def _given(value: str) -> str:
    if not value.strip():
        raise argparse.ArgumentTypeError("is empty")
    return value


def _described(plan: "Plan") -> str:
    erasure = plan.erasure
    counts = ", ".join(f"{count} in {prefix}" for prefix, count in plan.counts.items()) or "none"
    return "\n".join(
        [
            f"Erasure {erasure.id}: corrections received up to {erasure.at}, {len(erasure.ids)} in all",
            f"  still stored: {plan.rows}",
            f"  objects to delete or to write anew: {counts}",
            f"  frozen snapshots that keep them: {', '.join(plan.frozen) or 'none'}",
            f"  models that learned from them: {', '.join(plan.versions) or 'none'}",
            f"  served now: {f'yes, {plan.champion}' if plan.champion else 'none of these'}",
        ]
    )


def _agreed() -> bool:
    print("This cannot be undone. Type erase to go on: ", end="", flush=True)
    return sys.stdin.readline().strip() == "erase"


def _result(plan: "Plan", denied: int) -> str:
    if plan.rows or plan.counts:
        lines = [f"Erased; {plan.erasure.key} records it, and the receipts say so."]
    else:
        lines = [f"Nothing was left to erase; {plan.erasure.key} records what was."]
    if denied:
        lines.append(
            f"{denied} versions stay, as deleting them was denied: get s3:DeleteObjectVersion and repeat this."
        )
    if plan.champion:
        lines.append("The hourly check replaces the served model; at once: make retrain, or the event of the schedule.")
    return "\n".join([*lines, STAYS])


def _attached_store() -> "S3Store":
    from sentiloop.s3 import S3Store  # noqa: PLC0415 - storage is slow to load
    from sentiloop.settings import Settings  # noqa: PLC0415

    from infra.local.attach import attach  # noqa: PLC0415

    try:
        attach()
    except SystemExit as nothing_there:
        raise UsageError("there is nothing to erase from", str(nothing_there)) from None
    return S3Store(Settings.from_env().bucket, read_timeout=60)
