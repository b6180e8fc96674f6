"""What a version was trained for, as a small file beside it: the distributions that later traffic is held against.

It holds shares, moments and quantiles and no text. Of words it names the most frequent ones of the manifest; which
others were in the training data is a bitmap of their hashes. Its picture of the traffic follows the traffic; what odd
texts are held against stays that of the base data.
"""

import base64
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sentiloop.errors import ObjectNotFoundError
from sentiloop.pointer import Target
from sentiloop.records import BY_CHANCE, Sample, to_json
from sentiloop.registry import version_key
from sentiloop.storage import ObjectStore

from retrain import traffic
from retrain.collect import SNAPSHOTS
from retrain.judge import SELECTED
from retrain.measures import Flags, Floats, frequent_words, measure, seen_words
from retrain.snapshot import FEEDBACK_SOURCE, Snapshot
from retrain.splits import HOLDOUT, TRAIN
from retrain.usual import DIGITS, Usual

FILE = "reference.json.gz"
MOST_ROWS = 20_000  # texts that are measured
MOST_TRAINING_ROWS = 100_000  # texts that words are known from
LEAST_SAMPLES = 200  # samples by chance that make a better picture of the traffic than base data is
QUANTILES = 200
SHAPES = ("length", "confidence", "score")  # what is compared as a whole distribution


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution: its moments, and the shares of values up to each of at most 201 points, in rising order."""

    mean: float
    deviation: float
    points: tuple[float, ...]
    cumulative: tuple[float, ...]

    @classmethod
    def of(cls, values: Floats) -> "Distribution":
        """Describe values, at least one."""
        points = np.unique(np.quantile(values, np.linspace(0, 1, QUANTILES + 1), method="inverted_cdf").round(DIGITS))
        up_to = np.searchsorted(np.sort(values.round(DIGITS)), points, side="right") / len(values)
        return cls(_rounded(values.mean()), _rounded(values.std()), tuple(points.tolist()), tuple(map(_rounded, up_to)))


@dataclass(frozen=True, slots=True)
class Reference:
    """What a version was trained for.

    Attributes:
        version: the model's.
        of: what was measured: "held-out rows", "samples of the traffic", or "<version>'s" where it took over another's.
        rows: how many texts.
        distributions: of length, confidence, score and unseen, as in `Measured`.
        labels: share of the texts that the model gives each label.
        words: of each frequent word mean and standard deviation of its share of a text's words.
        usual: how odd texts are anyway, of base data whatever the rest was measured of.
        confusion: K x K counts of held-out fair rows, true label by given label, in the order of `labels`.
        seen: `SEEN_BITS` flags: which hashes words of the training data have.
    """

    version: str
    of: str
    rows: int
    distributions: Mapping[str, Distribution]
    labels: Mapping[str, float]
    words: Mapping[str, tuple[float, float]]
    usual: Usual
    confusion: NDArray[np.int64]
    seen: Flags

    def dump(self) -> bytes:
        """Write the reference; equal ones have equal bytes."""
        fields = {name: getattr(self, name) for name in ("version", "of", "rows", "labels")}
        fields["schema"] = "reference/1"
        fields["distributions"] = {name: asdict(each) for name, each in self.distributions.items()}
        fields["usual"] = asdict(self.usual)
        fields["words"] = [[word, *shares] for word, shares in self.words.items()]
        fields["label_order"] = list(self.labels)
        fields["confusion"] = self.confusion.tolist()
        fields["seen"] = base64.b64encode(np.packbits(self.seen).tobytes()).decode()
        return gzip.compress(to_json(fields), mtime=0)

    @classmethod
    def load(cls, body: bytes) -> "Reference":
        """Read what `dump` wrote."""
        fields: dict[str, Any] = json.loads(gzip.decompress(body))
        seen = np.unpackbits(np.frombuffer(base64.b64decode(fields["seen"]), np.uint8)).astype(bool)
        distributions = {
            name: Distribution(each["mean"], each["deviation"], tuple(each["points"]), tuple(each["cumulative"]))
            for name, each in fields["distributions"].items()
        }
        return cls(
            version=fields["version"],
            of=fields["of"],
            rows=fields["rows"],
            distributions=distributions,
            labels={label: fields["labels"][label] for label in fields["label_order"]},
            words={word: (mean, deviation) for word, mean, deviation in fields["words"]},
            usual=Usual(**fields["usual"]),
            confusion=np.array(fields["confusion"], np.int64),
            seen=seen,
        )


def reference_file(store: ObjectStore, model: Model, snapshot: Snapshot, anchor: Target) -> bytes:
    """Return the reference of a version that learned from a snapshot, as it is published with the version.

    Args:
        store: where the snapshot's samples and the anchor's reference are.
        model: the version.
        snapshot: what it learned from.
        anchor: what it was adapted from; it has a reference unless the rows behind it are in the snapshot.
    """
    samples, prior = _samples_of(store, snapshot.digest), read_reference(store, anchor.version)
    return make_reference(model, snapshot.rows, samples, prior).dump()


def make_reference(
    model: Model, rows: pd.DataFrame, samples: Iterable[Sample] = (), prior: Reference | None = None
) -> Reference:
    """Return the reference of a version.

    Its picture of the traffic is made of the samples by chance that it learned with. Where these are few, it is that of
    the prior, whose rows the snapshot lacks, and without a prior that of the held-out rows. What odd texts are held
    against is always the prior's, or without one that of the held-out base rows. Accuracy is always that on the
    held-out rows, without those that were reported because a model was right or wrong on them.

    Args:
        model: the version.
        rows: of its snapshot: text, label, side, and source and selection where there is feedback.
        samples: those that the version learned with.
        prior: reference of what it was adapted from, if the rows behind that are not in the snapshot.
    """
    held = rows[(rows["side"] == HOLDOUT) & rows["label"].isin(model.labels)]
    if "selection" in held:
        held = held[~held["selection"].isin(SELECTED)]
    held = held.iloc[_by_hash(held["text"].tolist())[:MOST_ROWS]]
    training = rows["text"][rows["side"] == TRAIN].tolist()
    seen = seen_words([training[at] for at in _by_hash(training)[:MOST_TRAINING_ROWS]])
    if prior:
        seen |= prior.seen
    usual = prior.usual if prior else Usual.of(_of_base_data(held)["text"].tolist())
    asked = [sample.text for sample in one_a_request(samples)]
    confusion = confusion_of(model, held["text"].tolist(), held["label"].tolist())
    if len(asked) >= LEAST_SAMPLES:
        return describe(model, asked, "samples of the traffic", confusion, seen, usual=usual)
    if prior:
        return _taken_over(model.version, prior, confusion, seen)
    return describe(model, held["text"].tolist(), "held-out rows", confusion, seen, usual=usual)


def one_a_request(samples: Iterable[Sample]) -> list[Sample]:
    """Return of each request that was kept by chance one sample, oldest first.

    The texts of a request resemble each other and are kept or not together, so that many of them say little more than
    one. They were received at the same moment; two requests within a millisecond count as one.
    """
    requests: dict[str, Sample] = {}
    for sample in sorted(samples, key=lambda sample: (sample.received_at, sample.id)):
        if sample.reason == BY_CHANCE:
            requests.setdefault(sample.received_at, sample)
    return list(requests.values())


def describe(
    model: Model,
    texts: Sequence[str],
    of: str,
    confusion: NDArray[np.int64],
    seen: Flags,
    *,
    usual: Usual | None = None,
) -> Reference:
    """Return what texts are like, of which `of` says what they are; without `usual` they are base data themselves."""
    usual = usual or Usual.of(texts)
    if not texts:
        return Reference(model.version, of, 0, {}, dict.fromkeys(model.labels, 0.0), {}, usual, confusion, seen)
    frequent = frequent_words(model)
    measured = measure(model, texts, seen, frequent)
    shares = np.bincount(measured.said, minlength=len(model.labels)) / len(texts)
    moments = zip(measured.words.mean(axis=0), measured.words.std(axis=0), strict=True)
    return Reference(
        version=model.version,
        of=of,
        rows=len(texts),
        distributions={name: Distribution.of(getattr(measured, name)) for name in (*SHAPES, "unseen")},
        labels=dict(zip(model.labels, map(_rounded, shares), strict=True)),
        words={word: (_rounded(mean), _rounded(dev)) for word, (mean, dev) in zip(frequent, moments, strict=True)},
        usual=usual,
        confusion=confusion,
        seen=seen,
    )


def read_reference(store: ObjectStore, version: str) -> Reference | None:
    """Return the reference of a version, or None if none was published with it."""
    if version == bundled().version:
        return bundled()
    try:
        return Reference.load(store.get(version_key(version, FILE)).body)
    except ObjectNotFoundError:
        return None


@cache
def bundled() -> Reference:
    """Return the reference of the bundled baseline; `make baseline` writes it."""
    return Reference.load((files("retrain") / "baseline" / FILE).read_bytes())


def confusion_of(model: Model, texts: Sequence[str], truth: Sequence[str]) -> NDArray[np.int64]:
    """Return K x K counts of texts: true label by the label that the model gives."""
    confusion = np.zeros((len(model.labels),) * 2, np.int64)
    said = BulkScorer(model).probabilities(texts).argmax(axis=1)
    np.add.at(confusion, (np.array([model.labels.index(label) for label in truth], np.int64), said), 1)
    return confusion


def _samples_of(store: ObjectStore, snapshot: str) -> list[Sample]:
    try:
        body = gzip.decompress(store.get(f"{SNAPSHOTS}{snapshot}/{traffic.FILE}").body)
    except ObjectNotFoundError:
        return []
    return [Sample.from_line(line) for line in body.splitlines()]


def _taken_over(version: str, prior: Reference, confusion: NDArray[np.int64], seen: Flags) -> Reference:
    fields = {name: getattr(prior, name) for name in prior.__slots__}
    return Reference(**{**fields, "version": version, "of": f"{prior.version}'s", "confusion": confusion, "seen": seen})


def _of_base_data(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["source"] != FEEDBACK_SOURCE] if "source" in rows else rows


def _by_hash(texts: Sequence[str]) -> NDArray[np.int64]:
    digests = [sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
    return np.array(sorted(range(len(texts)), key=digests.__getitem__), np.int64)


def _rounded(value: Any) -> float:
    return round(float(value), DIGITS)
