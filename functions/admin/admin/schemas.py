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


class ReviewQueue(BaseModel):
    """The samples whose labels would help most, the most useful first."""

    items: list[ReviewItem]
    left: int = Field(description="Samples that wait, these included; near-equal ones count once.")


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
