"""`make teardown`: delete a stage's stack and its bucket, but nothing while the bucket holds anything, unless told to.

The stack goes first, and with it all that writes to the bucket, which outlives it.
"""

import argparse
import sys
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy.deploy import Sam, run_sam
from infra.deploy.stages import STAGES, Stage, outputs, read_stage, session

BATCH = 1000  # the most that one call deletes


def holds_anything(s3: Any, bucket: str) -> bool:
    """Return whether the bucket holds an object, a former version of one, or the mark of a deletion."""
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=1)
    return bool(page.get("Versions") or page.get("DeleteMarkers"))


def empty(s3: Any, bucket: str) -> int:
    """Delete every version of every object, and every delete marker; return how many there were.

    Raises:
        RuntimeError: if one of them cannot be deleted.
    """
    deleted = 0
    while found := _some_versions(s3, bucket):
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})
        if errors := answer.get("Errors"):
            raise RuntimeError(f"{bucket}/{errors[0]['Key']} was not deleted: {errors[0]['Message']}")
        deleted += len(found)
    return deleted


def _some_versions(s3: Any, bucket: str) -> list[dict[str, str]]:
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=BATCH)
    found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]


def delete_bucket(s3: Any, bucket: str, delete_data: bool) -> None:
    """Delete a bucket, with what it holds if `delete_data` is true.

    Raises:
        RuntimeError: if something in it cannot be deleted.
        ClientError: if it holds anything and `delete_data` is false: BucketNotEmpty.
    """
    if delete_data:
        print(f"deleted {empty(s3, bucket)} versions and delete markers in {bucket}")
    s3.delete_bucket(Bucket=bucket)
    print(f"deleted bucket {bucket}")


def teardown(name: str, delete_data: bool, bucket: str = "", sam: Sam = run_sam) -> None:
    """Delete a stage's stack and bucket.

    Args:
        name: dev or prod.
        delete_data: whether to delete what the bucket holds.
        bucket: one that a stack which is gone has left behind; empty for that of the stage's stack.
        sam: runs `sam`.

    Raises:
        RuntimeError: before anything is deleted, if the bucket holds anything and `delete_data` is false, if there is
            no such stack, or if `bucket` is none of its.
    """
    stage = read_stage(name)
    if stage is None:
        raise RuntimeError(f"samconfig.toml has no section [{name}.deploy.parameters], which names the stack")
    aws = session(stage)
    s3 = aws.client("s3")
    left_behind = bool(bucket)
    if left_behind and not bucket.startswith(f"{stage.stack.lower()}-bucket-"):  # as CloudFormation names it
        raise RuntimeError(f"{bucket} is no bucket of a stack {stage.stack}")
    found = outputs(aws.client("cloudformation"), stage.stack)
    if found is None and not left_behind:
        raise RuntimeError(f"there is no stack {stage.stack}; BUCKET=name deletes a bucket that it left behind")
    bucket = bucket or (found or {}).get("BucketName", "")
    if bucket and not delete_data and holds_anything(s3, bucket):
        raise RuntimeError(
            f"{bucket} holds corrections, models or former versions of them; nothing was deleted.\n"
            "DELETE_DATA=yes deletes them for ever; docs/operations.md says how to keep them."
        )
    if not left_behind:
        delete_stack(stage, sam)
    if bucket:
        delete_bucket(s3, bucket, delete_data)


def delete_stack(stage: Stage, sam: Sam) -> None:
    """Delete a stack, all but its bucket.

    Raises:
        RuntimeError: if `sam` fails.
    """
    region = ["--region", stage.region] if stage.region else []
    profile = ["--profile", stage.profile] if stage.profile else []
    if sam("delete", "--no-prompts", "--stack-name", stage.stack, *region, *profile):
        raise RuntimeError("sam delete failed; the bucket is as it was")
    print(f"deleted stack {stage.stack}")


def main() -> int:
    """Tear down; print what is wrong in a line or two and return 1 if that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", required=True, choices=STAGES)
    parser.add_argument("--delete-data", default="", choices=("", "yes"), help="whether the bucket may hold anything")
    parser.add_argument("--bucket", default="", help="one that a stack which is gone has left behind")
    given = parser.parse_args()
    try:
        teardown(given.stage, given.delete_data == "yes", given.bucket)
    except (RuntimeError, ValueError, BotoCoreError, ClientError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
