"""What is served, and what its successors start from."""

from dataclasses import dataclass
from typing import Any

from sentiloop import registry
from sentiloop.artefact import Model
from sentiloop.pointer import Pointer, Target
from sentiloop.storage import ObjectStore

from retrain.datasets import read_datasets


@dataclass(frozen=True, slots=True)
class Champion:
    """The served version.

    Attributes:
        commit: the pointer's commit that named it.
        target: where its files are.
        model: the loaded model.
        prior: the model that candidates are pulled towards because the rows behind it are not in the bucket, or None.
        prior_target: where the prior's files are.
        pinned: whether only a person may replace it.
    """

    commit: str
    target: Target
    model: Model
    prior: Model | None
    prior_target: Target | None
    pinned: bool = False

    @property
    def data(self) -> dict[str, Any]:
        """What the manifest says of its training data."""
        return dict(self.model.manifest.get("data", {}))

    @property
    def snapshot(self) -> str | None:
        """Digest of the snapshot it learned from; the bundled baseline has none."""
        return self.data.get("snapshot")


def read_champion(store: ObjectStore, current: Pointer) -> Champion:
    """Return the champion that the pointer names.

    A model whose rows are all in the bucket needs no prior: its successor learns from the rows. Otherwise its own prior
    stays the prior of its successors, which learn all feedback anew: pulling them towards the champion instead would
    count the same feedback again with every run.
    """
    model = registry.fetch(store, current.champion)
    data = model.manifest.get("data", {})
    if named := data.get("prior"):
        target = Target(**named)
        return Champion(
            current.commit_id, current.champion, model, registry.fetch(store, target), target, current.pinned
        )
    there = {dataset.digest for dataset in read_datasets(store)}
    if all(base["digest"] in there for base in data.get("base", [])):
        return Champion(current.commit_id, current.champion, model, None, None, current.pinned)
    return Champion(current.commit_id, current.champion, model, model, current.champion, current.pinned)
