"""How many labels are wrong: confident learning (Northcutt et al., 2021), by cleanlab, on cross-validated predictions.

A report for the run record. No row is removed because of it.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from cleanlab.count import estimate_joint  # type: ignore[import-untyped]
from cleanlab.filter import find_label_issues  # type: ignore[import-untyped]
from numpy.typing import NDArray
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from retrain.snapshot import FEEDBACK_SOURCE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_ROWS = 2_000
FOLDS = 5
LEAST_ROWS, LEAST_LABELS = 50, 2  # of a source; fewer say nothing
RESAMPLES = 200
INTERVAL = (0.025, 0.975)
SUSPICIOUS = 20


def estimate_noise(rows: pd.DataFrame, prior: Model | None = None) -> dict[str, Any]:
    """Return what share of the labels is estimated to be wrong, by source, and the most suspicious rows.

    Args:
        rows: key, text, label and source; of more than 2,000 that many are drawn by hash, feedback first.
        prior: a model that was not trained on the rows; it sharpens the estimate. Of rows that it was trained on, the
            estimate is too low.

    Returns:
        `sources`: by source `rows`, the number looked at, `estimated_share` and its 95 % bootstrap `interval`; sources
        of less than 50 rows or one label only are left out. `suspicious`: up to 20 rows, the most suspicious first,
        with the digest of the text's key, source, given and suggested label, and the given one's probability. No text.
    """
    rows = _sample(rows)
    if len(rows) < LEAST_ROWS or rows["label"].nunique() < LEAST_LABELS:
        return {"sources": {}, "suspicious": []}
    labels = np.unique(rows["label"].to_numpy(str))
    probabilities = _out_of_sample(rows, prior)
    sources, suspicious = {}, []
    for source, at in sorted(rows.groupby("source").indices.items()):
        used = np.isin(labels, rows["label"].iloc[at].to_numpy(str))
        if len(at) < LEAST_ROWS or used.sum() < LEAST_LABELS:
            continue
        given = np.searchsorted(labels[used], rows["label"].iloc[at].to_numpy(str))
        beliefs = probabilities[at][:, used]
        beliefs /= beliefs.sum(axis=1, keepdims=True)
        sources[source] = {"rows": len(at), **_share_with_interval(given, beliefs)}
        suspicious += _suspicious(rows.iloc[at], given, beliefs, labels[used].tolist())
    ranked = sorted(suspicious, key=lambda found: (found["probability"], found["key"]))
    return {"sources": sources, "suspicious": ranked[:SUSPICIOUS]}


def _sample(rows: pd.DataFrame) -> pd.DataFrame:
    """Return at most 2,000 rows of different texts, feedback before base data, in an order set by their keys alone."""
    found = rows.assign(digest=rows["key"].map(_digest), base=rows["source"] != FEEDBACK_SOURCE)
    found = found.sort_values(["base", "digest", "source"], kind="stable").drop_duplicates("digest").head(MOST_ROWS)
    return found[found.groupby("label")["label"].transform("size") >= FOLDS].reset_index(drop=True)


def _digest(key: str) -> str:
    return sha256(b"noise " + key.encode()).hexdigest()[:16]


def _out_of_sample(rows: pd.DataFrame, prior: Model | None) -> Floats:
    """Return n x K probabilities, labels in sorted order, by models that were not trained on the row.

    A small model is enough: TF-IDF values and, where there is a prior, what it says.
    """
    texts = rows["text"].tolist()
    features = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform(texts)
    if prior:
        features = sp.hstack([features, sp.csr_matrix(BulkScorer(prior).logits(texts))], format="csr")
    model = LogisticRegression(max_iter=1000)
    with threadpool_limits(limits=1):
        found = cross_val_predict(
            model, features, rows["label"], cv=StratifiedKFold(FOLDS), method="predict_proba", n_jobs=1
        )
    return np.asarray(found)


def _share_with_interval(given: Ints, beliefs: Floats) -> dict[str, Any]:
    """Return the estimated share of wrong labels, and what it varies between when rows are drawn anew."""
    dice = np.random.default_rng(0)
    drawn = [dice.integers(len(given), size=len(given)) for _ in range(RESAMPLES)]
    interval = np.quantile([_wrong_share(given[rows], beliefs[rows]) for rows in drawn], INTERVAL)
    return {
        "estimated_share": round(_wrong_share(given, beliefs), 4),
        "interval": [round(float(bound), 4) for bound in interval],
    }


def _wrong_share(given: Ints, beliefs: Floats) -> float:
    return 1 - float(np.trace(estimate_joint(given, beliefs)))


def _suspicious(rows: pd.DataFrame, given: Ints, beliefs: Floats, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows whose labels are likely wrong."""
    ranked = find_label_issues(given, beliefs, return_indices_ranked_by="normalized_margin", n_jobs=1)[:SUSPICIOUS]
    return [
        {
            "key": rows["digest"].iloc[number],
            "source": rows["source"].iloc[number],
            "given": labels[given[number]],
            "suggested": labels[beliefs[number].argmax()],
            "probability": round(float(beliefs[number, given[number]]), 4),
        }
        for number in ranked
    ]
