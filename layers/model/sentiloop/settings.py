"""One frozen, typed settings object, read once from the environment."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sentiloop.errors import SettingsError

PREFIX = "SENTILOOP_"


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
    check_min_new: int = _setting(int, 100, "New corrections that make the hourly check start a retrain.", 1)

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
        raise SettingsError(f"{name} has a value that does not parse") from None  # the value may be a secret
    if isinstance(value, int | float) and not rules["least"] <= value <= rules["most"]:
        raise SettingsError(f"{name} is {value}; it has to lie between {rules['least']} and {rules['most']}")
    return value
