"""What people said of texts during a trial, as evidence for or against the challenger.

A label counts if exactly one of the two versions is right about its text. If the versions are equally good, it speaks
against the challenger with a known probability, which depends on who gave it and why:

- A reviewer labels what both versions disagree on, whichever is right: 1/2.
- A user reports a mistake of the version that answered. In a canary, clients draw that version at random, so a mistake
  that the other version does not make comes from the challenger's clients, and speaks against it, as often as these are
  drawn: the challenger's share. A confirmation that only the answering version deserves speaks against the challenger
  if it comes from the champion's clients: 1 - share.
- In shadow all answers are the champion's, so users report its mistakes alone, and say nothing fair.

Shares are taken as bounds. Beside the drawn share stands that of the answers that the challenger really gave: where few
clients send most of the traffic, the draw of one decides about many reports. And what is reported just after a step may
be about an answer before it. The test against the challenger takes the larger probability, that for it the smaller one.

A text counts once, for who knows that the challenger is wrong about it knows what the next report of it will say. So
does a contributor, in a trial, whatever he reports: his reports come from one draw.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentiloop import pointer
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sentiloop.pointer import Challenger, Pointer
from sentiloop.records import REVIEWER, Correction
from sentiloop.storage import ObjectStore

from retrain.collect import collect
from retrain.merge import text_key
from retrain.sequential import Tally, p_value

USER = "user"
FAIR = 0.5
REPORT_DELAY = timedelta(hours=1)  # within which most answers are reported that are reported at all

Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody said of a text, held against what both versions say of it.

    Attributes:
        contributor: who said it.
        text: the text's key.
        at: when it was received.
        trusted: whether a reviewer said it.
        by_challenger: whether the challenger had answered; None: neither version is known to have.
        champion_right: whether the champion says the same.
        challenger_right: whether the challenger does.
    """

    contributor: str
    text: str
    at: datetime
    trusted: bool
    by_challenger: bool | None
    champion_right: bool
    challenger_right: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A time in which the challenger had one share of the clients.

    Attributes:
        since: when it began.
        until: when it ended; None: it goes on.
        share: the share; 0 in shadow.
        answered: share of the answers that the challenger gave; None: not known yet, and could be any.
    """

    since: datetime
    until: datetime | None
    share: float
    answered: float | None = None

    def shares(self) -> Sequence[float]:
        """Return what the share may have been, seen from the reports."""
        if not self.share:
            return (0.0,)
        return (self.share, 0.0, 1.0) if self.answered is None else (self.share, self.answered)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Labels that tell the versions apart.

    Attributes:
        against: tallies in which a hit speaks against the challenger.
        in_favour: the same labels, in which a hit speaks for it.
    """

    against: tuple[Tally, ...] = ()
    in_favour: tuple[Tally, ...] = ()

    @property
    def labels(self) -> int:
        """How many labels tell the versions apart."""
        return sum(tally.events for tally in self.against)

    @property
    def labels_against(self) -> int:
        """How many of them speak against the challenger."""
        return sum(tally.hits for tally in self.against)

    @property
    def p_worse(self) -> float:
        """Anytime-valid p-value of so much against the challenger if it is as good as the champion."""
        return p_value(self.against)

    @property
    def p_better(self) -> float:
        """Anytime-valid p-value of so much in its favour."""
        return p_value(self.in_favour)


def weigh(reports: Iterable[Report], steps: Sequence[Step]) -> Evidence:
    """Return the evidence in reports, oldest first, of a trial that went through steps."""
    against: Counter[tuple[float, bool]] = Counter()
    in_favour: Counter[tuple[float, bool]] = Counter()
    for report, (least, most) in _counted(reports, steps):
        is_against = report.champion_right
        against[most, is_against] += 1
        in_favour[1 - least, not is_against] += 1
    return Evidence(_tallies(against), _tallies(in_favour))


