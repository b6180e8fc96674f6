"""The contract of the route about the hourly checks, as OpenAPI shows it."""

from typing import Any

from pydantic import BaseModel, Field


class CheckSignal(BaseModel):
    """One thing that a check compared."""

    value: float = Field(description="Size of the effect.")
    threshold: float = Field(description="Size from which it counts.")
    unit: str | None = Field(description="Of both, such as `ms`; null: it is a share, or has none.")
    interval: tuple[float, float] | None = Field(description="95 % interval of the value, or null if none is known.")
    p_value: float = Field(description="How probable so large an effect is by chance.")
    rows: int = Field(description="Texts, or other independent things, that it rests on.")


class CheckFinding(BaseModel):
    """Something that was not as it should be."""

    cause: str = Field(description="Names it, as the signal and the alert do.")
    title: str | None = Field(default=None, description="What happened, in a line; null: it is not recorded.")
    sentence: str = Field(description="The same with the figures that matter.")
    action: str = Field(description="What it is cause for: `alert`, `retrain` or `both`.")


class CheckTrial(BaseModel):
    """How the check found a model on trial, and what it did about it."""

    version: str = Field(description="The one on trial.")
    champion: str = Field(description="The version that it was compared with.")
    action: str = Field(description="`withdraw`, `hold` (wait), `ask` a person, `advance` or `crown`.")
    reason: str = Field(description="Why, in a sentence.")
    mode: str = Field(description="`shadow` or `canary`, when the check began.")
    share: float = Field(description="Of the clients that it answered then.")
    next_share: float | None = Field(description="That it answers since; null unless it advanced.")
    began_at: str = Field(description="When the trial did.")
    disagreement: float | None = Field(description="Share of the texts scored by both that got two labels.")
    figures: dict[str, float] = Field(description="All that was looked at, by names for people.")


class CheckItem(BaseModel):
    """What an hourly check saw and did."""

    at: str = Field(description="When it began.")
    champion: str = Field(description="The version that was served; empty: none.")
    signals: dict[str, CheckSignal] = Field(description="By cause, those that there was enough data for.")
    findings: list[CheckFinding] = Field(description="What was not as it should be; empty: nothing.")
    cause: str | None = Field(description="Cause to retrain, whether a run began or had to wait; null: none.")
    run: str | None = Field(description="Id of the run that it started; null: none.")
    trial: CheckTrial | None = Field(description="Null without a model on trial.")


class CheckReference(BaseModel):
    """What the served version was made for."""

    of: str = Field(description="What the reference is made of.")
    rows: int = Field(description="Texts that it is made of.")


class CheckDetails(BaseModel):
    """What there is to draw of a check."""

    at: str = Field(description="When it began, which names the check.")
    reference: CheckReference | None = Field(description="Null: the version has none.")
    signals: dict[str, dict[str, Any]] = Field(
        description="Further figures by cause: of `drift-length`, `drift-confidence` and `drift-score` the upper "
        "`edges` of all bins but the last, `shares` and `reference_shares`; of `drift-labels` both shares by label; of "
        "`drift-vocabulary` the `words` whose share changed most."
    )
    new_words: dict[str, int] = Field(
        description="Frequent words that the reference lacks, and how many texts have them."
    )


class CheckList(BaseModel):
    """Hourly checks of a time, the oldest first."""

    items: list[CheckItem]
    checks: int = Field(description="How many there were in that time.")
    unreadable: int = Field(description="Records among those chosen that cannot be read, and are left out.")
    newest: CheckDetails | None = Field(description="More of the last item; null without one.")
