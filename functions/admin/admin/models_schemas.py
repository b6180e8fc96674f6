"""The contract of the routes about models, as OpenAPI shows it."""

from typing import Any

from pydantic import BaseModel, Field
from sentiloop.http import StrictModel
from sentiloop.pointer import Mode

LONGEST_NAME, LONGEST_REASON = 100, 500  # characters
_INTERVAL = "95 % confidence interval of it, or null if none is known."


class TrialEntry(BaseModel):
    """A version on trial beside the champion."""

    version: str
    mode: str = Field(description="`shadow` answers nobody, `canary` a share of the clients.")
    share: float = Field(description="Share of the clients that it answers.")
    began_at: str
    step_at: str = Field(description="Since when it has this mode and share.")


class PointerEntry(BaseModel):
    """What the pointer said after one move: what was served, and by whose act and why."""

    generation: int = Field(description="Number of the move.")
    at: str
    by: str
    reason: str
    champion: str = Field(description="The version that was served.")
    challenger: TrialEntry | None = Field(description="The version on trial, if any.")
    pinned: bool = Field(description="Whether nothing but a person could move the pointer.")


class TenureEntry(BaseModel):
    """When a version was champion, as far as the newest 1,000 moves tell."""

    since: str = Field(description="Begin of its latest time.")
    until: str | None = Field(description="End of that time; null while it lasts.")
    seconds: float = Field(description="All its times together.")


class ModelSummary(BaseModel):
    """A published version."""

    version: str
    kind: str = Field(
        description="`trained`, `baseline`, `anchor` (of base data alone), `incomplete`, or `missing`: files are gone."
    )
    role: str | None = Field(description="`champion`, `challenger`, or null.")
    erased: bool = Field(description="Whether it learned from corrections that were erased since.")
    created_at: str | None
    parents: list[str] = Field(description="What it was made to replace.")
    snapshot: str | None = Field(description="Digest of the data that it learned from.")
    base_rows: int | None = Field(description="Rows of base data behind it; null: not known.")
    feedback_rows: int = Field(description="Corrected texts behind it.")
    metrics: dict[str, Any] = Field(description="On the rows that were held out when it was made.")
    accuracy_interval: tuple[float, float] | None = Field(description="95 % confidence interval of the accuracy.")
    served: TenureEntry | None = Field(description="When it was champion; null: not in the newest 1,000 moves.")


class ModelList(BaseModel):
    """Versions, those that were moved or made last first."""

    items: list[ModelSummary]
    versions: int = Field(description="How many there are in all.")
    pinned: bool = Field(description="Whether nothing but a person may move the pointer.")
    problem: str | None = Field(
        description="That the pointer is gone, so that the roles are those of the newest move on record; else null."
    )


class SliceFigures(BaseModel):
    """Accuracy of two versions, a and b, on the same held-out rows."""

    name: str
    rows: int
    a: float
    b: float
    gain: float = Field(description="b less a.")
    interval: tuple[float, float] | None = Field(description=_INTERVAL)


class ModelDetails(BaseModel):
    """All about a version."""

    summary: ModelSummary
    manifest: dict[str, Any] = Field(description="Without the list of frequent words.")
    slices: list[SliceFigures] = Field(description="Its parent (a) and itself (b), as the gate judged them.")
    moves: list[PointerEntry] = Field(description="Those of the newest 1,000 moves that name it, the newest first.")


class FigureRow(BaseModel):
    """A metric of two versions, each on the rows that were held out when the version was made."""

    name: str
    a: float | None
    b: float | None
    a_interval: tuple[float, float] | None = Field(description=_INTERVAL)
    b_interval: tuple[float, float] | None = Field(description=_INTERVAL)


class WordRow(BaseModel):
    """What a word by itself adds to each label's log odds in two versions."""

    word: str
    texts: int = Field(description="How many of the sampled texts have it.")
    a: dict[str, float]
    b: dict[str, float]


class AnswerRow(BaseModel):
    """A sampled text that two versions label differently."""

    id: str = Field(description="Of the sample.")
    received_at: str
    text: str
    a_label: str
    a_confidence: float
    b_label: str
    b_confidence: float


class AnswerFigures(BaseModel):
    """What two versions say of sampled texts."""

    texts: int = Field(description="How many both scored.")
    changed: int = Field(description="How many of them got another label.")
    flips: dict[str, int] = Field(description="How often which label turned into which, as `neutral>positive`.")
    examples: list[AnswerRow] = Field(description="Those with another label, the surest first.")


class ModelComparison(BaseModel):
    """Two versions side by side."""

    a: str
    b: str
    figures: list[FigureRow] = Field(description="Comparable only as far as the rows behind them are the same.")
    slices: list[SliceFigures] = Field(description="If the gate judged one of them against the other.")
    words: list[WordRow] = Field(description="Whose effect moved most, of those that are known in clear.")
    answers: AnswerFigures


class PointerHistory(BaseModel):
    """Moves of the pointer, the newest first."""

    items: list[PointerEntry]
    next: int | None = Field(description="`before` of the next page; null: there is none.")


class ServedAt(BaseModel):
    """What was served at a moment."""

    at: str
    served: PointerEntry | None = Field(description="The move that held then; null: before the first.")


class MoveRequest(StrictModel):
    """Who asks for a move of the pointer, and why."""

    by: str = Field(min_length=1, max_length=LONGEST_NAME, description="Who asks.", examples=["ada"])
    reason: str = Field(
        min_length=1, max_length=LONGEST_REASON, description="Why; kept for good, so name no customer in it."
    )


class PromoteRequest(MoveRequest):
    """What to expect when a version is promoted."""

    expected: str | None = Field(default=None, description="The version that has to be served until then, if given.")
    force: bool = Field(default=False, description="Even if it learned from corrections that were erased since.")


class TrialRequest(PromoteRequest):
    """How to try a version beside the champion."""

    mode: Mode = Field(description="`shadow` answers nobody, `canary` a share of the clients.")
    share: float = Field(default=0.0, ge=0, le=1, description="Of the clients: above 0 in canary, 0 in shadow.")


class WithdrawRequest(MoveRequest):
    """Which trial to end."""

    version: str | None = Field(default=None, description="The version that has to be on trial, if given.")


class RollbackRequest(MoveRequest):
    """Away from which version to go."""

    away_from: str | None = Field(
        default=None,
        alias="from",
        description="The version that is to go. Give it: a request that is repeated without it goes back once more.",
    )


class MoveReceipt(BaseModel):
    """What the pointer says after a request."""

    moved: bool = Field(description="Whether it was moved for this request; false: it was so already.")
    now: PointerEntry
