"""The published versions as people see them: the list, one of them, or two side by side.

What a version's files hold never changes, so it is read once and kept. `moves.py` has what people do with versions.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, islice
from typing import Any

from sentiloop import artefact, diff, registry
from sentiloop.artefact import Model
from sentiloop.bundled import baseline_target
from sentiloop.diff import Answers, Figure, Interval, MovedWord, Slice
from sentiloop.errors import ObjectNotFoundError
from sentiloop.history import READERS, History, Tenure, named_by, tenures
from sentiloop.moves import CHALLENGER, CHAMPION, find, known, refusals
from sentiloop.pointer import Pointer
from sentiloop.records import Sample, now
from sentiloop.registry import MARK, version_key
from sentiloop.review_queue import Candidate
from sentiloop.review_samples import KeptSamples
from sentiloop.scoring import Scorer
from sentiloop.storage import ObjectStore

FOLDER, HISTORY = "models/", "history"
REPORT = "report/report.json"
MOST_MOVES = 1_000  # newest moves, which tell how long a version was served
MOST_CHARACTERS = 1_000_000  # of sampled texts that are compared: a bound on the work that hostile ones make
MOST_UNMOVED = 2_000  # versions no move names, whose manifests are read for the order of a list
_LONG = {"frequent_words", "roc", "reliability"}


@dataclass(frozen=True, slots=True)
class Summary:
    """A version in a list.

    Attributes:
        version: its name.
        kind: `baseline`, `anchor` (of base data alone), `trained`, `incomplete` (its manifest was never written), or
            `missing` (files that it had are gone).
        role: `champion`, `challenger` or None.
        erased: whether it learned from corrections that were erased since.
        created_at: when it was made, if it says so.
        parents: what it was made to replace.
        snapshot: digest of the data it learned from.
        base_rows: rows of base data behind it, those held out included; None: not known.
        feedback_rows: corrected texts behind it.
        metrics: on the rows held out when it was made.
        accuracy_interval: 95 % confidence interval of the accuracy, or None.
        served: when it was champion, or None if the newest moves do not name it.
    """

    version: str
    kind: str
    role: str | None
    erased: bool
    created_at: str | None
    parents: Sequence[str]
    snapshot: str | None
    base_rows: int | None
    feedback_rows: int | None
    metrics: Mapping[str, Any]
    accuracy_interval: Interval | None
    served: Tenure | None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the list.

    Attributes:
        versions: how many there are in all.
        problem: that the pointer is gone, so that the roles are those of the newest move on record; or None.
    """

    items: Sequence[Summary]
    versions: int
    pinned: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """All about a version.

    Attributes:
        summary: as in a list.
        manifest: all of it but the list of frequent words.
        slices: the parent (a) and this version (b) on the same held-out rows, if the gate judged it.
        moves: those of the newest that name it, as champion or challenger.
    """

    summary: Summary
    manifest: Mapping[str, Any]
    slices: Sequence[Slice]
    moves: Sequence[Pointer]


@dataclass(frozen=True, slots=True)
class ModelDiff:
    """Two versions side by side.

    Attributes:
        a: the first version.
        b: the second version.
        figures: metrics; comparable only as far as the rows behind them are the same.
        slices: both on the same held-out rows, if the gate judged one against the other.
        words: those whose effect moved most.
        answers: what both say of recently sampled texts.
    """

    a: str
    b: str
    figures: Sequence[Figure]
    slices: Sequence[Slice]
    words: Sequence[MovedWord]
    answers: Answers


