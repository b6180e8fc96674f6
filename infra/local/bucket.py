"""moto's S3 in this process, with a folder that keeps the bucket's content from one start to the next."""

import logging
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from sentiloop.errors import ObjectNotFoundError
from sentiloop.pointer import CURRENT
from sentiloop.s3 import S3Store
from werkzeug.serving import BaseWSGIServer, make_server

from infra.local.origins import without_websites

log = logging.getLogger("sentiloop")

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",  # moto takes any; nothing here reaches AWS
    "AWS_DEFAULT_REGION": "us-east-1",
}
MIRROR_SECONDS = 2.0


@contextmanager
def s3_server() -> Iterator[str]:
    """Run moto's S3 on a free port of the loopback and yield its address."""
    server = make_s3_server("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, name="s3", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_s3_server(host: str, port: int) -> BaseWSGIServer:
    """Return moto's S3, listening. It asks for no credentials and lets every origin in, so websites are kept out here.

    Args:
        host: the address to listen on.
        port: 0: a free one.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = without_websites(DomainDispatcherApplication(create_backend_app))
    return make_server(host, port, application, threaded=True, request_handler=MotoRequestHandler)


class LostContentError(Exception):
    """Raise when the bucket lacks what nothing of ours erases."""


class FolderMirror:
    """Copies a bucket into a folder, object by object as they change, and back.

    Args:
        store: the bucket's objects.
        folder: where a key is a file of the same name.
    """

    def __init__(self, store: S3Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._etags: dict[str, str] = {}

    def create_bucket(self) -> None:
        """Make the bucket and put what the folder holds into it."""
        boto3.client("s3").create_bucket(Bucket=self._store.bucket)
        files = [path for path in self._folder.rglob("*") if path.is_file() and path.suffix != ".part"]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._restore, files))

    def _restore(self, path: Path) -> None:
        key = path.relative_to(self._folder).as_posix()
        self._etags[key] = self._store.put(key, path.read_bytes())

    def save(self) -> None:
        """Write what is new or changed in the bucket to the folder, and remove from it what was erased in the bucket.

        A file is replaced whole or not at all.

        Raises:
            LostContentError: the bucket is empty all at once, or has no pointer any more. What is new is written, and
                no file is removed: they may be all that is left.
        """
        listing = dict(self._listing())
        self._write(listing)
        gone = self._etags.keys() - listing.keys()
        if gone and (not listing or CURRENT in gone):
            raise LostContentError(f"{CURRENT if listing else 'everything'} is gone from it, so no file is removed")
        for key in gone:
            (self._folder / key).unlink(missing_ok=True)
            del self._etags[key]

    def _write(self, listing: Mapping[str, str]) -> None:
        for key, etag in listing.items():
            if self._etags.get(key) == etag:
                continue
            try:
                body = self._store.get(key).body
            except ObjectNotFoundError:  # erased since it was listed
                continue
            path = self._folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + ".part")
            part.write_bytes(body)
            part.replace(path)
            self._etags[key] = etag

    @contextmanager
    def kept_up_to_date(self) -> Iterator[None]:
        """Save every few seconds, and once more at the end; what goes wrong is said, and the next save tries again."""
        stop = threading.Event()

        def loop() -> None:
            trouble = ""
            while not stop.wait(MIRROR_SECONDS):
                before, trouble = trouble, self._try_to_save()
                if trouble and not before:
                    log.error("the bucket is not being written to %s: %s; trying again", self._folder, trouble)
                elif before and not trouble:
                    log.warning("the bucket is being written to %s again", self._folder)

        thread = threading.Thread(target=loop, name="mirror", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            if trouble := self._try_to_save():
                log.error("at the end the bucket could not be written to %s: %s", self._folder, trouble)

    def _try_to_save(self) -> str:
        """Save, and return what went wrong, or nothing."""
        try:
            self.save()
        except Exception as error:  # noqa: BLE001 - one failure of whatever kind must not end the mirror
            return f"{type(error).__name__}: {error}"
        return ""

    def _listing(self) -> Iterator[tuple[str, str]]:
        pages = boto3.client("s3").get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._store.bucket):
            for item in page.get("Contents", []):
                yield item["Key"], item["ETag"]
