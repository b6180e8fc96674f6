"""An object store in memory that keeps the port's promises, its conditional writes under a lock.

moto checks and then stores, so two of its threads can both win a conditional write. Here exactly one can. The contract
tests of `tests/store/test_s3.py` run on both.
"""

from collections.abc import Iterator
from hashlib import md5
from threading import Lock

from sentiloop.errors import ObjectNotFoundError, PreconditionFailedError
from sentiloop.storage import StoredObject, StoredVersion


class MemoryStore:
    """Objects in a dictionary; an ETag is a digest of the content, as that of a plain S3 object is."""

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        self.objects = dict(objects or {})
        self._lock = Lock()

    def copy(self) -> "MemoryStore":
        """Return an independent store with the same objects."""
        return MemoryStore(self.objects)

    def get(self, key: str) -> StoredObject:
        """See `ObjectStore.get`."""
        with self._lock:
            if key not in self.objects:
                raise ObjectNotFoundError(f"NoSuchKey for {key}")
            return StoredObject(self.objects[key], _etag(self.objects[key]))

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """See `ObjectStore.get_if_changed`."""
        found = self.get(key)
        return None if found.etag == etag else found

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """See `ObjectStore.put`."""
        with self._lock:
            there = self.objects.get(key)
            if if_absent and there is not None:
                raise PreconditionFailedError(f"PreconditionFailed for {key}")
            if if_match and there is None:
                raise ObjectNotFoundError(f"NoSuchKey for {key}")
            if if_match and there is not None and _etag(there) != if_match:
                raise PreconditionFailedError(f"PreconditionFailed for {key}")
            self.objects[key] = body
            return _etag(body)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """See `ObjectStore.keys`."""
        with self._lock:
            found = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        yield from found

    def versions(self, prefix: str) -> Iterator[StoredVersion]:
        """See `ErasableStore.versions`: each object is its only version."""
        return (StoredVersion(key, "null", is_current=True) for key in self.keys(prefix))

    def get_version(self, version: StoredVersion) -> bytes:
        """See `ErasableStore.get_version`."""
        return self.get(version.key).body

    def delete(self, key: str) -> int:
        """See `ErasableStore.delete`."""
        with self._lock:
            self.objects.pop(key, None)
        return 0


def _etag(body: bytes) -> str:
    return f'"{md5(body, usedforsecurity=False).hexdigest()}"'