def steps_of(store: ObjectStore, current: Pointer, challenger: Challenger) -> list[Step]:
    """Return the steps of the trial that is on, as the pointer's history tells them, without what was answered."""
    shares = {challenger.step_at: challenger.share}
    for generation in range(current.generation - 1, 0, -1):
        entry = pointer.read_history(store, generation)
        before = entry.challenger if entry else None
        if before is None or (before.target, before.began_at) != (challenger.target, challenger.began_at):
            break
        shares[before.step_at] = before.share
    begun = sorted((datetime.fromisoformat(at), share) for at, share in shares.items())
    ends = [*(since for since, _ in begun[1:]), None]
    return [Step(since, until, share) for (since, share), until in zip(begun, ends, strict=True)]


def read_reports(store: ObjectStore, since: str, champion: Model, challenger: Model) -> list[Report]:
    """Return the reports that were received since the moment, written as in a record; oldest first."""
    corrections = collect(store, snapshot=None).corrections
    return reports_of((entry for entry in corrections if entry.received_at >= since), champion, challenger)


def reports_of(corrections: Iterable[Correction], champion: Model, challenger: Model) -> list[Report]:
    """Hold corrections against what both models say; of what one contributor says of one text the latest counts."""
    latest = {
        (entry.contributor, text_key(entry.text)): entry for entry in corrections if entry.source in (USER, REVIEWER)
    }
    texts = [entry.text for entry in latest.values()]
    said = zip(_labels(champion, texts), _labels(challenger, texts), strict=True)
    return [
        Report(
            contributor=contributor,
            text=text,
            at=datetime.fromisoformat(entry.received_at),
            trusted=entry.source == REVIEWER,
            by_challenger=_answered_by_challenger(entry, {champion.version: old, challenger.version: new}),
            champion_right=old == entry.correct_label,
            challenger_right=new == entry.correct_label,
        )
        for ((contributor, text), entry), (old, new) in zip(latest.items(), said, strict=True)
    ]


def _counted(reports: Iterable[Report], steps: Sequence[Step]) -> Iterator[tuple[Report, Bounds]]:
    """Yield what tells the versions apart, with bounds of the probability that it speaks against the challenger."""
    texts: set[str] = set()
    contributors: set[str] = set()
    for report in reports:
        if report.champion_right == report.challenger_right or report.text in texts:
            continue
        if report.trusted:
            bounds: Bounds | None = (FAIR, FAIR)
        else:
            bounds = None if report.contributor in contributors else _bounds_for_user(report, steps)
            if bounds:
                contributors.add(report.contributor)
        if bounds:
            texts.add(report.text)
            yield report, bounds


def _bounds_for_user(report: Report, steps: Sequence[Step]) -> Bounds | None:
    """Return the bounds for a user's report, or None for one that tells nothing: no version is named, or in shadow."""
    if report.by_challenger is None:
        return None
    earliest = report.at - REPORT_DELAY  # that the answer may have been given
    in_force = [step for step in steps if step.since <= report.at and (step.until is None or earliest < step.until)]
    if not any(step.share for step in in_force):
        return None
    shares = [share for step in in_force for share in step.shares()]
    if earliest < steps[0].since:
        shares.append(0.0)
    is_mistake = report.by_challenger == report.champion_right
    return (min(shares), max(shares)) if is_mistake else (1 - max(shares), 1 - min(shares))


def _answered_by_challenger(entry: Correction, said: dict[str, str]) -> bool | None:
    """Return which version answered; `said` has what each says of the text, the champion first.

    A report that does not fit what the version says is about another text, or made up.
    """
    label = said.get(entry.model_version or "")
    if label is None or entry.predicted_label not in (None, label):
        return None
    return entry.model_version != next(iter(said))


def _labels(model: Model, texts: Sequence[str]) -> list[str]:
    return [model.labels[number] for number in BulkScorer(model).probabilities(texts).argmax(axis=1)]


def _tallies(counts: Counter[tuple[float, bool]]) -> tuple[Tally, ...]:
    probabilities = sorted({probability for probability, _ in counts})
    return tuple(
        Tally(probability, counts[probability, True], counts[probability, True] + counts[probability, False])
        for probability in probabilities
    )
