"""How sure the data behind a model is of each of its weights."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain import certainty
from retrain.pipeline import BucketCounts
from retrain.terms import coefficients_of
from sentiloop.bundled import baseline
from sentiloop.errors import ArtefactError

from tests.adaptations import base_table, small_anchor

CERTAINTIES = st.lists(st.floats(certainty.LEAST, 2.0**15), min_size=1, max_size=20)


@given(CERTAINTIES)
def test_what_is_kept_is_read_again_within_an_eighth_of_a_power_of_two(values: list[float]) -> None:
    found = certainty.load(certainty.dump(np.array(values)), len(values) - 1)
    assert np.abs(np.log2(found / values)).max() <= 0.5 / certainty.STEPS + 1e-9


@given(st.lists(st.floats(0, 2.0**20), min_size=1, max_size=20))
def test_what_was_read_is_written_as_it_was(values: list[float]) -> None:
    body = certainty.dump(np.array(values))
    found = certainty.load(body, len(values) - 1)
    assert certainty.dump(found) == body
    assert (found >= 0).all()


def test_next_to_nothing_is_nothing_and_more_than_fits_is_the_most_there_is() -> None:
    none, most, more = certainty.load(certainty.dump(np.array([certainty.LEAST / 2, 2.0**16, 1e300])), 2)
    assert none == 0
    assert most <= more < 2.0**17


def test_a_file_of_another_width_is_refused() -> None:
    with pytest.raises(ArtefactError, match="3 numbers for 4 buckets"):
        certainty.load(certainty.dump(np.ones(3)), 4)


def test_the_bundled_file_fits_the_bundled_baseline() -> None:
    found = certainty.bundled(baseline().width)
    values = coefficients_of(baseline())[0].values_
    assert len(found) == baseline().width + 1
    assert found[-1] == found.max(), "every row says something of the intercept"
    assert not found[:-1][values == 0].any(), "of what never occurred nothing is known"
    known = BucketCounts(baseline().width).transform(["good bad the movie"]).indices
    assert np.median(found[known]) > 1


def test_it_is_the_curvature_of_the_log_loss() -> None:
    """The second derivative of the loss in a weight, by finite differences, averaged over the labels."""
    anchor = small_anchor().model
    texts = base_table()["text"].tolist()[:40]
    weights = np.linspace(0.5, 2.0, len(texts))
    found = certainty.certainty_of(anchor, texts, weights)
    terms, (coefficients, intercepts) = coefficients_of(anchor)
    rows = terms.transform(BucketCounts(anchor.width).transform(texts))
    most = np.argsort(found[:-1])[-5:]

    def log_total(label: int, bucket: int | None, step: float) -> float:
        logits = rows @ coefficients.T + intercepts
        moved = np.ones(len(texts)) if bucket is None else rows[:, [bucket]].toarray()[:, 0]
        logits[:, label] += step * moved
        return float(weights @ np.log(np.exp(logits).sum(axis=1)))

    step = 1e-3
    for bucket in (None, *most):
        curvatures = [
            (log_total(label, bucket, step) - 2 * log_total(label, bucket, 0) + log_total(label, bucket, -step))
            / step**2
            for label in range(3)
        ]
        assert found[-1 if bucket is None else bucket] == pytest.approx(np.mean(curvatures), rel=1e-3)


def test_it_does_not_depend_on_how_many_rows_are_looked_at_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = base_table()["text"].tolist()
    at_once = certainty.certainty_of(small_anchor().model, texts, np.ones(len(texts)))
    monkeypatch.setattr(certainty, "BLOCK", 7)
    assert certainty.certainty_of(small_anchor().model, texts, np.ones(len(texts))) == pytest.approx(at_once)


def test_equal_certainties_have_equal_bytes() -> None:
    body = certainty.dump(np.arange(5.0))
    assert body == certainty.dump(np.arange(5.0))
    assert len(gzip.decompress(body)) == 5