class Models:
    """The versions of one bucket.

    Args:
        store: the bucket.
        history: of the same bucket, to share what it has read.
        clock: returns the present moment.
    """

    def __init__(self, store: ObjectStore, history: History | None = None, clock: Callable[[], datetime] = now) -> None:
        self._store = store
        self._clock = clock
        self._history = history or History(store)
        self._manifests: dict[str, Mapping[str, Any]] = {}
        self._reports: dict[str, Mapping[str, Any]] = {}

    def page(self, limit: int, skip: int = 0) -> Page:
        """Return versions, those moved or made last first; those that say no time come last."""
        current, problem = known(self._store)
        folders, history = self._folders(), self._history.newest(MOST_MOVES)
        folders = {name: folders.get(name, set()) for name in {*folders, *named_by(current)}}
        moments = self._moments(folders, history)
        names = sorted(folders, key=lambda name: (moments[name], name), reverse=True)
        shown, served = names[skip : skip + limit], tenures(history, self._clock())
        with ThreadPoolExecutor(READERS) as pool:
            manifests, reports = pool.map(self._manifest, shown), pool.map(self._report, shown)
            read = list(zip(shown, manifests, reports, strict=True))
        items = [
            _summary(name, current, files=folders[name], tenure=served.get(name), manifest=manifest, report=report)
            for name, manifest, report in read
        ]
        return Page(items, len(names), current.pinned, problem)

    def show(self, version: str) -> Details:
        """Return all about a version; raise `VersionNotFoundError` if there is none."""
        name = find(self._store, version).version
        (current, _), history = known(self._store), self._history.newest(MOST_MOVES)
        manifest, report = self._manifest(name), self._report(name)
        files = {key.removeprefix(version_key(name, "")) for key in self._store.keys(version_key(name, ""))}
        tenure = tenures(history, self._clock()).get(name)
        summary = _summary(name, current, files=files, tenure=tenure, manifest=manifest, report=report)
        slices = diff.read_slices(report.get("slices", []))
        return Details(summary, manifest, slices, [move for move in history if name in named_by(move)])

    def diff(self, a: str, b: str, samples: int, most: int) -> ModelDiff:
        """Compare two versions.

        Args:
            a: the first.
            b: the second.
            samples: newest sampled texts that both score, if they are of usual length; fewer if they are long.
            most: words, and texts with another answer, to return.

        Raises:
            VersionNotFoundError: one of them is not published.
            RefusedError: one of them is incomplete, or of other code than this.
        """
        targets = [find(self._store, name) for name in (a, b)]
        with refusals():
            first, second = (registry.fetch(self._store, target) for target in targets)
        one, other = Scorer(first), Scorer(second)
        kept = _bounded(KeptSamples(self._store, samples, self._clock).newest())
        old, new = self._report(first.version), self._report(second.version)
        return ModelDiff(
            a=first.version,
            b=second.version,
            figures=diff.compare_figures(
                first.manifest.get("metrics", {}),
                second.manifest.get("metrics", {}),
                _accuracy_interval(old),
                _accuracy_interval(new),
            ),
            slices=_judged_together(first, second, old, new),
            words=diff.moved_words(one, other, (sample.text for _, sample in kept), most),
            answers=diff.compare_answers(one, other, kept, most),
        )

    def _folders(self) -> dict[str, set[str]]:
        """Return the names of the files of each version."""
        folders: dict[str, set[str]] = defaultdict(set)
        for key in self._store.keys(FOLDER):
            version, _, file = key.removeprefix(FOLDER).partition("/")
            if file and version != HISTORY:
                folders[version].add(file)
        return folders

    def _moments(self, versions: Iterable[str], history: Iterable[Pointer]) -> dict[str, str]:
        """Return of each version when it was last moved to or, if no move names it, when it was made."""
        moments = dict.fromkeys(versions, "")
        for move in history:  # the newest first
            for name in named_by(move):
                if not moments.get(name, "unpublished"):
                    moments[name] = move.at
        unmoved = list(islice((name for name, moment in moments.items() if not moment), MOST_UNMOVED))
        with ThreadPoolExecutor(READERS) as pool:
            for name, manifest in zip(unmoved, pool.map(self._manifest, unmoved), strict=True):
                moments[name] = manifest.get("created_at") or ""
        return moments

    def _manifest(self, version: str) -> Mapping[str, Any]:
        return self._kept(self._manifests, version, artefact.MANIFEST)

    def _report(self, version: str) -> Mapping[str, Any]:
        return self._kept(self._reports, version, REPORT)

    def _kept(self, kept: dict[str, Mapping[str, Any]], version: str, file: str) -> Mapping[str, Any]:
        """Return what a version's JSON file holds, less what is long and shown nowhere; empty if there is none."""
        if version not in kept:
            try:
                found = json.loads(self._store.get(version_key(version, file)).body)
            except ObjectNotFoundError:
                return {}
            kept[version] = {name: value for name, value in found.items() if name not in _LONG}
        return kept[version]


def _summary(
    version: str,
    current: Pointer,
    *,
    files: Set[str],
    tenure: Tenure | None,
    manifest: Mapping[str, Any],
    report: Mapping[str, Any],
) -> Summary:
    data = manifest.get("data", {})
    on_trial = current.challenger.target.version if current.challenger else None
    base = data.get("base")
    return Summary(
        version=version,
        kind=_kind(version, files, published=bool(manifest) or version in named_by(current)),
        role=CHAMPION if version == current.champion.version else CHALLENGER if version == on_trial else None,
        erased=MARK in files,
        created_at=manifest.get("created_at"),
        parents=manifest.get("parents", []),
        snapshot=data.get("snapshot"),
        base_rows=None if base is None else sum(entry.get("rows", 0) for entry in base),
        feedback_rows=data.get("feedback", {}).get("rows", 0),
        metrics=manifest.get("metrics", {}),
        accuracy_interval=_accuracy_interval(report),
        served=tenure,
    )


def _bounded(candidates: Iterable[Candidate]) -> list[tuple[str, Sample]]:
    """Return samples with their ids, as many as the bound on their characters allows."""
    kept = [(each.id, each.sample) for each in candidates]
    totals = accumulate(len(sample.text) for _, sample in kept)
    return kept[: sum(total <= MOST_CHARACTERS for total in totals)]


def _kind(version: str, files: Set[str], *, published: bool) -> str:
    if not {artefact.MANIFEST, artefact.WEIGHTS} <= files:
        return "missing" if published else "incomplete"
    if version == baseline_target().version:
        return "baseline"
    return "anchor" if version.startswith("anchor-") else "trained"


def _accuracy_interval(report: Mapping[str, Any]) -> Interval | None:
    """Return the confidence interval of a version's accuracy on all rows that it was judged on."""
    for part in report.get("slices", []):
        if part["name"] == "all" and "candidate_interval" in part:
            low, high = part["candidate_interval"]
            return low, high
    return None


def _judged_together(a: Model, b: Model, report_of_a: Mapping[str, Any], report_of_b: Mapping[str, Any]) -> list[Slice]:
    """Return both on the same rows; a candidate's report compares it with its parent."""
    if a.version in b.manifest.get("parents", []):
        return diff.read_slices(report_of_b.get("slices", []))
    if b.version in a.manifest.get("parents", []):
        return [part.turned() for part in diff.read_slices(report_of_a.get("slices", []))]
    return []
