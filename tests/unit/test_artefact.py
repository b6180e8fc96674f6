"""Broken model files: each check of `artefact.load` refuses what it is there for, and says so."""

import json
import math
import struct
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop import artefact, features
from sentiloop.artefact import MAX_LABELS, MAX_WEIGHTS_BYTES, dump, load
from sentiloop.errors import ArtefactError
from sentiloop.features import MAX_WIDTH
from sentiloop.scoring import Scorer

from tests.builders import LABELS, make_manifest, make_model, make_weights

BUILT = make_model(width=16)
FIELDS: dict[str, Any] = json.loads(BUILT.manifest)
MISSING = object()


def with_fields(**changes: Any) -> bytes:
    """The manifest with top-level fields changed, or left out."""
    fields = {name: value for name, value in {**FIELDS, **changes}.items() if value is not MISSING}
    return json.dumps(fields).encode()


def with_description(**changes: Any) -> bytes:
    """The manifest with fields of its description of the weights changed, or left out."""
    described = {**FIELDS["weights"], **changes}
    return with_fields(weights={name: value for name, value in described.items() if value is not MISSING})


def failed_check(manifest: bytes, weights: bytes = BUILT.weights) -> str:
    with pytest.raises(ArtefactError) as caught:
        load(manifest, weights)
    assert caught.value.message.startswith(f"{caught.value.check}: ")
    return caught.value.check


@pytest.mark.parametrize("item_type", ["int8", "int16"])
@pytest.mark.parametrize("labels", [LABELS, ("no", "yes"), tuple(f"label {number}" for number in range(MAX_LABELS))])
def test_what_is_dumped_loads_as_the_same_model(labels: tuple[str, ...], item_type: str) -> None:
    fields = make_manifest(labels, 8, data={"base": ["somewhere"]})
    weights = make_weights(len(labels) + 1, 8, item_type=item_type)
    model = load(dump(fields, weights, item_type), weights)
    assert (model.version, model.labels, model.width) == (fields["version"], labels, 8)
    assert (list(model.scales), list(model.bias)) == (fields["scales"], fields["bias"])
    assert model.low_confidence == 0.55
    assert model.table.tobytes() == weights
    assert len(model.table) == 8 * (len(labels) + 1)
    assert model.manifest["data"] == {"base": ["somewhere"]}
    assert model.manifest["kind"] == "hashed-linear"


def test_equal_models_have_equal_manifests() -> None:
    fields = make_manifest(width=16)
    assert dump(fields, BUILT.weights, "int8") == dump(dict(reversed(fields.items())), BUILT.weights, "int8")


def test_the_weights_are_viewed_and_not_parsed() -> None:
    assert load(BUILT.manifest, BUILT.weights).table.obj is BUILT.weights


def test_a_broken_model_is_not_even_written() -> None:
    with pytest.raises(ArtefactError):
        dump(make_manifest(width=32), BUILT.weights, "int8")
    with pytest.raises(ArtefactError):
        dump(make_manifest(width=16), BUILT.weights, "int64")
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump(make_manifest(width=16, bias=[math.nan] * 3), BUILT.weights, "int8")


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"weights", id="not JSON"),
        pytest.param(BUILT.manifest[:-1], id="truncated"),
        pytest.param(b"\x80\x04\x95", id="a pickle"),
        pytest.param(b"\xff\xfe", id="no Unicode"),
        pytest.param(b"[" * 200_000 + b"]" * 200_000, id="nested deeply"),
        pytest.param(b'{"a":' * 100_000, id="nested deeply and cut"),
        pytest.param(b'{"width":' + b"9" * 5_000 + b"}", id="a number of thousands of digits"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"manifest"', id="a string"),
    ],
)
def test_a_manifest_has_to_be_a_json_object(manifest: bytes) -> None:
    assert failed_check(manifest) == "manifest"


@pytest.mark.parametrize("value", [MISSING, None, 0, 2, "1", [], {}])
def test_another_format_is_refused(value: Any) -> None:
    assert failed_check(with_fields(format=value)) == "format"


@pytest.mark.parametrize("value", [MISSING, None, "pickle", "onnx", [], 1])
def test_another_kind_is_refused(value: Any) -> None:
    assert failed_check(with_fields(kind=value)) == "kind"


@pytest.mark.parametrize("value", [MISSING, None, "", "v" * 101, 1, ["v1"]])
def test_a_version_is_a_name(value: Any) -> None:
    assert failed_check(with_fields(version=value)) == "version"


