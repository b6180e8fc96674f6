"""The contract of the feedback routes, as OpenAPI shows it."""

from pydantic import BaseModel, Field
from sentiloop.http import StrictModel


class FeedbackRequest(StrictModel):
    """A correction, or a confirmation when `correct_label` equals the predicted one."""

    text: str = Field(
        description="The text, as it was scored.", examples=["Sick gig, I was grinning all the way home."]
    )
    correct_label: str = Field(description="One of the model's labels.", examples=["positive"])
    predicted_label: str | None = Field(default=None, max_length=100)
    confidence: float | None = Field(default=None, ge=0, le=1)
    model_version: str | None = Field(default=None, max_length=100)
    prediction_id: str | None = Field(default=None, max_length=100)
    comment: str | None = Field(default=None, max_length=2_000)
    user: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Who of your users says so, by any id of yours: what one contributor can change is limited, and "
        "without it all who share your API key are one. Only a keyed hash of it is stored.",
    )


class Receipt(BaseModel):
    """What is known of a correction."""

    id: str
    status: str = Field(description="`stored`, `in_snapshot`, `learned`, `quarantined` or `erased`.")
    received_at: str | None = Field(default=None, description="When it was stored; an erased one does not tell.")
    snapshot: str | None = Field(default=None, description="Digest of the training data that holds it.")
    version: str | None = Field(default=None, description="The first promoted version that learned from it.")
    reason: str | None = Field(default=None, description="Why it is kept out of training.")
    erased_at: str | None = Field(default=None, description="When it was erased.")
