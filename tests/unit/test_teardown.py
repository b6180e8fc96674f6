"""Tearing down: nothing goes while the bucket holds anything; told to, everything goes, and the stack goes first."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws

from infra.deploy import teardown as module
from infra.deploy.stages import Stage
from infra.deploy.teardown import empty, holds_anything, teardown

STACK = "sentiloop-dev"
BUCKET = f"{STACK}-bucket-1a2b3c"
REGION: Final = "eu-central-1"


@dataclass
class Cloud:
    """A bucket on moto, and a stack that `sam` can delete."""

    s3: Any
    deleted: list[tuple[str, ...]] = field(default_factory=list)
    exit_status: int = 0
    there_is_a_stack: bool = True
    objects_when_the_stack_went: bool | None = None

    def sam(self, *arguments: str) -> int:
        self.deleted.append(arguments)
        self.objects_when_the_stack_went = holds_anything(self.s3, BUCKET)
        self.there_is_a_stack = bool(self.exit_status)
        return self.exit_status

    def outputs(self, _client: object, stack: str) -> dict[str, str] | None:
        return {"BucketName": BUCKET} if self.there_is_a_stack and stack == STACK else None

    def buckets(self) -> list[str]:
        return [bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        cloud = Cloud(s3)
        monkeypatch.setattr(module, "read_stage", lambda name: Stage(name, STACK, REGION))
        monkeypatch.setattr(module, "outputs", cloud.outputs)
        yield cloud


def fill(cloud: Cloud) -> None:
    """A former version, a deleted object, and one that is simply there."""
    cloud.s3.put_object(Bucket=BUCKET, Key="models/current.json", Body=b"1")
    cloud.s3.put_object(Bucket=BUCKET, Key="models/current.json", Body=b"2")
    cloud.s3.put_object(Bucket=BUCKET, Key="samples/a.json", Body=b"3")
    cloud.s3.delete_object(Bucket=BUCKET, Key="samples/a.json")
    cloud.s3.put_object(Bucket=BUCKET, Key="feedback/b.json", Body=b"4")


def test_a_bucket_that_holds_anything_stops_the_teardown_before_anything_is_deleted(cloud: Cloud) -> None:
    fill(cloud)
    with pytest.raises(RuntimeError, match="nothing was deleted"):
        teardown("dev", delete_data=False, sam=cloud.sam)
    assert cloud.deleted == []
    assert len(cloud.s3.list_object_versions(Bucket=BUCKET)["Versions"]) == 4


def test_former_versions_and_delete_markers_count_as_something(cloud: Cloud) -> None:
    assert holds_anything(cloud.s3, BUCKET) is False
    fill(cloud)
    for key in ("models/current.json", "feedback/b.json"):
        cloud.s3.delete_object(Bucket=BUCKET, Key=key)
    assert "Contents" not in cloud.s3.list_objects_v2(Bucket=BUCKET)
    assert holds_anything(cloud.s3, BUCKET) is True


def test_an_empty_bucket_goes_with_its_stack(cloud: Cloud) -> None:
    teardown("dev", delete_data=False, sam=cloud.sam)
    assert cloud.deleted == [("delete", "--no-prompts", "--stack-name", STACK, "--region", REGION)]
    assert cloud.buckets() == []


def test_told_to_it_deletes_the_stack_first_and_then_all_that_the_bucket_holds(cloud: Cloud) -> None:
    fill(cloud)
    teardown("dev", delete_data=True, sam=cloud.sam)
    assert cloud.objects_when_the_stack_went is True, "what still writes has to be gone before the bucket is emptied"
    assert cloud.buckets() == []


def test_a_stack_that_cannot_be_deleted_keeps_its_data(cloud: Cloud) -> None:
    fill(cloud)
    cloud.exit_status = 1
    with pytest.raises(RuntimeError, match="the bucket is as it was"):
        teardown("dev", delete_data=True, sam=cloud.sam)
    assert len(cloud.s3.list_object_versions(Bucket=BUCKET)["Versions"]) == 4


def test_emptying_takes_more_than_one_call_and_counts_versions(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(cloud)
    monkeypatch.setattr(module, "BATCH", 2)
    assert empty(cloud.s3, BUCKET) == 5
    assert holds_anything(cloud.s3, BUCKET) is False


def test_a_bucket_that_a_deleted_stack_left_behind_is_deleted_by_name_under_the_same_rule(cloud: Cloud) -> None:
    fill(cloud)
    cloud.there_is_a_stack = False
    with pytest.raises(RuntimeError, match="BUCKET=name"):
        teardown("dev", delete_data=True, sam=cloud.sam)
    with pytest.raises(RuntimeError, match="nothing was deleted"):
        teardown("dev", delete_data=False, bucket=BUCKET, sam=cloud.sam)
    teardown("dev", delete_data=True, bucket=BUCKET, sam=cloud.sam)
    assert cloud.buckets() == []
    assert cloud.deleted == []


def test_no_bucket_of_another_stack_is_touched(cloud: Cloud) -> None:
    other = "somebody-elses-bucket"
    cloud.s3.create_bucket(Bucket=other, CreateBucketConfiguration={"LocationConstraint": REGION})
    with pytest.raises(RuntimeError, match="no bucket of a stack"):
        teardown("dev", delete_data=True, bucket=other, sam=cloud.sam)
    assert set(cloud.buckets()) == {BUCKET, other}


def test_what_cannot_be_deleted_is_named(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(cloud)
    refusal = {"Errors": [{"Key": "feedback/b.json", "Code": "AccessDenied", "Message": "Access Denied"}]}
    monkeypatch.setattr(cloud.s3, "delete_objects", lambda **_: refusal)
    with pytest.raises(RuntimeError, match=r"feedback/b\.json was not deleted: Access Denied"):
        empty(cloud.s3, BUCKET)


def test_a_stage_that_samconfig_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "read_stage", lambda _: None)
    with pytest.raises(RuntimeError, match=r"no section \[prod\.deploy\.parameters\]"):
        teardown("prod", delete_data=True)