@pytest.mark.parametrize(
    "value",
    [
        MISSING,
        None,
        [],
        ["alone"],
        ["a", "b", "a"],
        ["a", "b", ""],
        ["a", "b", 1],
        ["a", "b", None],
        ["a", ["b"], "c"],
        ["a", "b", "c" * 101],
        [str(number) for number in range(MAX_LABELS + 1)],
        "abc",
        {"a": 1, "b": 2, "c": 3},
    ],
)
def test_labels_are_different_names(value: Any) -> None:
    assert failed_check(with_fields(labels=value)) == "labels"


@pytest.mark.parametrize("value", [MISSING, None, True, 0, 1, -16, 15, 16.0, "16", 2 * MAX_WIDTH, 2**200, [16]])
def test_a_width_is_a_power_of_two(value: Any) -> None:
    assert failed_check(with_fields(width=value)) == "width"


@pytest.mark.parametrize("name", ["scales", "bias"])
@pytest.mark.parametrize(
    "number", [math.nan, math.inf, -math.inf, 10**400, -(10**400), 1e300, -1e300, True, False, None, "1", [1], {}]
)
def test_scales_and_bias_are_finite_numbers(name: str, number: Any) -> None:
    values = [*FIELDS[name][:-1], number]
    assert failed_check(with_fields(**{name: values})) == name


@pytest.mark.parametrize("name", ["scales", "bias"])
@pytest.mark.parametrize("value", [MISSING, None, [], [1.0], [1.0] * 5, 1.0, "1111", {"0": 1.0}])
def test_scales_and_bias_come_in_their_number(name: str, value: Any) -> None:
    assert failed_check(with_fields(**{name: value})) == name


@pytest.mark.parametrize("number", [0, 0.0, -0.01, 5e-324])
@pytest.mark.parametrize("column", range(4))
def test_scales_are_positive(number: float, column: int) -> None:
    scales = list(FIELDS["scales"])
    scales[column] = number
    assert failed_check(with_fields(scales=scales)) == "scales"


@pytest.mark.parametrize("value", [MISSING, None, -0.01, 1.01, math.nan, math.inf, True, "0.5", [0.5], 10**400])
def test_the_low_confidence_threshold_is_a_share(value: Any) -> None:
    assert failed_check(with_fields(low_confidence=value)) == "low_confidence"


@pytest.mark.parametrize("value", [MISSING, None, [], "weights.bin", 1])
def test_the_weights_have_to_be_described(value: Any) -> None:
    assert failed_check(with_fields(weights=value)) == "weights"


@pytest.mark.parametrize("value", [MISSING, None, "model.joblib", "../weights.bin", 1, []])
def test_the_weights_are_in_the_one_file(value: Any) -> None:
    assert failed_check(with_description(file=value)) == "weights"


@pytest.mark.parametrize("value", [MISSING, None, "float32", "object", "int32", 8, ["int8"], {}])
def test_the_weights_are_small_integers(value: Any) -> None:
    assert failed_check(with_description(item_type=value)) == "weights"


@pytest.mark.parametrize("weights", [b"", BUILT.weights[:-1], BUILT.weights + b"\x00", BUILT.weights * 2])
def test_truncated_or_padded_weights_are_refused(weights: bytes) -> None:
    assert failed_check(BUILT.manifest, weights) == "size"


@pytest.mark.parametrize("value", [MISSING, None, 0, 63, "64", [64]])
def test_the_described_size_is_the_size(value: Any) -> None:
    assert failed_check(with_description(bytes=value)) == "size"


def test_weights_of_another_shape_are_refused() -> None:
    assert failed_check(with_fields(width=32)) == "size"
    assert failed_check(with_description(item_type="int16")) == "size"
    two = with_fields(labels=["a", "b"], scales=[1.0] * 3, bias=[0.0] * 2)
    assert failed_check(two) == "size"


def test_an_enormous_shape_is_refused_before_anything_is_made_of_it() -> None:
    labels = [str(number) for number in range(MAX_LABELS)]
    manifest = with_fields(labels=labels, width=MAX_WIDTH, scales=[1.0] * (MAX_LABELS + 1), bias=[0.0] * MAX_LABELS)
    assert MAX_WIDTH * (MAX_LABELS + 1) > MAX_WEIGHTS_BYTES
    assert failed_check(manifest) == "size"


@pytest.mark.parametrize("value", [MISSING, None, "", "0" * 64, 1, []])
def test_the_described_digest_is_the_digest(value: Any) -> None:
    assert failed_check(with_description(sha256=value)) == "sha256"


