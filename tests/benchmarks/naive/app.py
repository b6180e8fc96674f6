"""What `make bench-cold` compares our start with: one route on FastAPI, and a scikit-learn pipeline from joblib."""

import json
import os
import uuid
from pathlib import Path
from typing import Any

import boto3
import joblib
import pandas as pd
from fastapi import FastAPI
from mangum import Mangum
from pydantic import BaseModel

DOUBTFUL = 0.55  # below this confidence a text is kept, to be labelled

s3 = boto3.client("s3")
pipeline = joblib.load(Path(__file__).with_name("model.joblib"))
app = FastAPI(title="Sentiment")
handler = Mangum(app)


class PredictRequest(BaseModel):
    """A text to judge."""

    text: str


class PredictResponse(BaseModel):
    """The likeliest label and its probability."""

    label: str
    confidence: float


@app.post("/v1/predict")
def predict(request: PredictRequest) -> PredictResponse:
    """Judge a text."""
    rows = pd.DataFrame({"text": [request.text]})
    probabilities: list[float] = pipeline.predict_proba(rows["text"])[0].tolist()
    confidence = max(probabilities)
    label = str(pipeline.classes_[probabilities.index(confidence)])
    if confidence < DOUBTFUL:
        keep({"text": request.text, "label": label, "confidence": confidence})
    return PredictResponse(label=label, confidence=confidence)


def keep(sample: dict[str, Any]) -> None:
    """Store a doubtful text."""
    body = json.dumps(sample).encode()
    s3.put_object(Bucket=os.environ["SENTILOOP_BUCKET"], Key=f"doubtful/{uuid.uuid4()}.json", Body=body)
