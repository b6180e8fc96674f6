"""An object store in a folder, a file an object: for buckets that are too large for moto, and for several processes.

It keeps the port's promises: creation is a hard link, which exactly one can make; a replacement holds a lock.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path

from sentiloop.errors import ObjectNotFoundError, PreconditionFailedError
from sentiloop.storage import StoredObject


class BucketFiles:
    """Objects below a folder; an ETag is a digest of the content, as that of a plain S3 object is.

    Args:
        folder: is made if it is not there. No key may be the beginning of another's path.
    """

    def __init__(self, folder: Path) -> None:
        self._objects = folder / "objects"
        self._parts = folder / "parts"
        for each in (self._objects, self._parts):
            each.mkdir(parents=True, exist_ok=True)

    def get(self, key: str) -> StoredObject:
        """See `ObjectStore.get`."""
        try:
            body = (self._objects / key).read_bytes()
        except FileNotFoundError:
            raise ObjectNotFoundError(f"NoSuchKey for {key}") from None
        return StoredObject(body, _etag(body))

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """See `ObjectStore.get_if_changed`."""
        found = self.get(key)
        return None if found.etag == etag else found

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """See `ObjectStore.put`."""
        path = self._objects / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._part(body) as part:
            if if_absent:
                self._link(part, path, key)
            else:
                self._replace(part, path, key, if_match)
        return _etag(body)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """See `ObjectStore.keys`."""
        start = len(str(self._objects)) + 1
        found = (
            f"{folder}/{name}"[start:]
            for folder, _, names in os.walk(self._objects / prefix.rpartition("/")[0])
            for name in names
        )
        yield from sorted(key for key in found if key.startswith(prefix) and key > after)

    @contextmanager
    def _part(self, body: bytes) -> Iterator[Path]:
        """Yield a file of its own with the content, so that no reader ever sees half an object."""
        with tempfile.NamedTemporaryFile(dir=self._parts) as file:
            file.write(body)
            file.flush()
            yield Path(file.name)

    def _link(self, part: Path, path: Path, key: str) -> None:
        try:
            path.hardlink_to(part)
        except FileExistsError:
            raise PreconditionFailedError(f"PreconditionFailed for {key}") from None

    def _replace(self, part: Path, path: Path, key: str, if_match: str | None) -> None:
        with (self._parts / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if if_match and self.get(key).etag != if_match:
                raise PreconditionFailedError(f"PreconditionFailed for {key}")
            link = part.with_suffix(".link")
            link.hardlink_to(part)
            link.replace(path)


def _etag(body: bytes) -> str:
    return f'"{md5(body, usedforsecurity=False).hexdigest()}"'
