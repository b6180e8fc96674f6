"""One frozen, typed settings object, read once from the environment."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sentiloop.errors import SettingsError

PREFIX = "SENTILOOP_"
_WEBHOOK = r"""
    ( https:// ([^\s/?#@]*@)? ( [^\s/?#@:\[\]]+ | \[[0-9a-f:.]+\] )
    | http:// ( localhost | 127(\.[0-9]{1,3}){3} | \[::1\] )  # on this machine nobody listens in
    )
    (:[0-9]{1,5})? ([/?#]\S*)?
"""


class Secret:
    """A value that never prints; `reveal` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(***)"

    def reveal(self) -> bytes:
        """Return the bytes, for keyed hashing."""
        return self._value.encode()


def _switch(raw: str) -> bool:
    return {"true": True, "false": False}[raw.lower()]


def _names(raw: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in raw.split(",") if name.strip())


def _one_of(*names: str) -> Callable[[str], str]:
    return {name: name for name in names}.__getitem__


def _shares(raw: str) -> tuple[float, ...]:
    shares = tuple(float(share) for share in _names(raw))
    if list(shares) != sorted(set(shares)) or not all(0 < share <= 1 for share in shares):
        raise ValueError("not rising shares")
    return shares


def _webhook(raw: str) -> Secret:
    if not re.fullmatch(_WEBHOOK, raw, re.VERBOSE | re.IGNORECASE):
        raise ValueError("not a URL with https")
    return Secret(raw)


def _setting(parse: Callable[[str], Any], default: Any, doc: str, least: float = 0, most: float = float("inf")) -> Any:
    return field(default=default, metadata={"parse": parse, "doc": doc, "least": least, "most": most})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of all functions; each function's environment holds only those that it reads."""

    bucket: str = _setting(str, "sentiloop", "Name of the bucket.")
    max_text_chars: int = _setting(int, 10_000, "Longest text, in characters.", 1)
    max_batch: int = _setting(int, 100, "Most texts in one batch.", 1)
    max_body_bytes: int = _setting(int, 1_048_576, "Largest request body, in bytes.", 1_024)
    refresh_seconds: float = _setting(float, 3.0, "Seconds between two looks at the model pointer.")
    low_confidence: float | None = _setting(
        float, None, "Predictions below it are kept as samples; empty: the threshold in the model's manifest.", 0, 1
    )
    sample_share: float = _setting(float, 0.01, "Share of requests kept as samples whatever their confidence.", 0, 1)
    sample_seconds: float = _setting(
        float, 5.0, "Least seconds between two writes of samples by one instance; `0` writes with every request."
    )
    store_samples: bool = _setting(_switch, True, "`false` keeps no sample, and so no text of any prediction.")
    labels: tuple[str, ...] = _setting(
        _names, (), "Labels that a correction may use, comma-separated; empty: those of the bundled baseline."
    )
    contributor_key: Secret = _setting(Secret, Secret(), "Secret key of the hash that stands for a contributor.")
    contributor_max_rows: int = _setting(int, 1_000, "Most rows of one contributor in one snapshot.", 1)
    contributor_max_rows_per_day: int = _setting(int, 200, "Most rows of one contributor that one day brings.", 1)
    contributor_max_weight: float = _setting(
        float, 30.0, "Most that all rows of one contributor weigh together; a row weighs 0.25 to 4.", 0.01
    )
    feedback_half_life_days: float | None = _setting(
        float, None, "Days after which a correction weighs half; empty: it never ages.", 0.01
    )
    search_seconds: float = _setting(float, 60.0, "Most seconds that a run looks for hyper-parameters.")
    gate_level: float = _setting(float, 0.05, "Level of the paired test that a candidate has to pass.", 0, 1)
    gate_min_gain: float = _setting(float, 0.0, "Least gain in accuracy on the held-out rows.", 0, 1)
    gate_slice_drop: float = _setting(
        float, 0.02, "Largest fall in accuracy on a guarded slice that is not yet a reason to reject.", 0, 1
    )
    gate_calibration_rise: float = _setting(
        float, 0.02, "Largest rise of the calibration error that is not yet a reason to reject.", 0, 1
    )
    gate_behaviour_floor: float = _setting(
        float, 0.5, "Share of the cases of each behavioural check that a candidate has to pass.", 0, 1
    )
    review_max_samples: int = _setting(int, 2_000, "Newest samples that the review queue chooses from.", 1)
    admin_key: Secret = _setting(Secret, Secret(), "Key that the admin routes ask for; empty closes them.")
    retrain_function: str = _setting(str, "", "Function that `POST /v1/runs` starts; empty: none can be started there.")
    release: str = _setting(
        _one_of("at_once", "shadow", "canary"),
        "at_once",
        "How a candidate that passed the gate is released: `at_once`, after a trial in `shadow`, or as a `canary`.",
    )
    release_steps: tuple[float, ...] = _setting(
        _shares, (0.1, 0.5), "Shares of the clients that a canary answers, one after another, before all."
    )
    release_min_answers: int = _setting(
        int, 500, "Texts that a challenger has to have scored in a step before it goes on.", 1
    )
    release_min_hours: float = _setting(float, 24.0, "Hours that a step of a trial takes at least.")
    release_level: float = _setting(
        float, 0.05, "Chance that an equal challenger is withdrawn for being worse, over all looks at it.", 0, 1
    )
    release_max_disagreement: float = _setting(
        float, 0.3, "Share of texts that a challenger may answer differently before a person has to decide.", 0, 1
    )
    shadow_share: float = _setting(
        float, 1.0, "Share of requests that a challenger on trial scores beside the champion.", 0, 1
    )
    activity_seconds: float = _setting(
        float, 60.0, "Least seconds between two writes of what an instance counted; `0` writes with every request."
    )
    check_min_new: int = _setting(int, 100, "New corrections that make the hourly check start a retrain.", 1)
    check_cooldown_hours: float = _setting(
        float, 24.0, "Hours after a run before the hourly check starts another; erasures do not wait."
    )
    watch_days: float = _setting(float, 7.0, "Days back that the hourly check looks for staleness and drift.", 0.04)
    watch_min_samples: int = _setting(int, 200, "Samples by chance, or corrections, that a finding takes at least.", 1)
    drift_psi: float = _setting(
        float, 0.25, "Population stability index of length, confidence or score from which traffic has drifted."
    )
    drift_label_mix: float = _setting(
        float, 0.15, "Change of a label's share of the answers from which traffic has drifted.", 0, 1
    )
    drift_confidence_drop: float = _setting(
        float, 0.10, "Fall of the mean confidence, as a part of it, from which traffic has drifted.", 0, 1
    )
    drift_unseen: float = _setting(
        float, 0.15, "Rise of the share of words that the model never saw from which traffic has drifted.", 0, 1
    )
    drift_vocabulary: float = _setting(
        float, 0.1, "Jensen-Shannon distance of the frequent words' shares from which traffic has drifted.", 0, 1
    )
    drift_anomalies: float = _setting(
        float, 0.05, "Rise of the share of odd texts (overlong, repeated, of another alphabet) that is no chance.", 0, 1
    )
    stale_macro_f1: float = _setting(
        float, 0.80, "Macro F1 on recent fair corrections below which the model is stale.", 0, 1
    )
    stale_accuracy_drop: float = _setting(
        float, 0.05, "Fall of accuracy on recent fair corrections from which the model is stale.", 0, 1
    )
    alert_error_rate: float = _setting(float, 0.05, "Share of requests answered with a 5xx from which to alert.", 0, 1)
    alert_p95_ms: float = _setting(
        float, 500.0, "95th percentile of the latency, in milliseconds, from which to alert."
    )
    alert_quarantine_share: float = _setting(
        float, 0.2, "Share of new corrections that go to quarantine from which to alert.", 0, 1
    )
    alert_topic_arn: str = _setting(str, "", "SNS topic of the alerts; empty: none.")
    alert_webhook: Secret = _setting(
        _webhook, Secret(), "URL, with https, that gets each alert as Slack's JSON; it is kept secret. Empty: none."
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings from the `SENTILOOP_*` variables; an empty value means the default.

        Raises:
            SettingsError: for an unknown variable of ours, or a value of the wrong kind or out of range.
        """
        environ = os.environ if environ is None else environ
        given = {name: raw for name, raw in environ.items() if name.startswith(PREFIX)}
        known = {variable(setting.name): setting for setting in fields(cls)}
        if unknown := sorted(given.keys() - known.keys()):
            raise SettingsError(f"unknown settings: {', '.join(unknown)}")
        return cls(**{known[name].name: _read(name, raw, known[name].metadata) for name, raw in given.items() if raw})


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def _read(name: str, raw: str, rules: Mapping[str, Any]) -> Any:
    try:
        value = rules["parse"](raw)
    except (KeyError, ValueError):
        # The value may be a secret, so what is said is what it should be.
        hint = f"It is: {rules['doc']} {SettingsError.hint}"
        raise SettingsError(f"{name} has a value that does not parse", hint) from None
    if isinstance(value, int | float) and not rules["least"] <= value <= rules["most"]:
        raise SettingsError(f"{name} is {value}; it has to lie between {rules['least']} and {rules['most']}")
    return value
