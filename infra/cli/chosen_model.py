"""The model that `--model` names: the bundled one, one in the bucket, or one in a folder."""

from pathlib import Path

from sentiloop import artefact, pointer, registry
from sentiloop.artefact import Model
from sentiloop.bundled import baseline
from sentiloop.records import to_json

from infra.cli.stopping import UsageError

HELP = (
    "baseline: the bundled one (default); champion: the one that the bucket's pointer names; the name of a version in "
    "the bucket; or a folder with manifest.json and weights.bin"
)


def load_model(name: str) -> Model:
    """Return the model; every byte of it is checked.

    Raises:
        SentiloopError: there is none of that name, or its files are broken.
    """
    if name == "baseline":
        return baseline()
    folder = Path(name)
    if folder.is_dir():
        return artefact.load(*((folder / file).read_bytes() for file in (artefact.MANIFEST, artefact.WEIGHTS)))
    if len(folder.parts) != 1:
        raise UsageError(f"--model: there is no folder {name}", "It has to hold manifest.json and weights.bin.")
    return _from_bucket(name)


def packed(model: Model) -> tuple[bytes, bytes]:
    """Return what `artefact.load` makes the same model of, in another process."""
    return to_json(model.manifest), artefact.weights_of(model)


def weights_sha256(model: Model) -> str:
    """Return the digest that tells models apart whatever they are called."""
    digest: str = model.manifest["weights"]["sha256"]
    return digest


def _from_bucket(name: str) -> Model:
    from sentiloop.s3 import S3Store  # noqa: PLC0415 - storage is slow to load, and most runs use none
    from sentiloop.settings import Settings  # noqa: PLC0415

    from infra.local.attach import attach  # noqa: PLC0415

    try:
        attach()
    except SystemExit as nothing_there:
        hint = "The bundled model needs neither: --model baseline."
        raise UsageError(f"--model {name}: {nothing_there}", hint) from None
    store = S3Store(Settings.from_env().bucket, read_timeout=60)
    if name != "champion":
        return registry.fetch(store, registry.find(store, name))
    current = pointer.read(store)
    if current is None:
        raise UsageError("--model champion: the bucket names no model yet", "Use the bundled one: --model baseline.")
    return registry.fetch(store, current.pointer.champion)
