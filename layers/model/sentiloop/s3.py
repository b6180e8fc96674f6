"""The one storage adapter: S3 and whatever speaks its protocol.

It asks botocore for the client, not boto3: what boto3 adds, its resources and transfers, is not used and takes 25 ms to
import. docs/performance.md compares the clients.
"""

from collections.abc import Iterator
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from sentiloop.errors import (
    ObjectNotFoundError,
    PreconditionFailedError,
    SentiloopError,
    StorageUnavailableError,
    WriteConflictError,
)
from sentiloop.storage import StoredObject, StoredVersion

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_s3 import S3Client

_ERRORS: dict[str, type[SentiloopError]] = {
    "404": ObjectNotFoundError,
    "NoSuchKey": ObjectNotFoundError,
    "412": PreconditionFailedError,
    "PreconditionFailed": PreconditionFailedError,
    "409": WriteConflictError,
    "ConditionalRequestConflict": WriteConflictError,
    "OperationAborted": WriteConflictError,
}
_CONTENT_TYPES = {"json": "application/json", "jsonl": "application/x-ndjson", "html": "text/html; charset=utf-8"}


class S3Store:
    """Objects of one bucket. Endpoint, region and credentials come from the standard AWS environment variables.

    Args:
        bucket: the bucket's name.
        read_timeout: seconds to wait for a reply; keep it short where a user waits.
        attempts: tries a call, the first included.
    """

    def __init__(self, bucket: str, *, read_timeout: float = 5, attempts: int = 3) -> None:
        self.bucket = bucket
        self._read_timeout = read_timeout
        self._attempts = attempts

    @cached_property
    def _client(self) -> "S3Client":
        from botocore.config import Config  # noqa: PLC0415 - like the session, only when storage is first needed

        retries: Any = {"mode": "standard", "total_max_attempts": self._attempts}
        config = Config(connect_timeout=1, read_timeout=self._read_timeout, retries=retries)
        return cast("S3Client", _session().create_client("s3", config=config))

    def close_connections(self) -> None:
        """Close what is open; the next call connects anew."""
        self._client.close()

    def get(self, key: str) -> StoredObject:
        """See `ObjectStore.get`."""
        try:
            reply = self._client.get_object(Bucket=self.bucket, Key=key)
            return StoredObject(reply["Body"].read(), reply["ETag"])
        except (ClientError, BotoCoreError, OSError) as error:
            raise _translated(error, key) from error

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """See `ObjectStore.get_if_changed`."""
        try:
            condition: Any = {"IfNoneMatch": etag} if etag else {}
            reply = self._client.get_object(Bucket=self.bucket, Key=key, **condition)
            return StoredObject(reply["Body"].read(), reply["ETag"])
        except (ClientError, BotoCoreError, OSError) as error:
            if isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] == 304:  # noqa: PLR2004
                return None
            raise _translated(error, key) from error

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """See `ObjectStore.put`."""
        conditions: dict[str, Any] = {"IfNoneMatch": "*"} if if_absent else {"IfMatch": if_match} if if_match else {}
        content_type = _CONTENT_TYPES.get(key.rpartition(".")[2], "application/octet-stream")
        try:
            reply = self._client.put_object(
                Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, **conditions
            )
        except (ClientError, BotoCoreError, OSError) as error:
            raise _translated(error, key) from error
        return reply["ETag"]

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """See `ObjectStore.keys`."""
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix, StartAfter=after):
                for item in page.get("Contents", []):
                    yield item["Key"]
        except (ClientError, BotoCoreError, OSError) as error:
            raise _translated(error, prefix) from error

    def versions(self, prefix: str) -> Iterator[StoredVersion]:
        """See `ErasableStore.versions`."""
        pages = self._client.get_paginator("list_object_versions")
        try:
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Versions", []):
                    yield StoredVersion(item["Key"], item["VersionId"], item["IsLatest"])
        except (ClientError, BotoCoreError, OSError) as error:
            raise _translated(error, prefix) from error

    def get_version(self, version: StoredVersion) -> bytes:
        """See `ErasableStore.get_version`."""
        try:
            reply = self._client.get_object(Bucket=self.bucket, Key=version.key, VersionId=version.id)
            return reply["Body"].read()
        except (ClientError, BotoCoreError, OSError) as error:
            raise _translated(error, version.key) from error

    def delete(self, key: str) -> int:
        """See `ErasableStore.delete`: oldest first, so that none comes back as the current one in between."""
        denied = 0
        try:
            for version in reversed([each for each in self.versions(key) if each.key == key]):
                denied += not self._delete_version(version)
            if denied:
                self._client.delete_object(Bucket=self.bucket, Key=key)
        except (ClientError, BotoCoreError, OSError) as error:
            raise _translated(error, key) from error
        return denied

    def _delete_version(self, version: StoredVersion) -> bool:
        """Return whether it is gone, and not kept by a policy or a lock."""
        try:
            self._client.delete_object(Bucket=self.bucket, Key=version.key, VersionId=version.id)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "AccessDenied":
                return False
            raise
        return True


@cache
def _session() -> "Session":
    """Return the session of this process; it keeps S3's description, which takes long to parse."""
    from botocore.handlers import add_expect_header  # noqa: PLC0415 - 100 ms that only a request with storage pays
    from botocore.session import get_session  # noqa: PLC0415

    session = get_session()
    # Asking first whether a body may be sent costs a round trip; ours are small, and a user waits for some of them.
    session.unregister("before-call.s3", cast("Any", add_expect_header))
    return session


def _translated(error: Exception, key: str) -> SentiloopError:
    """Map a client error to ours. What is neither an answer about the key nor a conflict counts as 'not available'."""
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        return _ERRORS.get(code, StorageUnavailableError)(f"{code} for {key}")
    return StorageUnavailableError(f"{type(error).__name__} for {key}")
