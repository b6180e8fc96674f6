"""The predict function, event in, answer out."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from sentiloop import artefact
from sentiloop.bundled import baseline
from sentiloop.pointer import Pointer
from sentiloop.records import Sample
from sentiloop.s3 import S3Store
from sentiloop.scoring import Scorer, softmax
from sentiloop.storage import ObjectStore

from tests.api.conftest import Function, MakeFunction
from tests.builders import LABELS, BuiltModel, make_model
from tests.events import Answer, get, post
from tests.faults.faulty_store import Fault, FaultyStore, down

TEXT = "The staff were lovely, and the room was not clean!"


def predict_one(function: Function, text: object = TEXT, **query: str) -> Answer:
    return function(post("/v1/predict", {"text": text}, query=query or None))


def predict_many(function: Function, texts: list[Any]) -> Answer:
    return function(post("/v1/predict/batch", {"texts": texts}))


def samples(store: ObjectStore) -> list[list[Sample]]:
    """All stored samples, object by object."""
    bodies = [store.get(key).body for key in store.keys("samples/")]
    return [[Sample.from_line(line) for line in body.splitlines()] for body in bodies]


class TestOneText:
    def test_the_answer_has_the_fields_of_the_contract_and_no_others(self, predict: Function) -> None:
        answer = predict_one(predict)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.body) == {"label", "confidence", "probabilities", "model_version", "prediction_id"}

    def test_it_is_what_the_scorer_says(self, predict: Function) -> None:
        expected = Scorer(baseline()).score(TEXT)
        body = predict_one(predict).body
        assert (body["label"], body["confidence"]) == (expected.label, expected.confidence)
        assert body["probabilities"] == dict(zip(baseline().labels, expected.probabilities, strict=True))
        assert body["model_version"] == baseline().version

    @pytest.mark.parametrize("text", [TEXT, "é", "?", "🎉", "\x00", "a" * 10_000, "not " * 2_500, "nul\x00 byte"])
    def test_the_probabilities_of_all_labels_sum_to_one(self, predict: Function, text: str) -> None:
        body = predict_one(predict, text).body
        assert set(body["probabilities"]) == set(LABELS)
        assert math.isclose(sum(body["probabilities"].values()), 1.0, abs_tol=1e-12)
        assert body["confidence"] == max(body["probabilities"].values()) == body["probabilities"][body["label"]]

    def test_every_prediction_has_an_id_of_its_own(self, predict: Function) -> None:
        ids = {predict_one(predict).body["prediction_id"] for _ in range(20)}
        assert len(ids) == 20

    def test_a_promoted_version_answers(
        self, predict: Function, promote: Callable[[BuiltModel], Pointer], tiny_model: BuiltModel
    ) -> None:
        promote(tiny_model)
        body = predict_one(predict).body
        assert body["model_version"] == tiny_model.model.version
        assert body["label"] == Scorer(tiny_model.model).score(TEXT).label

    def test_the_labels_are_those_of_the_model(
        self, predict: Function, promote: Callable[[BuiltModel], Pointer]
    ) -> None:
        promote(make_model(labels=("cold", "warm", "hot", "too hot")))
        assert set(predict_one(predict).body["probabilities"]) == {"cold", "warm", "hot", "too hot"}

    def test_ten_thousand_characters_are_the_limit(self, predict: Function) -> None:
        assert predict_one(predict, "é" * 10_000).status == 200
        answer = predict_one(predict, "é" * 10_001)
        assert answer.status == 422
        assert answer.body["error"]["message"] == "text: 10001 characters, the limit is 10000"


class TestExplanation:
    def test_contributions_add_up_to_the_logits_and_these_to_the_probabilities(self, predict: Function) -> None:
        body = predict_one(predict, explain="true").body
        terms, logits = body["explanation"]["terms"], body["explanation"]["logits"]
        for label in LABELS:
            total = math.fsum(term["contributions"][label] for term in terms)
            assert math.isclose(total, logits[label], abs_tol=1e-9)
        assert body["probabilities"] == dict(zip(logits, softmax(tuple(logits.values())), strict=True))

    def test_every_word_and_pair_of_the_text_is_in_it_and_the_bias(self, predict: Function) -> None:
        terms = predict_one(predict, "Not good!", explain="true").body["explanation"]["terms"]
        expected, _ = Scorer(baseline()).explain("Not good!")
        assert [(term["kind"], term["term"]) for term in terms] == [(term.kind, term.term) for term in expected]

    def test_the_largest_effect_comes_first(self, predict: Function) -> None:
        terms = predict_one(predict, explain="true").body["explanation"]["terms"]
        effects = [max(term["contributions"].values()) - min(term["contributions"].values()) for term in terms]
        assert effects == sorted(effects, reverse=True)

    def test_it_says_which_part_of_the_text_added_what(self, predict: Function) -> None:
        text = "Isn’t ﬁne 🎉, not a bit!"
        explanation = predict_one(predict, text, explain="true").body["explanation"]
        assert set(explanation) == {"terms", "logits", "spans"}
        found = explanation["spans"]
        assert all(set(span) == {"start", "end", "contributions"} for span in found)
        parts = [text[span["start"] : span["end"]] for span in found]
        assert parts == ["Isn’t", "ﬁne", "not", "a", "bit", "!"]
        [bias] = [term["contributions"] for term in explanation["terms"] if term["kind"] == "bias"]
        for label in LABELS:
            total = math.fsum([bias[label], *(span["contributions"][label] for span in found)])
            assert math.isclose(total, explanation["logits"][label], abs_tol=1e-9)

    def test_a_text_without_words_has_the_bias_and_no_parts(self, predict: Function) -> None:
        explanation = predict_one(predict, "🎉", explain="true").body["explanation"]
        assert [term["kind"] for term in explanation["terms"]] == ["bias"]
        assert explanation["spans"] == []

    def test_one_that_lambda_could_not_hand_on_is_refused_and_the_answer_alone_is_not(
        self, predict: Function, promote: Callable[[BuiltModel], Pointer]
    ) -> None:
        promote(make_model(labels=tuple(f"label {number}" for number in range(artefact.MAX_LABELS))))
        text = " ".join(f"w{number}" for number in range(1_700))
        answer = predict_one(predict, text, explain="true")
        assert (answer.status, answer.body["error"]["code"]) == (422, "invalid_request")
        assert answer.body["error"]["message"] == "text: its explanation is larger than 5000000 bytes"
        assert predict_one(predict, text).status == 200
        assert predict_one(predict, text[:1_000], explain="true").status == 200

    @pytest.mark.parametrize("query", [{}, {"explain": "false"}])
    def test_there_is_none_unless_asked_for(self, predict: Function, query: dict[str, str]) -> None:
        assert "explanation" not in predict_one(predict, **query).body

    def test_asking_neither_true_nor_false_is_an_error(self, predict: Function) -> None:
        answer = predict_one(predict, explain="perhaps")
        assert answer.status == 422
        assert answer.body["error"]["message"].startswith("explain: ")


class TestBatch:
    def test_results_come_in_the_order_of_the_texts(self, predict: Function) -> None:
        texts = [f"text number {number}" for number in range(100)]
        answer = predict_many(predict, texts)
        assert answer.status == 200
        expected = [Scorer(baseline()).score(text).probabilities for text in texts]
        assert [tuple(result["probabilities"].values()) for result in answer.body["results"]] == expected
        assert len({result["prediction_id"] for result in answer.body["results"]}) == 100

    def test_it_says_which_version_answered_and_how_long_it_took(self, predict: Function) -> None:
        body = predict_many(predict, ["one"]).body
        assert set(body) == {"results", "model_version", "processing_time_ms"}
        assert body["model_version"] == body["results"][0]["model_version"] == baseline().version
        assert body["processing_time_ms"] >= 0

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            ("", "texts.1: is empty"),
            (" \n", "texts.1: is empty"),
            (None, "texts.1: not a string"),
            (7, "texts.1: not a string"),
            (["a"], "texts.1: not a string"),
            ({"text": "a"}, "texts.1: not a string"),
            ("a" * 10_001, "texts.1: 10001 characters, the limit is 10000"),
            ("\ud83d", "texts.1: holds an unpaired surrogate"),
        ],
    )
    def test_one_bad_item_never_fails_the_others(self, predict: Function, bad: Any, message: str) -> None:
        answer = predict_many(predict, ["good", bad, "also good"])
        assert answer.status == 200
        first, second, third = answer.body["results"]
        assert (first["label"], third["label"]) == tuple(
            Scorer(baseline()).score(text).label for text in ("good", "also good")
        )
        assert set(second) == {"error"}
        assert set(second["error"]) == {"code", "message", "hint"}
        assert (second["error"]["code"], second["error"]["message"]) == ("invalid_request", message)

    def test_a_batch_of_bad_items_only_is_answered_item_by_item(self, predict: Function) -> None:
        answer = predict_many(predict, ["", None])
        assert answer.status == 200
        assert all("error" in result for result in answer.body["results"])

    @pytest.mark.parametrize("count", [0, 101])
    def test_one_to_a_hundred_texts_are_a_batch(self, predict: Function, count: int) -> None:
        answer = predict_many(predict, ["text"] * count)
        assert answer.status == 422
        assert answer.body["error"]["message"] == f"texts: {count} items, allowed are 1 to 100"

    def test_the_limits_are_settings(self, make_predict: MakeFunction) -> None:
        function = make_predict(max_batch=2, max_text_chars=3)
        assert predict_many(function, ["a"] * 3).status == 422
        results = predict_many(function, ["abc", "abcd"]).body["results"]
        assert ["error" in result for result in results] == [False, True]


class TestSamples:
    def test_a_doubtful_prediction_is_kept_with_all_that_labelling_needs(
        self, make_predict: MakeFunction, store: S3Store
    ) -> None:
        body = predict_one(make_predict(low_confidence=1.0)).body
        [[sample]] = samples(store)
        assert (sample.id, sample.text, sample.reason) == (body["prediction_id"], TEXT, "low_confidence")
        assert (sample.label, sample.confidence) == (body["label"], body["confidence"])
        assert (sample.probabilities, sample.model_version) == (body["probabilities"], body["model_version"])
        [key] = store.keys("samples/")
        assert key == f"samples/dt={sample.received_at[:10]}/{sample.id}.jsonl"

    def test_a_confident_prediction_is_not(self, make_predict: MakeFunction, store: S3Store) -> None:
        predict_one(make_predict(low_confidence=0.0))
        assert samples(store) == []

    def test_a_share_of_all_is_kept_whatever_the_confidence(self, make_predict: MakeFunction, store: S3Store) -> None:
        predict_one(make_predict(low_confidence=0.0, sample_share=1.0))
        [[sample]] = samples(store)
        assert sample.reason == "random"

    def test_the_threshold_comes_from_the_manifest_unless_it_is_set(
        self,
        make_predict: MakeFunction,
        store: S3Store,
        promote: Callable[[BuiltModel], Pointer],
    ) -> None:
        promote(make_model(version="doubts-all", low_confidence=1.0))
        predict_one(make_predict())
        assert len(samples(store)) == 1
        predict_one(make_predict(low_confidence=0.0))
        assert len(samples(store)) == 1

    def test_a_request_makes_one_object_at_most(self, make_predict: MakeFunction, store: S3Store) -> None:
        answer = predict_many(make_predict(low_confidence=1.0), ["one", "", "two", "three"])
        [kept] = samples(store)
        assert [sample.text for sample in kept] == ["one", "two", "three"]
        ids = [result["prediction_id"] for result in answer.body["results"] if "error" not in result]
        assert [sample.id for sample in kept] == ids

    def test_of_a_batch_only_the_doubtful_texts_are_kept(self, make_predict: MakeFunction, store: S3Store) -> None:
        scored = {text: Scorer(baseline()).score(text).confidence for text in ("awful", "I love it", "a table")}
        middle = sorted(scored.values())[1]
        predict_many(make_predict(low_confidence=middle), list(scored))
        [kept] = samples(store)
        assert [sample.text for sample in kept] == [text for text, confidence in scored.items() if confidence < middle]

    def test_a_text_that_is_still_being_written_is_answered_and_not_kept(
        self, make_predict: MakeFunction, store: S3Store
    ) -> None:
        predict = make_predict(low_confidence=1.0, sample_share=1.0)
        assert predict(post("/v1/predict", {"text": "half a sen"}, query={"sample": "false"})).status == 200
        assert samples(store) == []
        assert predict(post("/v1/predict", {"text": "a sentence"}, query={"sample": "true"})).status == 200
        assert len(samples(store)) == 1

    def test_nothing_is_kept_where_samples_are_switched_off(self, make_predict: MakeFunction, store: S3Store) -> None:
        predict_one(make_predict(store_samples=False, low_confidence=1.0, sample_share=1.0))
        assert samples(store) == []

    @pytest.mark.parametrize("fault", [Fault.DOWN, Fault.CONFLICT, Fault.RETRY_REFUSED, Fault.REPLY_LOST])
    def test_trouble_with_samples_fails_no_request(
        self, make_predict: MakeFunction, store: S3Store, fault: Fault, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = predict_one(make_predict(FaultyStore(store, {1: fault}), low_confidence=1.0))
        assert answer.status == 200
        assert "1 samples not kept" in caplog.text
        assert "lovely" not in caplog.text


class TestAboutTheModel:
    def test_model_info_of_the_baseline_tells_what_it_was_made_of(self, predict: Function) -> None:
        body = predict(get("/v1/model_info")).body
        assert set(body) == {
            *("version", "kind", "labels", "since", "generation", "reason", "created_at"),
            *("low_confidence", "metrics", "data", "parents", "challenger", "pinned"),
        }
        assert (body["version"], body["labels"], body["since"]) == (baseline().version, list(LABELS), None)
        assert body["low_confidence"]["threshold"] == baseline().low_confidence
        assert body["metrics"]["accuracy"] == baseline().manifest["metrics"]["accuracy"]

    def test_model_info_of_a_promoted_version_tells_since_when_and_why(
        self, predict: Function, promote: Callable[[BuiltModel], Pointer]
    ) -> None:
        fields: dict[str, Any] = {"metrics": {"accuracy": 0.5}, "data": {"snapshot": "digest"}, "parents": ["v0"]}
        moved = promote(make_model(version="v1", **fields))
        body = predict(get("/v1/model_info")).body
        assert (body["version"], body["since"]) == ("v1", moved.at)
        assert (body["generation"], body["reason"]) == (1, "for a test")
        assert {name: body[name] for name in fields} == fields

    def test_model_info_tells_the_threshold_in_force(self, make_predict: MakeFunction) -> None:
        body = make_predict(low_confidence=0.25)(get("/v1/model_info")).body
        assert body["low_confidence"]["threshold"] == 0.25


class TestHealth:
    def test_a_published_model_is_healthy(
        self, predict: Function, promote: Callable[[BuiltModel], Pointer], tiny_model: BuiltModel
    ) -> None:
        promote(tiny_model)
        answer = predict(get("/health"))
        assert answer.status == 200
        assert answer.body == {"status": "ok", "model_version": tiny_model.model.version, "problem": None}

    def test_an_empty_bucket_is_degraded_and_says_so(self, predict: Function) -> None:
        answer = predict(get("/health"))
        assert answer.status == 200
        assert answer.body == {
            "status": "degraded",
            "model_version": baseline().version,
            "problem": "no model was published yet",
        }

    def test_unreachable_storage_is_degraded_and_still_predicts(self, make_predict: MakeFunction) -> None:
        function = make_predict(down(), low_confidence=1.0)
        assert function(get("/health")).body["status"] == "degraded"
        answer = predict_one(function)
        assert answer.status == 200
        assert answer.body["model_version"] == baseline().version


def test_the_documents_are_served_as_they_are_committed(predict: Function) -> None:
    document, page = predict(get("/openapi.json")), predict(get("/docs"))
    assert (document.status, page.status) == (200, 200)
    assert json.loads(json.dumps(document.body))["info"]["title"] == "Sentiloop"
    assert page.headers["content-type"].startswith("text/html")


def test_the_reference_page_holds_no_script_and_allows_none(predict: Function) -> None:
    page = predict(get("/docs"))
    assert page.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    for forbidden in ("<script", "javascript:", " onload", " onclick", "http://", "https://", "<iframe", "<img"):
        assert forbidden not in page.body.lower()
