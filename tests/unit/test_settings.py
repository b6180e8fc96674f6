"""The settings: read once, typed, and strict about what nobody knows."""

from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sentiloop.errors import SettingsError
from sentiloop.settings import PREFIX, Secret, Settings, variable

NAMES = [setting.name for setting in fields(Settings)]


def message(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environ)
    return caught.value.message


def same(left: Settings, right: Settings) -> bool:
    """Equal in every field but the secret, which has no equality: comparing it is nobody's business."""
    secret = Secret()
    return replace(left, contributor_key=secret) == replace(right, contributor_key=secret)


def test_an_empty_environment_means_the_defaults() -> None:
    assert same(Settings.from_env({}), Settings())


def test_the_environment_of_the_process_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTILOOP_BUCKET", "from-the-environment")
    assert Settings.from_env().bucket == "from-the-environment"


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_value_means_the_default(name: str) -> None:
    assert same(Settings.from_env({variable(name): ""}), Settings())


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_has_a_variable_a_parser_and_a_description(name: str) -> None:
    setting = next(setting for setting in fields(Settings) if setting.name == name)
    assert variable(name) == PREFIX + name.upper()
    assert callable(setting.metadata["parse"])
    assert setting.metadata["doc"].endswith(".")


def test_values_have_their_types() -> None:
    settings = Settings.from_env(
        {
            "SENTILOOP_BUCKET": "mine",
            "SENTILOOP_MAX_BATCH": "7",
            "SENTILOOP_REFRESH_SECONDS": "0.5",
            "SENTILOOP_LOW_CONFIDENCE": "0.9",
            "SENTILOOP_STORE_SAMPLES": "False",
            "SENTILOOP_LABELS": "bad, so-so,good ,",
            "SENTILOOP_CONTRIBUTOR_KEY": "hush",
        }
    )
    assert settings.bucket == "mine"
    assert settings.max_batch == 7
    assert settings.refresh_seconds == 0.5
    assert settings.low_confidence == 0.9
    assert settings.store_samples is False
    assert settings.labels == ("bad", "so-so", "good")
    assert settings.contributor_key.reveal() == b"hush"


def test_an_unknown_variable_of_ours_is_an_error_that_names_it() -> None:
    environ = {"SENTILOOP_MAX_BATHC": "7", "SENTILOOP_BUKET": "", "SENTILOOP_BUCKET": "mine"}
    assert message(environ) == "unknown settings: SENTILOOP_BUKET, SENTILOOP_MAX_BATHC"


def test_variables_of_others_are_nobodys_business() -> None:
    assert same(Settings.from_env({"PATH": "/bin", "SENTI": "1", "sentiloop_bucket": "x"}), Settings())


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("SENTILOOP_MAX_BATCH", "many"),
        ("SENTILOOP_MAX_BATCH", "1.5"),
        ("SENTILOOP_GATE_LEVEL", "5%"),
        ("SENTILOOP_STORE_SAMPLES", "yes"),
        ("SENTILOOP_STORE_SAMPLES", "0"),
    ],
)
def test_a_value_of_the_wrong_kind_is_an_error_that_names_the_variable(name: str, raw: str) -> None:
    assert message({name: raw}) == f"{name} has a value that does not parse"


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("SENTILOOP_MAX_TEXT_CHARS", "0"),
        ("SENTILOOP_MAX_BATCH", "-1"),
        ("SENTILOOP_MAX_BODY_BYTES", "1023"),
        ("SENTILOOP_REFRESH_SECONDS", "-0.1"),
        ("SENTILOOP_REFRESH_SECONDS", "nan"),
        ("SENTILOOP_LOW_CONFIDENCE", "1.01"),
        ("SENTILOOP_SAMPLE_SHARE", "-0.01"),
        ("SENTILOOP_CONTRIBUTOR_MAX_ROWS", "0"),
        ("SENTILOOP_GATE_LEVEL", "1.1"),
        ("SENTILOOP_GATE_MIN_GAIN", "-1"),
        ("SENTILOOP_GATE_SLICE_DROP", "nan"),
        ("SENTILOOP_CHECK_MIN_NEW", "0"),
    ],
)
def test_a_value_out_of_range_is_an_error_that_tells_the_range(name: str, raw: str) -> None:
    assert message({name: raw}).startswith(f"{name} is ")
    assert "has to lie between" in message({name: raw})


@pytest.mark.parametrize(("name", "raw"), [("SENTILOOP_LOW_CONFIDENCE", "0"), ("SENTILOOP_LOW_CONFIDENCE", "1")])
def test_the_ends_of_a_range_belong_to_it(name: str, raw: str) -> None:
    assert Settings.from_env({name: raw}).low_confidence == float(raw)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=12))
def test_a_secret_never_prints(value: str) -> None:
    assume(value not in repr(Settings()))
    settings = Settings.from_env({"SENTILOOP_CONTRIBUTOR_KEY": value})
    for shown in (repr(settings), str(settings), f"{settings.contributor_key}", repr([settings.contributor_key])):
        assert value not in shown
    assert settings.contributor_key.reveal() == value.encode()


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/services/T0/B0/x?y=z#w",
        "HTTPS://ada:hush@hooks.example:8443",
        "https://[2001:db8::1]:8443/x",
        "http://127.0.0.1:9000/",
        "http://localhost",
        "http://[::1]:9000/x",
    ],
)
def test_a_webhook_has_tls_or_is_on_this_machine(url: str) -> None:
    assert Settings.from_env({"SENTILOOP_ALERT_WEBHOOK": url}).alert_webhook.reveal() == url.encode()


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "hooks.example/x",
        "ftp://hooks.example/",
        "http://hooks.example/x",
        "http://10.0.0.1/",
        "http://localhost.example/",
        "http://localhost@hooks.example/",
        "http://127.0.0.1.example/",
        "https://",
        "https://:443/",
        "https://hooks.example/a b",
        "https://hooks.example/\n",
        "http://[::1",
        "file:///etc/passwd",
    ],
)
def test_a_webhook_that_nothing_could_be_sent_to_is_an_error_that_does_not_print_it(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"SENTILOOP_ALERT_WEBHOOK": url})
    assert caught.value.message == "SENTILOOP_ALERT_WEBHOOK has a value that does not parse"
    assert caught.value.hint.startswith("It is: URL, with https, ")
    assert url not in f"{caught.value.message} {caught.value.hint}"


def test_a_secret_tells_whether_there_is_one() -> None:
    assert not Secret()
    assert Secret("hush")


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().bucket = "other"  # type: ignore[misc]