@given(st.integers(0, len(BUILT.weights) - 1), st.integers(1, 255))
def test_a_flipped_byte_of_the_weights_is_noticed(place: int, flip: int) -> None:
    weights = bytearray(BUILT.weights)
    weights[place] ^= flip
    assert failed_check(BUILT.manifest, bytes(weights)) == "sha256"


@given(st.lists(st.tuples(st.integers(0, len(BUILT.manifest) - 1), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bytes_of_the_manifest_never_pass_for_the_published_one(flips: list[tuple[int, int]]) -> None:
    broken = bytearray(BUILT.manifest)
    for place, flip in flips:
        broken[place] ^= flip
    if broken == BUILT.manifest:
        return  # two flips undid each other
    with pytest.raises(ArtefactError):
        artefact.check_sha256(artefact.MANIFEST, bytes(broken), BUILT.target.manifest_sha256)
    try:
        model = load(bytes(broken), BUILT.weights)
    except ArtefactError:
        return
    assert model.table.tobytes() == BUILT.weights  # the weights answer for themselves, whatever the manifest says
    assert sum(Scorer(model).score("a good day").probabilities) == pytest.approx(1)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_garbage_is_an_artefact_error_and_nothing_else(manifest: bytes, weights: bytes) -> None:
    with pytest.raises(ArtefactError):
        load(manifest, weights)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(FIELDS)), JSON)
def test_any_value_in_any_field_is_refused_or_serves_finite_numbers(name: str, value: Any) -> None:
    try:
        model = load(with_fields(**{name: value}), BUILT.weights)
    except ArtefactError:
        return
    assert all(math.isfinite(share) for share in Scorer(model).score("not a good day!").probabilities)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
)
def test_any_numbers_that_load_serve_finite_probabilities(scales: list[float], bias: list[float]) -> None:
    try:
        model = load(with_fields(scales=[abs(scale) for scale in scales], bias=bias), BUILT.weights)
    except ArtefactError:
        return
    assert all(math.isfinite(share) for share in Scorer(model).score("not a good day! " * 50).probabilities)


def with_frequent_words(words: Any, sums: list[int]) -> tuple[bytes, bytes]:
    """A manifest and weights with frequent words; only the checks of those are left to fail."""
    weights = BUILT.weights + struct.pack(f"<{len(sums)}q", *sums)
    described = {**FIELDS["weights"], "bytes": len(weights), "sha256": sha256(weights).hexdigest()}
    return with_fields(frequent_words=words, weights=described), weights


def test_frequent_words_come_with_their_sums() -> None:
    model = load(*with_frequent_words(["the", "a"], [1, -2, 3, 4, 5, 6, -7, 8]))
    assert model.frequent_words == {"the": 0, "a": 1}
    assert model.frequent_sums.tolist() == [1, -2, 3, 4, 5, 6, -7, 8]
    assert load(BUILT.manifest, BUILT.weights).frequent_words == {}


def test_a_model_gives_back_the_bytes_that_it_was_loaded_from() -> None:
    manifest, weights = with_frequent_words(["the", "a"], [1, -2, 3, 4, 5, 6, -7, 8])
    assert artefact.weights_of(load(manifest, weights)) == weights


@pytest.mark.parametrize(
    "words", [None, "the", {"the": 1}, ["the", 1], ["the", "the"], [f"word{number}" for number in range(10_001)]]
)
def test_frequent_words_are_different_words_and_not_too_many(words: Any) -> None:
    count = len(words) if isinstance(words, list) else 0
    assert failed_check(*with_frequent_words(words, [0] * 4 * count)) == "frequent_words"


@pytest.mark.parametrize("sums", [[0, 0, 0, -1], [2**41, 0, 0, 0], [0, -(2**41), 0, 0], [0, 0, 0, 2**41]])
def test_sums_are_such_as_rows_add_up_to(sums: list[int]) -> None:
    assert failed_check(*with_frequent_words(["the"], sums)) == "frequent_words"


@pytest.mark.parametrize("sums", [[], [0] * 3, [0] * 5, [0] * 8])
def test_every_frequent_word_has_its_sums(sums: list[int]) -> None:
    assert failed_check(*with_frequent_words(["the"], sums)) == "size"


def test_weights_of_another_feature_function_are_refused() -> None:
    manifest = json.dumps({**json.loads(BUILT.manifest), "features": features.VERSION + 1}).encode()
    with pytest.raises(ArtefactError) as refused:
        artefact.load(manifest, BUILT.weights)
    assert refused.value.check == "features"
