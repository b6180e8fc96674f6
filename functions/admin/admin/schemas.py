"""The contract of the admin routes, as OpenAPI shows it."""

from pydantic import BaseModel, Field
from sentiloop.http import StrictModel
from sentiloop.review import REVIEWER, Action


class ReviewItem(BaseModel):
    """A sample that waits for a label."""

    sample_id: str = Field(description="Names it when it is answered.")
    text: str
    label: str = Field(description="The predicted label.")
    confidence: float
    probabilities: dict[str, float] = Field(description="Of all labels.")
    model_version: str = Field(description="The version that predicted it.")
    reason: str = Field(description="Why it was kept: `low_confidence` or `random`.")
    received_at: str
    similar: int = Field(description="Near-equal samples that are not asked about beside it.")
    why: str = Field(description="Why it is asked about, in a sentence.")


class ReviewProfit(BaseModel):
    """What the next retrain would make of reviewers' labels; gains in accuracy on such texts, from 0 to 1."""

    labels: int = Field(description="Given since the served version was made; skips and undone answers are left out.")
    corrected: int = Field(description="Of these, corrections; the others accept the prediction.")
    at_least: bool = Field(description="Whether there are more than are counted.")
    detectable_gain: float | None = Field(
        description="Least true gain that the gate would find with a chance of 0.8 on so many labels, if two models "
        "answer a fifth of them differently; null: none."
    )
    next_labels: int | None = Field(description="How many more make it clearly smaller; null: too many to tell.")
    next_detectable_gain: float | None = Field(description="The least gain with these.")
    sentence: str = Field(description="All this for a reviewer.")


class ReviewQueue(BaseModel):
    """The samples whose labels would help most, the most useful first."""

    items: list[ReviewItem]
    left: int = Field(description="Samples that wait, these included; near-equal ones count once.")
    profit: ReviewProfit | None = Field(description="Null where it is not known which version is served.")


class ReviewAnswer(StrictModel):
    """What a reviewer says about a sample."""

    action: Action = Field(
        description="`accept` the predicted label, `correct` it, `skip` the sample for good, or `undo` the answer.",
        examples=["correct"],
    )
    correct_label: str | None = Field(default=None, description="With `correct` only.", examples=["positive"])
    reviewer: str = Field(
        default=REVIEWER, min_length=1, max_length=100, description="Who answers; stored as a keyed hash."
    )


class ReviewReceipt(BaseModel):
    """What was stored of an answer; the last three for a label only."""

    sample_id: str
    action: str
    id: str | None = Field(default=None, description="The correction's id, for `GET /v1/feedback/{id}`.")
    status: str | None = Field(default=None, description="`stored`.")
    received_at: str | None = None
