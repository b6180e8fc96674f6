"""`./sentiloop review` as a person uses it: answers come by the standard input, one a line."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sentiloop import artefact, registry
from sentiloop.records import Correction, now, to_lines
from sentiloop.s3 import S3Store

from infra.cli.__main__ import main
from infra.cli.review import printable, understood
from infra.local.attach import attach
from tests.builders import LABELS, ROOT, BuiltModel, make_sample

TEXTS = ["a cloudy afternoon", "they painted it green", "who ordered the second pot"]
Review = Callable[..., str]


@pytest.fixture
def samples(store: S3Store) -> list[str]:
    """Three samples, asked about in the order of their texts, each predicted as neutral."""
    return keep(store, *TEXTS)


def keep(store: S3Store, *texts: str) -> list[str]:
    gaps = [0.01 * number for number in range(len(texts))]
    kept = [
        make_sample(number, text=text, probabilities={"neutral": 0.4, "positive": 0.4 - gap, "negative": 0.2 + gap})
        for number, (text, gap) in enumerate(zip(texts, gaps, strict=True))
    ]
    day = now().date().isoformat()
    store.put(f"samples/dt={day}/{kept[0].id}.jsonl", to_lines(kept), if_absent=True)
    return [f"{day}.{kept[0].id}.{sample.id}" for sample in kept]


@pytest.fixture
def review(store: S3Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Review:
    """Run the command with lines to read, and return what it prints."""
    monkeypatch.setenv("SENTILOOP_BUCKET", store.bucket)
    monkeypatch.setenv("SENTILOOP_CONTRIBUTOR_KEY", "a key for tests")

    def run(lines: str, *arguments: str, status: int = 0) -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        assert main(["review", *arguments]) == status
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run


def labels(store: S3Store) -> dict[str, str]:
    """The labels given so far, the latest of each text."""
    stored = [Correction.from_line(store.get(key).body) for key in store.keys("feedback/")]
    assert all(correction.source == "reviewer" for correction in stored)
    return {
        correction.text: correction.correct_label for correction in sorted(stored, key=lambda each: each.received_at)
    }


def test_enter_accepts_a_number_or_a_name_corrects_and_s_skips(
    review: Review, store: S3Store, samples: list[str]
) -> None:
    said = review("\n3\ns\n")
    assert labels(store) == {TEXTS[0]: "neutral", TEXTS[1]: "positive"}
    assert "1 accepted, 1 corrected, 1 skipped; 0 left." in said
    assert "make retrain" in said
    for text in TEXTS:
        assert f"| {text}" in said


def test_it_shows_the_prediction_and_why_it_asks(review: Review, samples: list[str]) -> None:
    said = review("q\n")
    assert "3 left | neutral 0.40, positive 0.40, negative 0.20 | v-test" in said
    assert "Doubtful: neutral and positive are 0.00 apart." in said
    assert "Enter neutral | 1 negative  2 neutral  3 positive | s skip  u undo  q quit" in said
    assert "0 accepted, 0 corrected, 0 skipped; 3 left." in said
    assert "make retrain" not in said


def test_between_two_versions_that_disagree_nothing_is_proposed(review: Review, store: S3Store) -> None:
    disputed = make_sample(1, text="who knows", label="neutral", other={"version": "v9", "label": "positive"})
    store.put(f"samples/dt={now().date().isoformat()}/{disputed.id}.jsonl", to_lines([disputed]), if_absent=True)
    printed = review("\n2\n")
    assert "Two versions disagree: neutral or positive?" in printed
    assert "Not understood." in printed, "Enter accepts nothing here"
    assert not {"Enter", "v9", disputed.model_version} & set(printed.split())
    assert labels(store) == {"who knows": "neutral"}


def test_it_ends_with_what_the_next_retrain_could_prove(
    review: Review, store: S3Store, samples: list[str], tiny_model: BuiltModel
) -> None:
    version = tiny_model.model.version
    target = registry.publish(store, version, tiny_model.manifest, {artefact.WEIGHTS: tiny_model.weights})
    registry.promote(store, target, by="test", reason="for a test")
    for lines, told in (("\n3\nq\n", "2 labels"), ("s\n", "2 labels"), ("", "2 labels")):
        last = review(lines).splitlines()[-1]
        assert last.startswith(f"{told} since {version} was made, 1 of them a correction; with 28 more, ")


def test_without_a_served_version_it_ends_with_what_was_done(review: Review, samples: list[str]) -> None:
    assert review("\n\n\n").splitlines()[-1].startswith("3 accepted, 0 corrected, 0 skipped; 0 left.")


def test_what_was_answered_is_not_asked_again(review: Review, store: S3Store, samples: list[str]) -> None:
    assert "2 left" in review("a\n", "--limit", "1")
    said = review("NEGATIVE\nq\n")
    assert TEXTS[0] not in said
    assert labels(store) == {TEXTS[0]: "neutral", TEXTS[1]: "negative"}


def test_the_end_of_the_input_quits(review: Review, store: S3Store, samples: list[str]) -> None:
    assert "1 accepted, 0 corrected, 0 skipped; 2 left." in review("\n")
    assert len(labels(store)) == 1


def test_what_is_not_understood_is_asked_again(review: Review, store: S3Store, samples: list[str]) -> None:
    assert review("4\nsplendid\n1\nq\n").count("Not understood.") == 2
    assert labels(store) == {TEXTS[0]: "negative"}


def test_an_answer_can_be_undone_and_given_anew(review: Review, store: S3Store, samples: list[str]) -> None:
    said = review("1\ns\nu\nu\n3\n\nq\n")
    assert labels(store) == {TEXTS[0]: "positive", TEXTS[1]: "neutral"}
    assert "1 accepted, 1 corrected, 0 skipped; 1 left." in said


def test_there_is_nothing_to_undo_at_first(review: Review, store: S3Store, samples: list[str]) -> None:
    assert "Nothing to undo." in review("u\n1\n")
    assert labels(store) == {TEXTS[0]: "negative"}


def test_what_cannot_be_stored_is_said_and_the_rest_goes_on(review: Review, store: S3Store, samples: list[str]) -> None:
    said = review("1\nu\ns\n\n")
    assert "Not stored: it was given a label, which can be replaced but not taken back." in said
    assert labels(store) == {TEXTS[0]: "negative", TEXTS[1]: "neutral"}


def test_where_nothing_waits_it_says_so(review: Review, samples: list[str]) -> None:
    review("s\n" * len(samples))
    assert review("") == "No text waits for a label.\n"


def test_near_equal_texts_are_asked_once(review: Review, store: S3Store) -> None:
    keep(store, *(f"the parcel number {number} has arrived here at last" for number in range(50)))
    said = review("\n\n\n")
    assert said.count("Enter neutral") == 1
    assert "Stands for 49 more like it." in said
    assert len(labels(store)) == 1


def test_with_more_than_a_page_it_goes_on(review: Review, store: S3Store) -> None:
    words = [f"{first}{second}" for first in "abcde" for second in "vwxyz"]
    keep(store, *words)
    assert "25 accepted" in review("\n" * 30)
    assert labels(store).keys() == set(words)


def test_a_reviewer_has_a_name_that_is_stored_as_a_hash(review: Review, store: S3Store, samples: list[str]) -> None:
    review("1\n", "--reviewer", "Ada", "--limit", "1")
    review("1\n", "--limit", "1")
    bodies = [store.get(key).body for key in store.keys("feedback/")]
    assert len({Correction.from_line(body).contributor for body in bodies}) == 2
    assert b"Ada" not in b"".join(bodies)


def test_a_text_cannot_write_to_the_terminal(review: Review, store: S3Store) -> None:
    keep(store, "\x1b]0;owned\x07\x1b[2J\r\u202edoog\nEnter positive\x9b31m 🎉 naïve")
    said = review("q\n")
    assert not set("\x1b\x07\r\x9b\u202e") & set(said)
    assert "  | \\x1b]0;owned\\x07\\x1b[2J\\r\\u202edoog\n  | Enter positive\\x9b31m 🎉 naïve" in said


def test_printable_leaves_what_people_write_as_it_is() -> None:
    assert printable("Grüße, 中文 🎉!") == "Grüße, 中文 🎉!"


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("", ("accept", None)),
        ("A", ("accept", None)),
        ("neutral", ("accept", None)),
        ("2", ("accept", None)),
        ("Positive", ("correct", "positive")),
        ("1", ("correct", "negative")),
        ("S", ("skip", None)),
        ("u", ("undo", None)),
        ("q", ("quit", None)),
        ("0", None),
        ("01", None),
        ("pos", None),
    ],
)
def test_what_a_reply_means(word: str, meaning: object) -> None:
    assert understood(word, "neutral", LABELS) == meaning


def test_without_a_bucket_it_says_what_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.local.attach.attach", partial(attach, tmp_path))
    assert main(["review"]) == 2
    assert "No `make up` is running." in capsys.readouterr().err


def test_without_the_contributor_key_it_says_where_it_is(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SENTILOOP_BUCKET", store.bucket)
    assert main(["review"]) == 2
    assert "the stack's secret ContributorKey" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_wrong_limit_is_refused(limit: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["review", "--limit", limit])
    assert ended.value.code == 2


def test_the_command_is_there() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "infra.cli", "review", "--help"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "layers" / "model")))},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "--reviewer" in done.stdout
