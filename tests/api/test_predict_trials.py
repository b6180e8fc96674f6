"""The predict function while a challenger is on trial: who answers whom, what is compared, and what trouble costs."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from sentiloop import artefact, pointer, registry, trial
from sentiloop.activity import disagreement_by_slice, merge
from sentiloop.pointer import Challenger, Pointer
from sentiloop.records import Sample
from sentiloop.registry import version_key
from sentiloop.s3 import S3Store
from sentiloop.scoring import Prediction, Scorer

from tests.api.conftest import Function, MakeFunction
from tests.builders import LABELS, BuiltModel, make_model
from tests.events import Answer, get, post

CHAMPION = make_model(seed=1, version="v1")
CHALLENGER = make_model(seed=2, version="v2")
TEXTS = [f"text number {number}" for number in range(40)]
DISCORDANT = [
    text for text in TEXTS if len({Scorer(built.model).score(text).label for built in (CHAMPION, CHALLENGER)}) > 1
]
Promote = Callable[[BuiltModel], Pointer]
Begin = Callable[[float], Challenger]


@pytest.fixture
def begin(store: S3Store, promote: Promote) -> Begin:
    """Serve v1 and put v2 on trial: in shadow, or as a canary if it has a share."""

    def publish_and_try(share: float) -> Challenger:
        promote(CHAMPION)
        target = registry.publish(store, "v2", CHALLENGER.manifest, {artefact.WEIGHTS: CHALLENGER.weights})
        mode: pointer.Mode = "canary" if share else "shadow"
        moved = trial.begin(store, target, mode, share, by="test", reason="try it")
        assert moved.challenger is not None
        return moved.challenger

    return publish_and_try


def ask(function: Function, text: str = TEXTS[0], client: str | None = None, **more: Any) -> Answer:
    headers = {} if client is None else {"x-client-id": client}
    return function(post("/v1/predict", {"text": text}, headers=headers, **more))


def ask_many(function: Function, texts: list[str], client: str | None = None) -> Answer:
    headers = {} if client is None else {"x-client-id": client}
    return function(post("/v1/predict/batch", {"texts": texts}, headers=headers))


def counted(store: S3Store, version: str) -> dict[str, Any]:
    """What was counted of a version."""
    counts: dict[str, Any] = merge(json.loads(store.get(key).body) for key in store.keys("activity/dt="))["versions"]
    return counts[version]  # type: ignore[no-any-return]


def samples(store: S3Store) -> list[Sample]:
    bodies = [store.get(key).body for key in store.keys("samples/")]
    return [Sample.from_line(line) for body in bodies for line in body.splitlines()]


def version_of(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return str(answer.body["model_version"])


def one_of_each(on_trial: Challenger) -> tuple[str, str]:
    """A client that the champion answers, and one that the challenger does."""
    names = [str(number) for number in range(100)]
    return (
        next(name for name in names if not trial.answers(on_trial, f"client:{name}")),
        next(name for name in names if trial.answers(on_trial, f"client:{name}")),
    )


class TestWhoAnswersWhom:
    def test_a_client_that_names_itself_is_answered_by_one_version(self, predict: Function, begin: Begin) -> None:
        on_trial = begin(0.5)
        for client in map(str, range(20)):
            expected = "v2" if trial.answers(on_trial, f"client:{client}") else "v1"
            for address in ("203.0.113.7", "203.0.113.8"):
                assert version_of(ask(predict, client=client, source_ip=address, api_key_id=address)) == expected

    def test_without_a_name_the_api_key_is_the_client_wherever_it_comes_from(
        self, predict: Function, begin: Begin
    ) -> None:
        on_trial = begin(0.5)
        for key in (f"k{number}" for number in range(20)):
            expected = "v2" if trial.answers(on_trial, f"key:{key}") else "v1"
            for address in ("203.0.113.7", "203.0.113.8"):
                assert version_of(ask(predict, source_ip=address, api_key_id=key)) == expected

    def test_without_name_and_key_the_address_is_the_client(self, predict: Function, begin: Begin) -> None:
        on_trial = begin(0.5)
        for address in (f"203.0.113.{number}" for number in range(20)):
            expected = "v2" if trial.answers(on_trial, f"address:{address}") else "v1"
            assert version_of(ask(predict, source_ip=address)) == expected

    @pytest.mark.parametrize("client", ["", "x" * 201])
    @pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch"])
    def test_a_name_has_one_to_200_characters(self, predict: Function, client: str, path: str) -> None:
        body = {"text": "a"} if path == "/v1/predict" else {"texts": ["a"]}
        answer = predict(post(path, body, headers={"x-client-id": client}))
        assert (answer.status, answer.body["error"]["code"]) == (422, "invalid_request")
        assert answer.body["error"]["message"].startswith("x-client-id: ")
        assert predict(post(path, body, headers={"x-client-id": "x" * 200})).status == 200

    def test_one_version_answers_a_whole_batch(self, predict: Function, begin: Begin) -> None:
        for client, built in zip(one_of_each(begin(0.5)), (CHAMPION, CHALLENGER), strict=True):
            answer = ask_many(predict, TEXTS, client)
            assert version_of(answer) == built.model.version
            assert {result["model_version"] for result in answer.body["results"]} == {built.model.version}
            expected = [Scorer(built.model).score(text).probabilities for text in TEXTS]
            assert [tuple(result["probabilities"].values()) for result in answer.body["results"]] == expected

    def test_the_version_that_answers_explains(self, predict: Function, begin: Begin) -> None:
        for client, built in zip(one_of_each(begin(0.5)), (CHAMPION, CHALLENGER), strict=True):
            answer = ask(predict, client=client, query={"explain": "true"})
            assert version_of(answer) == built.model.version
            _terms, logits = Scorer(built.model).explain(TEXTS[0])
            assert answer.body["explanation"]["logits"] == dict(zip(LABELS, logits, strict=True))

    def test_in_shadow_the_champion_answers(self, predict: Function, begin: Begin) -> None:
        begin(0)
        assert {version_of(ask(predict, client=str(number))) for number in range(20)} == {"v1"}

    def test_no_client_is_stored_or_logged(
        self, make_predict: MakeFunction, store: S3Store, begin: Begin, capsys: pytest.CaptureFixture[str]
    ) -> None:
        begin(0.5)
        ask(make_predict(sample_share=1.0), client="somebody-in-particular")
        stored = b"".join(store.get(key).body for prefix in ("samples/", "activity/") for key in store.keys(prefix))
        assert stored
        assert b"somebody" not in stored
        shown = capsys.readouterr()
        assert "somebody" not in shown.out + shown.err


class TestBothScore:
    def test_a_text_with_two_labels_is_kept_with_what_both_say(
        self, make_predict: MakeFunction, store: S3Store, begin: Begin
    ) -> None:
        begin(0)
        body = ask_many(make_predict(low_confidence=0.0), TEXTS).body
        kept = samples(store)
        assert [sample.text for sample in kept] == DISCORDANT
        assert 0 < len(kept) < len(TEXTS), "or this test shows nothing"
        for sample in kept:
            answer = next(result for result in body["results"] if result["prediction_id"] == sample.id)
            assert (sample.reason, sample.model_version) == ("disagreement", "v1")
            assert (sample.label, sample.confidence) == (answer["label"], answer["confidence"])
            other = Scorer(CHALLENGER.model).score(sample.text)
            assert sample.other == {
                "version": "v2",
                "label": other.label,
                "confidence": other.confidence,
                "probabilities": dict(zip(LABELS, other.probabilities, strict=True)),
            }

    def test_of_a_text_that_the_challenger_answered_the_champion_is_the_other(
        self, make_predict: MakeFunction, store: S3Store, begin: Begin
    ) -> None:
        begin(1)
        ask(make_predict(low_confidence=0.0), DISCORDANT[0])
        [sample] = samples(store)
        assert (sample.model_version, sample.label) == ("v2", Scorer(CHALLENGER.model).score(DISCORDANT[0]).label)
        assert sample.other is not None
        assert sample.other["version"] == "v1"
        assert sample.other["label"] == Scorer(CHAMPION.model).score(DISCORDANT[0]).label

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [({"low_confidence": 1.0}, "low_confidence"), ({"low_confidence": 0.0, "sample_share": 1.0}, "random")],
    )
    def test_another_reason_to_keep_a_text_comes_first(
        self, changes: dict[str, float], reason: str, make_predict: MakeFunction, store: S3Store, begin: Begin
    ) -> None:
        begin(0)
        ask_many(make_predict(**changes), TEXTS)
        kept = samples(store)
        assert {sample.reason for sample in kept} == {reason}
        assert [sample.text for sample in kept if sample.other] == DISCORDANT

    @pytest.mark.parametrize("share", [0.0, 1.0])
    def test_what_both_say_is_counted_under_the_challenger(
        self, share: float, predict: Function, store: S3Store, begin: Begin
    ) -> None:
        begin(share)
        ask_many(predict, TEXTS)
        pairs = [tuple(Scorer(built.model).score(text) for built in (CHAMPION, CHALLENGER)) for text in TEXTS]
        beside = counted(store, "v2")["beside"]
        assert (beside["texts"], sum(beside["flips"].values())) == (len(TEXTS), len(DISCORDANT))
        flips = [f"{champion.label}>{challenger.label}" for champion, challenger in pairs]
        assert beside["flips"] == {flip: flips.count(flip) for flip in flips if len(set(flip.split(">"))) > 1}
        slices = disagreement_by_slice(beside)
        assert slices["short"] == {"texts": len(TEXTS), "disagreement": len(DISCORDANT) / len(TEXTS)}
        for label in {champion.label for champion, _ in pairs}:
            differ = [champion.label != challenger.label for champion, challenger in pairs if champion.label == label]
            expected = {"texts": len(differ), "disagreement": sum(differ) / len(differ)}
            assert slices[f"label {label}"] == expected
        assert beside["champion_confidence_sum"] == pytest.approx(sum(champion.confidence for champion, _ in pairs))
        assert beside["confidence_sum"] == pytest.approx(sum(challenger.confidence for _, challenger in pairs))

    @pytest.mark.parametrize("mode", ["shadow", "canary"])
    @pytest.mark.parametrize("setting", [None, 0.0])
    def test_what_is_doubtful_is_what_the_champion_is_not_sure_of(
        self, mode: pointer.Mode, setting: float | None, make_predict: MakeFunction, store: S3Store, promote: Promote
    ) -> None:
        promote(make_model(seed=1, version="v1", low_confidence=1.0))
        never_doubts = make_model(seed=2, version="v2", low_confidence=0.0)
        target = registry.publish(store, "v2", never_doubts.manifest, {artefact.WEIGHTS: never_doubts.weights})
        trial.begin(store, target, mode, 0.0 if mode == "shadow" else 1.0, by="test", reason="")
        ask_many(make_predict(low_confidence=setting), TEXTS)
        slices = counted(store, "v2")["beside"]["slices"]
        found = {name: slices[name]["texts"] for name in ("doubtful", "sure") if name in slices}
        assert found == {"doubtful" if setting is None else "sure": len(TEXTS)}

    def test_the_line_of_a_request_tells_how_many_labels_differ(
        self, predict: Function, begin: Begin, capsys: pytest.CaptureFixture[str]
    ) -> None:
        begin(0)
        ask_many(predict, TEXTS)
        line = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert line["Version"] == "v1"
        assert line["Disagreements"] == [len(DISCORDANT)]

    def test_the_share_of_requests_that_both_score_is_a_setting(
        self, make_predict: MakeFunction, store: S3Store, begin: Begin
    ) -> None:
        begin(0)
        ask_many(make_predict(shadow_share=0.0, low_confidence=0.0), TEXTS)
        assert samples(store) == []
        assert counted(store, "v1")["answers"] == len(TEXTS)
        assert "v2" not in json.dumps([store.get(key).body.decode() for key in store.keys("activity/")])
        function = make_predict(shadow_share=0.5)
        for _ in range(100):
            ask(function)
        assert 20 < counted(store, "v2")["beside"]["texts"] < 80

    def test_answers_are_counted_under_the_version_that_gave_them(
        self, predict: Function, store: S3Store, begin: Begin
    ) -> None:
        champions, challengers = one_of_each(begin(0.5))
        ask_many(predict, TEXTS[:3], champions)
        ask_many(predict, TEXTS[:5], challengers)
        assert (counted(store, "v1")["answers"], counted(store, "v2")["answers"]) == (3, 5)
        assert (counted(store, "v1")["requests"], counted(store, "v2")["requests"]) == (1, 1)

    def test_in_shadow_a_challenger_is_timed_on_what_it_scores_beside(
        self, predict: Function, store: S3Store, begin: Begin
    ) -> None:
        begin(0)
        for _ in range(3):
            ask(predict)
        shadow = counted(store, "v2")
        assert (shadow["requests"], shadow["errors"], shadow["answers"], sum(shadow["latency"])) == (3, 0, 0, 3)

    @pytest.mark.parametrize("share", [0.0, 0.5])
    def test_a_slow_challenger_does_not_make_the_champion_look_slow(
        self, share: float, predict: Function, store: S3Store, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        on_trial, score = begin(share), Scorer.score
        clients = one_of_each(on_trial) if share else ("a", "b")

        def score_slowly(self: Scorer, text: str) -> Prediction:
            if self.model.version == "v2":
                time.sleep(0.2)
            return score(self, text)

        ask(predict)  # the first request loads what it needs
        before = {version: counted(store, version)["milliseconds"] for version in ("v1", "v2")}
        monkeypatch.setattr(Scorer, "score", score_slowly)
        for client in clients:
            ask(predict, client=client)
        took = {version: counted(store, version)["milliseconds"] - before[version] for version in before}
        assert took["v1"] < 100
        assert took["v2"] >= 200

    def test_doubt_is_measured_against_the_version_that_answers(
        self, predict: Function, store: S3Store, promote: Promote
    ) -> None:
        promote(make_model(seed=1, version="v1", low_confidence=0.0))
        doubts_all = make_model(seed=1, version="v2", low_confidence=1.0)
        target = registry.publish(store, "v2", doubts_all.manifest, {artefact.WEIGHTS: doubts_all.weights})
        on_trial = trial.begin(store, target, "canary", 0.5, by="test", reason="").challenger
        assert on_trial is not None
        for client in one_of_each(on_trial):
            ask(predict, client=client)
        assert [sample.model_version for sample in samples(store)] == ["v2"]
        assert (counted(store, "v1")["low_confidence"], counted(store, "v2")["low_confidence"]) == (0, 1)


class TestTrouble:
    @pytest.fixture
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A challenger that fails on every text, and quotes it."""
        score = Scorer.score

        def score_or_fail(self: Scorer, text: str) -> Prediction:
            if self.model.version == "v2":
                raise KeyError(text)
            return score(self, text)

        monkeypatch.setattr(Scorer, "score", score_or_fail)

    @pytest.mark.usefixtures("broken")
    @pytest.mark.parametrize("share", [0.0, 1.0])
    def test_a_challenger_that_fails_costs_no_answer_and_it_is_counted(
        self,
        share: float,
        predict: Function,
        store: S3Store,
        begin: Begin,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        begin(share)
        answer = ask(predict, query={"explain": "true"})
        assert version_of(answer) == "v1"
        assert answer.body["explanation"]["terms"]
        assert version_of(ask_many(predict, TEXTS)) == "v1"
        challenger, champion = counted(store, "v2"), counted(store, "v1")
        assert (challenger["requests"], challenger["errors"]) == (2, 2)
        assert (champion["requests"], champion["errors"], champion["answers"]) == (2, 0, 1 + len(TEXTS))
        assert challenger["beside"]["texts"] == 0
        assert "v2 failed to score: KeyError" in caplog.text
        assert "text number" not in caplog.text

    @pytest.mark.usefixtures("broken")
    def test_beside_the_answer_of_a_canary_s_champion_it_is_no_request_of_the_challenger(
        self, predict: Function, store: S3Store, begin: Begin
    ) -> None:
        champions, _ = one_of_each(begin(0.5))
        assert version_of(ask(predict, client=champions)) == "v1"
        assert "v2" not in json.dumps([store.get(key).body.decode() for key in store.keys("activity/")])

    def test_an_explanation_that_fails_comes_from_the_champion(
        self, predict: Function, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        explain = Scorer.explain

        def explain_or_fail(self: Scorer, text: str) -> Any:
            if self.model.version == "v2":
                raise RuntimeError
            return explain(self, text)

        monkeypatch.setattr(Scorer, "explain", explain_or_fail)
        begin(1)
        answer = ask(predict, query={"explain": "true"})
        assert version_of(answer) == "v1"
        assert answer.body["explanation"]["terms"]

    def test_trouble_in_the_champion_is_no_trouble_of_the_challenger(
        self, predict: Function, store: S3Store, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin(0)

        def fail(self: Scorer, text: str) -> Prediction:
            raise RuntimeError

        monkeypatch.setattr(Scorer, "score", fail)
        assert ask(predict).status == 500
        assert counted(store, "v1")["errors"] == 1

    def test_a_challenger_that_cannot_be_loaded_is_told_and_health_is_ok(
        self, predict: Function, store: S3Store, begin: Begin
    ) -> None:
        begin(1)
        store.put(version_key("v2", artefact.WEIGHTS), b"not what the manifest says")
        assert version_of(ask(predict)) == "v1"
        health = predict(get("/health")).body
        assert health == {"status": "ok", "model_version": "v1", "problem": None}
        assert predict(get("/v1/model_info")).body["challenger"]["problem"].startswith("size: ")


class TestModelInfo:
    def test_without_a_trial_there_is_no_challenger(self, predict: Function, promote: Promote) -> None:
        assert predict(get("/v1/model_info")).body["challenger"] is None
        promote(CHAMPION)
        body = predict(get("/v1/model_info")).body
        assert (body["challenger"], body["pinned"]) == (None, False)

    @pytest.mark.parametrize("share", [0.0, 0.1])
    def test_it_tells_about_a_trial(self, share: float, predict: Function, begin: Begin) -> None:
        on_trial = begin(share)
        body = predict(get("/v1/model_info")).body
        assert body["version"] == "v1"
        assert body["challenger"] == {
            "version": "v2",
            "mode": "canary" if share else "shadow",
            "share": share,
            "since": on_trial.step_at,
            "began": on_trial.began_at,
            "problem": None,
        }

    def test_it_tells_a_pin(self, predict: Function, store: S3Store, promote: Promote) -> None:
        promote(CHAMPION)
        trial.pin(store, True, by="ada", reason="the fair is on")
        assert predict(get("/v1/model_info")).body["pinned"] is True
