"""The storage port: what the registry, the functions and the local stack ask of object storage."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sentiloop.errors import PreconditionFailedError


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's bytes with the ETag that a conditional write names."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """Names one version of an object; in a bucket that keeps no versions, an object is the only one of itself."""

    key: str
    id: str
    is_current: bool


class ObjectStore(Protocol):
    """Object storage with strong read-after-write consistency and conditional writes, as S3 has since 2024.

    Every method raises `StorageUnavailableError` when storage does not answer or fails on its side.
    """

    def get(self, key: str) -> StoredObject:
        """Return the object; raise `ObjectNotFoundError` if there is none."""
        ...

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Return the object, or None while its ETag is still `etag`; an empty `etag` fits no object.

        Raises:
            ObjectNotFoundError: the key holds no object.
        """
        ...

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """Write the object and return its ETag.

        Raises:
            PreconditionFailedError: `if_absent` and the key exists, or `if_match` and the ETag is another. It also
                comes when this very write had landed and a retry of it, inside the client, met its own result.
            WriteConflictError: another write to the key was under way.
        """
        ...

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Yield the keys that start with `prefix`, in order, those behind `after` only."""
        ...


class ErasableStore(ObjectStore, Protocol):
    """Object storage that forgets as well. The erase command alone is given one: no function may delete."""

    def versions(self, prefix: str) -> Iterator[StoredVersion]:
        """Yield all versions of all objects under a prefix, those of deleted objects included."""
        ...

    def get_version(self, version: StoredVersion) -> bytes:
        """Return what a version holds; raise `ObjectNotFoundError` if it is gone."""
        ...

    def delete(self, key: str) -> int:
        """Delete an object with all its versions; a key without any is no error.

        Returns:
            How many versions stay because their deletion was denied; nobody reads them as the object any more.
        """
        ...


def create(store: ObjectStore, key: str, body: bytes) -> bool:
    """Write an object unless the key holds one; return whether it was written now."""
    try:
        store.put(key, body, if_absent=True)
    except PreconditionFailedError:
        return False
    return True
