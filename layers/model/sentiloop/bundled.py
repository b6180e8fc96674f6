"""The trained baseline that is part of this package: what a fresh clone and a function without storage predict with."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from sentiloop import artefact
from sentiloop.artefact import Model
from sentiloop.pointer import Target

_FOLDER = Path(__file__).with_name("baseline")


def baseline_files() -> tuple[bytes, bytes]:
    """Return the bytes of its manifest and of its weights."""
    return (_FOLDER / artefact.MANIFEST).read_bytes(), (_FOLDER / artefact.WEIGHTS).read_bytes()


@cache
def baseline() -> Model:
    """Return the model."""
    return artefact.load(*baseline_files())


def baseline_target() -> Target:
    """Return what a pointer says that names the baseline."""
    manifest, _ = baseline_files()
    return Target(baseline().version, sha256(manifest).hexdigest())
