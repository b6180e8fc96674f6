"""Which corrections wait in quarantine until somebody has looked: what floods, repeats itself, or flips a name.

Everything is judged by a fixed reference model, not by the champion, so that the same corrections are screened alike
before and after a promotion. Most honest corrections contradict the reference too, for people report mistakes; but the
reference is seldom sure of its mistakes. Being contradicted again and again where it is sure gives an attack away.
The measure is the reference's surprise about a row that it disagrees with, -ln(probability of the row's label).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import poisson
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sentiloop.records import REVIEWER, Correction
from sentiloop.settings import Settings

from retrain.merge import text_key
from retrain.near_duplicates import Words, near_duplicate_groups, read_words

LEAST_PROBABILITY = 0.02  # a lower one counts as this, so that no single row decides
HONEST_MEAN, HONEST_DEVIATION = 1.6, 0.75  # of the surprise about honest reports; docs/security.md has the measurements
SUSPICIOUS_MEAN = 2.1  # labels of a probability around an eighth; a domain may be harder, but not as hard as that
LEAST_DISAGREEMENTS = 5
DEVIATIONS_OF_CONTRIBUTOR = 3.0  # standard errors above the honest mean
DEVIATIONS_OF_WORD = 4.0  # there are more words than contributors to be unlucky with
BURST_DAYS = (1, 7)  # lengths of the periods that are compared with those before
BURST_LEVEL = 1e-6  # probability of so many rows at the rate of the periods before; it takes ten in the first
KEPT_NEAR_DUPLICATES = 3  # of one contributor and label

CONTRADICTS = "its contributor contradicts sure predictions more than mistakes explain"
BURST = "part of a burst about one rare word that contradicts sure predictions"
REPEATS = "near-duplicate of other corrections of its contributor"
FLOOD = "beyond what one contributor may bring in a day"

Mask = NDArray[np.bool_]


def screen(corrections: Sequence[Correction], reference: Model, settings: Settings) -> dict[str, str]:
    """Return, by correction id, why a correction goes to quarantine.

    It is a pure function; the order of the corrections makes no difference. Reviewers are trusted. Where several
    reasons hold, the first of CONTRADICTS, BURST, REPEATS and FLOOD is given.

    Args:
        corrections: all of them, those of earlier runs included.
        reference: the model that has to be contradicted; it has no opinion on labels that it does not know.
        settings: gives contributor_max_rows_per_day.
    """
    rows = _table(corrections)
    if rows.empty:
        return {}
    said = rows.drop_duplicates("said").reset_index(drop=True)  # to say it again says nothing new
    said["surprise"] = _surprise(said, reference)
    words = read_words(said["text"].tolist())
    for reason, mask in (
        (CONTRADICTS, _contradicting(said)),
        (BURST, _bursts(said, words, reference)),
        (REPEATS, _beyond_kept_near_duplicates(said, words)),
    ):
        _mark(rows, rows["said"].isin(said["said"][mask]), reason)
    of_the_day = rows.groupby(["contributor", "day"]).cumcount()
    _mark(rows, of_the_day >= settings.contributor_max_rows_per_day, FLOOD)
    found = rows[rows["reason"].notna()]
    return dict(zip(found["id"], found["reason"], strict=True))


def _table(corrections: Sequence[Correction]) -> pd.DataFrame:
    """Return what is screened, oldest first; `said` numbers what one contributor says of one text."""
    ordered = sorted(corrections, key=lambda entry: (entry.received_at, entry.id))
    screened = [entry for entry in ordered if entry.source != REVIEWER]
    rows = pd.DataFrame(
        {
            "id": [entry.id for entry in screened],
            "day": [entry.received_at[:10] for entry in screened],
            "contributor": [entry.contributor for entry in screened],
            "label": [entry.correct_label for entry in screened],
            "text": [entry.text for entry in screened],
            "key": [text_key(entry.text) for entry in screened],
            "reason": None,
        },
        dtype="object",
    )
    return rows.assign(said=rows.groupby(["contributor", "label", "key"], sort=False).ngroup())


def _surprise(said: pd.DataFrame, reference: Model) -> NDArray[np.float64]:
    """Return the surprise about each row, in nats; NaN where the reference agrees or has no opinion."""
    labels = pd.Index(reference.labels).get_indexer(pd.Index(said["label"]))
    probabilities = BulkScorer(reference).probabilities(said["text"].tolist())
    of_label = probabilities[np.arange(len(labels)), labels]
    disagrees = (labels >= 0) & (probabilities.argmax(axis=1) != labels)
    return np.where(disagrees, -np.log(np.maximum(of_label, LEAST_PROBABILITY)), np.nan)


def _suspicious(count: "pd.Series[int]", mean: "pd.Series[float]", deviations: float) -> "pd.Series[bool]":
    """Return where so many disagreements are more surprising on average than honest mistakes are by chance."""
    chance = HONEST_MEAN + deviations * HONEST_DEVIATION / np.sqrt(count.clip(lower=1))
    return (count >= LEAST_DISAGREEMENTS) & (mean >= chance) & (mean >= SUSPICIOUS_MEAN)


def _contradicting(said: pd.DataFrame) -> Mask:
    """Return all rows of those contributors and labels that surprise too much.

    A row does not count where somebody else vouches for it by saying the same, unless he is suspicious himself.
    """

    def suspicious(surprise: "pd.Series[float]") -> "pd.Series[bool]":
        groups = surprise.groupby([said["contributor"], said["label"]], sort=False)
        return _suspicious(groups.transform("count"), groups.transform("mean"), DEVIATIONS_OF_CONTRIBUTOR)

    at_first = suspicious(said["surprise"])
    vouched = (~at_first).groupby([said["key"], said["label"]], sort=False).transform("any")
    return suspicious(said["surprise"].mask(at_first & vouched)).to_numpy()


def _bursts(said: pd.DataFrame, words: Words, reference: Model) -> Mask:
    """Return the rows of bursts, whoever sent them: of one word and label far more in a day or a week than before.

    Only words count that are not frequent in the reference's language, such as names.
    """
    cell = ["label", "word", "period"]
    mentions = _rare_words(words, reference)
    mentions["label"] = said["label"].astype("category").cat.codes.to_numpy()[mentions["row"]]
    mentions["surprise"] = said["surprise"].to_numpy(np.float32)[mentions["row"]]
    days = said["day"].to_numpy("datetime64[D]").astype(np.int32)
    burst = np.zeros(len(said), bool)
    for length in BURST_DAYS:
        mentions["period"] = ((days - days[0]) // length)[mentions["row"]]
        cells = mentions.groupby(cell)["surprise"].agg(["size", "count", "mean"]).reset_index()
        cells["suspicious"] = _suspicious(cells["count"], cells["mean"], DEVIATIONS_OF_WORD)
        history = cells[cells.groupby(["label", "word"])["suspicious"].transform("any")]
        found = history[_too_many(history)]
        burst[mentions.merge(found[cell], on=cell)["row"]] = True
    return burst


def _too_many(history: pd.DataFrame) -> Mask:
    """Return in which periods a word has too many rows, at the rate of those before; former bursts do not count."""
    found = np.zeros(len(history), bool)
    before, last = 0, None
    columns = zip(*(history[name] for name in ("label", "word", "period", "size", "suspicious")), strict=True)
    for number, (label, word, period, size, suspicious) in enumerate(columns):
        before, last = (before if last == (label, word) else 0), (label, word)
        found[number] = suspicious and poisson.sf(size - 1, (before + 1) / (period + 1)) < BURST_LEVEL
        before += 0 if found[number] else size
    return found


def _rare_words(words: Words, reference: Model) -> pd.DataFrame:
    """Return which rows have which words that the reference hardly knows, each once."""
    rare = np.array([word not in reference.frequent_words for word in words.names], bool)
    row = np.repeat(np.arange(len(words.lengths), dtype=np.int32), words.lengths)
    at = rare[words.numbers]
    return pd.DataFrame({"row": row[at], "word": words.numbers[at]}).drop_duplicates(ignore_index=True)


def _beyond_kept_near_duplicates(said: pd.DataFrame, words: Words) -> Mask:
    scopes = said.groupby(["contributor", "label"], sort=False).ngroup().to_numpy().astype(np.int64)
    groups = near_duplicate_groups(words, scopes)
    return np.asarray(pd.Series(groups).groupby(groups).cumcount() >= KEPT_NEAR_DUPLICATES)


def _mark(rows: pd.DataFrame, where: "pd.Series[bool]", reason: str) -> None:
    """Give the reason to the rows that have none yet."""
    rows.loc[where & rows["reason"].isna(), "reason"] = reason
