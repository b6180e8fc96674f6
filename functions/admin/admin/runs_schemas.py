"""The contract of the routes about retrain runs, as OpenAPI shows it."""

from typing import Any

from pydantic import BaseModel, Field

_INTERVAL = "95 % confidence interval of it, or null if none is known."


class RunCheck(BaseModel):
    """One thing that the gate looked at."""

    name: str = Field(description="Names it, the same in every run.")
    ok: bool = Field(description="Whether it passed.")
    finding: str = Field(description="What was found, in a sentence.")


class RunCorrections(BaseModel):
    """The corrections behind a run's training data."""

    stored: int = Field(description="All valid ones.")
    rows: int = Field(description="Texts that they came to.")
    left_out: dict[str, int] = Field(description="How many were left out, by the reason.")


class RunItem(BaseModel):
    """What a retrain run came to."""

    run_id: str = Field(description="Names it, as in `GET /v1/runs/{run_id}`.")
    at: str = Field(description="When it ended.")
    by: str | None = Field(description="Who asked for it: `schedule`, `check`, or a name; null: it is not recorded.")
    outcome: str = Field(description="`promoted`, `on_trial`, `held`, `rejected` or `skipped`.")
    reasons: list[str] = Field(description="Why, in sentences.")
    champion: str | None = Field(description="The version that was served; null: it is not recorded.")
    candidate: str | None = Field(description="The name of what was trained, published or not; null: nothing was.")
    version: str | None = Field(description="The version that it published, or went back to; null: none.")
    p_value: float | None = Field(description="Of the gain, one-sided; null: nothing was judged.")
    repeats: str | None = Field(description="Of a skipped run the earlier one that decided the same; null: none.")
    snapshot: str | None = Field(description="Digest of the training data; null: it is not recorded.")
    checks: list[RunCheck] = Field(description="What the gate looked at, in its order.")
    metrics: dict[str, float] = Field(description="Of the candidate, on the held-out rows.")
    corrections: RunCorrections | None = Field(description="Null: they are not recorded.")


class RunList(BaseModel):
    """Retrain runs, the newest first."""

    items: list[RunItem]
    next: str | None = Field(description="`before` of the next page; null: there is none.")
    unreadable: int = Field(description="Records of this page that cannot be read, and are left out.")


class RunComparison(BaseModel):
    """Champion and candidate on the same rows, or behavioural cases."""

    name: str = Field(description="What the rows have in common; `all` of them come first.")
    rows: int = Field(description="How many there are.")
    champion_correct: int = Field(description="Rows that the champion gets right.")
    candidate_correct: int = Field(description="Rows that the candidate gets right.")
    gained: int = Field(description="Rows that only the candidate gets right.")
    lost: int = Field(description="Rows that only the champion gets right.")
    gain: float = Field(description="In accuracy: the candidate's less the champion's.")
    gain_interval: tuple[float, float] | None = Field(default=None, description=_INTERVAL)
    champion_interval: tuple[float, float] | None = Field(default=None, description=_INTERVAL)
    candidate_interval: tuple[float, float] | None = Field(default=None, description=_INTERVAL)


class SourceNoise(BaseModel):
    """How many labels of a source are wrong, as estimated."""

    rows: int = Field(description="Rows that were looked at.")
    estimated_share: float = Field(description="Share of them whose label is wrong.")
    interval: tuple[float, float] = Field(description="95 % bootstrap interval of it.")


class LabelNoise(BaseModel):
    """How many labels of the training data are wrong, as estimated; no row is removed because of it."""

    sources: dict[str, SourceNoise] = Field(description="By source; those with few rows are not looked at.")
    suspicious: int = Field(description="How many rows the record names as the most suspicious, 20 at most.")


class RunDetails(RunItem):
    """All about a run."""

    comparisons: list[RunComparison] = Field(description="All rows first, then slices, then behavioural cases.")
    label_noise: LabelNoise
    parameters: dict[str, Any] = Field(description="What the candidate was trained with, besides the data.")
    gate: dict[str, float] = Field(description="Settings of the gate.")
    anchor: str | None = Field(description="The model of the base data that the candidate was adapted from.")
    rows: dict[str, dict[str, int]] = Field(description="Rows of the data by side (`train`, `holdout`) and label.")
