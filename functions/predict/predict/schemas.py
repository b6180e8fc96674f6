"""The contract of the predict routes, as OpenAPI shows it."""

from typing import Any

from pydantic import BaseModel, Field
from sentiloop.http import StrictModel


class PredictRequest(StrictModel):
    """A text to score."""

    text: str = Field(description="1 to 10,000 characters.", examples=["The staff were lovely."])


class BatchRequest(StrictModel):
    """Texts to score in one request."""

    texts: list[Any] = Field(
        description="1 to 100 texts.",
        examples=[["I love it.", "It broke twice."]],
        json_schema_extra={"items": {"type": "string"}},
    )


class TermContribution(BaseModel):
    """What one term of the text added to the logit of each label."""

    term: str
    kind: str = Field(description="`word`, `negated` word, `pair` of neighbours, or `bias`, which every text gets.")
    contributions: dict[str, float]


class SpanContribution(BaseModel):
    """What one part of the text added to the logit of each label: its words, negated where they are, and half of each
    pair that they are part of; a pair with the start or the end of the text counts whole.
    """

    start: int = Field(description="Where it begins, in Unicode code points of `text`, counted from 0.")
    end: int = Field(description="Where it ends, exclusive, in Unicode code points.")
    contributions: dict[str, float] = Field(description="By label.")


class Explanation(BaseModel):
    """The exact sum behind the answer: contributions to a label add up to its logit; softmax makes probabilities."""

    terms: list[TermContribution] = Field(description="Largest effect first.")
    logits: dict[str, float]
    spans: list[SpanContribution] = Field(
        description="By place, in the order of the text, without overlap; with the bias they add up to the logits."
    )


class Prediction(BaseModel):
    """The answer to one text."""

    label: str
    confidence: float = Field(description="The calibrated probability of `label`.")
    probabilities: dict[str, float]
    model_version: str
    prediction_id: str = Field(description="Name it in a correction.")
    explanation: Explanation | None = None


class ItemError(BaseModel):
    """Why one text of a batch has no answer."""

    code: str
    message: str
    hint: str


class FailedItem(BaseModel):
    """Stands in the place of an answer."""

    error: ItemError


class BatchResponse(BaseModel):
    """The answers, in the order of the texts."""

    results: list[Prediction | FailedItem]
    model_version: str
    processing_time_ms: float


class ChallengerInfo(BaseModel):
    """A version on trial beside the one that is served."""

    version: str
    mode: str = Field(description="`shadow` answers nobody, `canary` answers a share of the clients.")
    share: float = Field(description="The share of the clients that it answers.")
    since: str = Field(description="When it got this mode and share.")
    began: str = Field(description="When the trial began.")
    problem: str | None = Field(description="Why it does not take part, though it should.")


class ModelInfo(BaseModel):
    """The model that answers at this moment."""

    version: str
    kind: str
    labels: list[str]
    since: str | None = Field(description="When it became the champion; null for the bundled baseline.")
    generation: int | None
    reason: str | None
    created_at: str | None
    low_confidence: dict[str, Any] = Field(description="The threshold in force and the share of errors it catches.")
    metrics: dict[str, Any]
    data: dict[str, Any] = Field(description="What it was trained on: snapshot, base data sets and corrections.")
    parents: list[str]
    challenger: ChallengerInfo | None
    pinned: bool = Field(description="Whether nothing but a person may change what is served.")


class Health(BaseModel):
    """`ok`, or `degraded` while the bundled baseline or an outdated model answers; `problem` says why."""

    status: str
    model_version: str
    problem: str | None
