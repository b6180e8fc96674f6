"""Which samples a reviewer is asked about, and in which order: where a label helps most comes first, near-equals once.

Doubt is measured by the margin between the two highest probabilities: a label decides between these two, while entropy
also grows with doubt about a label that is not in question. A text on which two versions disagree counts as fully
doubtful: its label decides between them. Order alone would fill a page with variants of one doubtful sentence; so
near-equal texts form a group that is asked once, and the page is chosen by maximal marginal relevance (Carbonell and
Goldstein, 1998): doubt, less the likeness to what is on the page already.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import pairwise

from sentiloop.features import normalise, tokenise
from sentiloop.records import BY_CHANCE, Sample

CHANCE_EVERY = 5  # each so many-th question is about a sample kept by chance: confident mistakes are seen nowhere else
DOUBT_SHARE = 0.7  # weight of doubt beside that of diversity
NEAR_EQUAL = (2, 3)  # least Jaccard similarity of near-equals: one word of eight may differ
LONGEST = 50  # words that count, from the start: a bound on the work that a hostile sample makes
_NUMBER = re.compile(r"\d+")

Shingles = frozenset[str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sample that may be asked about; one that was decided on answers for its near-equals as well."""

    id: str
    sample: Sample
    decided: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask a reviewer: a sample, how many near-equal samples it stands for, and why it is asked."""

    id: str
    sample: Sample
    similar: int
    why: str


@dataclass(slots=True)
class _Group:
    leader: Candidate
    shingles: Shingles
    similar: int = 0


def questions(candidates: Iterable[Candidate], limit: int) -> tuple[list[Question], int]:
    """Return the next questions, at most `limit`, and how many groups wait for an answer, these included."""
    groups = [group for group in _grouped(candidates) if not group.leader.decided]
    return [_question(group) for group in _page(groups, limit)], len(groups)


def margin(sample: Sample) -> float:
    """Return the distance between the two highest probabilities; 0 where two versions disagree."""
    if sample.other:
        return 0.0
    first, second = [*nlargest(2, sample.probabilities.values()), 0.0, 0.0][:2]
    return first - second


def shingles(text: str) -> Shingles:
    """Return the words of a text and its pairs of neighbours, with all numbers alike."""
    words = [_NUMBER.sub("0", word) for word in tokenise(text)[:LONGEST]]
    if not words:
        return frozenset([normalise(text).strip()])
    return frozenset([*words, *map(" ".join, pairwise(words))])


def similarity(one: Shingles, other: Shingles) -> float:
    """Return the Jaccard similarity: the share of all shingles that both have."""
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def _grouped(candidates: Iterable[Candidate]) -> list[_Group]:
    """Let each candidate join the first group whose leader it nearly equals; the decided and the doubtful lead.

    Two sets of such a similarity share one of the rarest shingles of each, so only these need looking up (the prefix
    filter of Chaudhuri, Ganti and Kaushik, 2006). The result is that of comparing all pairs.
    """
    in_order = sorted(candidates, key=lambda each: (not each.decided, margin(each.sample), each.id))
    sets = [shingles(each.sample.text) for each in in_order]
    frequency = Counter(shingle for each in sets for shingle in each)
    groups: list[_Group] = []
    led_by: dict[str, list[int]] = defaultdict(list)
    for candidate, own in zip(in_order, sets, strict=True):
        rarest = sorted(own, key=lambda shingle: (frequency[shingle], shingle))[: _prefix(len(own))]
        near = sorted({number for shingle in rarest for number in led_by.get(shingle, ())})
        group = next((groups[number] for number in near if _near_equal(groups[number].shingles, own)), None)
        if group is not None:
            group.similar += 1
            continue
        for shingle in rarest:
            led_by[shingle].append(len(groups))
        groups.append(_Group(candidate, own))
    return groups


def _prefix(size: int) -> int:
    least, of = NEAR_EQUAL
    return size - -(-least * size // of) + 1


def _near_equal(one: Shingles, other: Shingles) -> bool:
    common = len(one & other)
    least, of = NEAR_EQUAL
    return of * common >= least * (len(one) + len(other) - common)


def _page(groups: Sequence[_Group], limit: int) -> list[_Group]:
    chance = [group for group in groups if group.leader.sample.reason == BY_CHANCE]
    chance.sort(key=lambda group: group.leader.id)  # ids are random, and so is their order
    doubtful = {group.leader.id: group for group in groups if group.leader.sample.reason != BY_CHANCE}
    likeness = dict.fromkeys(doubtful, 0.0)
    page: list[_Group] = []
    while len(page) < limit and (chance or doubtful):
        if chance and (not doubtful or len(page) % CHANCE_EVERY == CHANCE_EVERY - 1):
            page.append(chance.pop(0))
        else:
            best = min(doubtful, key=lambda each: (-_relevance(doubtful[each], likeness[each]), each))
            page.append(doubtful.pop(best))
        for each, group in doubtful.items():
            likeness[each] = max(likeness[each], similarity(group.shingles, page[-1].shingles))
    return page


def _relevance(group: _Group, likeness: float) -> float:
    return DOUBT_SHARE * (1 - margin(group.leader.sample)) - (1 - DOUBT_SHARE) * likeness


def _question(group: _Group) -> Question:
    candidate = group.leader
    return Question(candidate.id, candidate.sample, group.similar, _why(candidate.sample))


def _why(sample: Sample) -> str:
    if sample.other:  # in one order whoever answered, so that the reviewer favours neither
        labels = sorted((sample.label, str(sample.other["label"])))
        return f"Two versions disagree: {' or '.join(labels)}?"
    if sample.reason == BY_CHANCE:
        return "Kept by chance, to see how good the answers are."
    likely = nlargest(2, sample.probabilities, key=sample.probabilities.__getitem__)
    return f"Doubtful: {' and '.join(likely)} are {margin(sample):.2f} apart."
