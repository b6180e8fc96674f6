"""`make baseline`: train the model that is part of the layer, by the pipeline that retrains in production.

It is trained on three public data sets and judged on their test rows and on others that it never saw. Beside it stands
what retraining needs: the certainty of its weights, and the reference that traffic is held against.
"""

import argparse
import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from retrain import certainty, reference
from retrain.importer import read_path
from retrain.metrics import evaluate
from retrain.reference import make_reference
from retrain.splits import HOLDOUT, TRAIN
from retrain.train import Recipe, label_weights, train
from sentiloop.artefact import MANIFEST, WEIGHTS, Model
from sentiloop.bulk import BulkScorer

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "layers" / "model" / "sentiloop" / "baseline"
FOR_RETRAIN = ROOT / "functions" / "retrain" / "retrain" / "baseline"
# Sentences of reviews are few beside tweets and long reviews, and closest to what people send: each weighs as three.
TRAINED_ON = {"sst3": 3.0, "tweeteval": 1.0, "imdb": 1.0}
# Tweets are neutral far more often than what people write to a company about its product.
NEUTRAL_WEIGHT = 0.6
JUDGED_ON = ("sst3", "tweeteval", "imdb")


def main() -> int:
    """Train, judge and write the artefact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds a folder for each data set, with a file for each split")
    folder: Path = parser.parse_args().folder
    parts, base = [], []
    for name, weight in TRAINED_ON.items():
        file = folder / name / "train.jsonl.gz"
        rows = read_path(file)
        part = pd.DataFrame({"text": [row.text for row in rows], "label": [row.label for row in rows]})
        parts.append(part.assign(weight=np.where(part["label"] == "neutral", weight * NEUTRAL_WEIGHT, weight)))
        base.append(
            {"name": name, "digest": sha256(file.read_bytes()).hexdigest(), "rows": len(rows), "weight": weight}
        )
    recipe = Recipe(c=1.0)
    training = pd.concat(parts, ignore_index=True)
    trained = train(training, recipe)
    scorer = BulkScorer(trained.model("baseline"))
    metrics = _metrics(scorer, folder)
    description: dict[str, Any] = {
        "created_at": None,
        "parents": [],
        "parameters": {name: getattr(recipe, name) for name in recipe.__slots__},
        "metrics": metrics,
        "data": {"base": base, "feedback": {"stored": 0, "rows": 0}},
    }
    version = f"baseline-{sha256(trained.weights).hexdigest()[:8]}"
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / WEIGHTS).write_bytes(trained.weights)
    (FOLDER / MANIFEST).write_bytes(trained.manifest(version, description))
    FOR_RETRAIN.mkdir(exist_ok=True)
    found = certainty.certainty_of(
        trained.model(version), training["text"].tolist(), recipe.c * label_weights(training, recipe.balance)
    )
    (FOR_RETRAIN / certainty.FILE).write_bytes(certainty.dump(found))
    (FOR_RETRAIN / reference.FILE).write_bytes(reference_of(trained.model(version), folder))
    print(json.dumps({"version": version, **metrics}, indent=2))
    return 0


def reference_of(model: Model, folder: Path) -> bytes:
    """Return what the model was trained for, as a file."""
    return make_reference(model, rows_of_reference(folder)).dump()


def rows_of_reference(folder: Path) -> pd.DataFrame:
    """Return the training rows, and of the test rows of each data set as large a part as it has in training.

    Columns: text, label, source and side.
    """
    train = {name: _rows(folder, name, "train").assign(side=TRAIN) for name in TRAINED_ON}
    held = {name: _rows(folder, name, "test").assign(side=HOLDOUT) for name in TRAINED_ON}
    share = min(1.0, *(len(held[name]) / len(train[name]) for name in TRAINED_ON))
    drawn = [rows.sample(int(share * len(train[name])), random_state=0) for name, rows in held.items()]
    return pd.concat([*train.values(), *drawn], ignore_index=True)


def _rows(folder: Path, name: str, split: str) -> pd.DataFrame:
    rows = read_path(folder / name / f"{split}.jsonl.gz")
    return pd.DataFrame({"text": [row.text for row in rows], "label": [row.label for row in rows], "source": name})


def _metrics(scorer: BulkScorer, folder: Path) -> dict[str, Any]:
    """Return the figures on all test rows together, and the accuracy on each set."""
    probabilities, truth, by_set = [], [], {}
    for name in JUDGED_ON:
        rows = read_path(folder / name / "test.jsonl.gz")
        said, labels = scorer.probabilities([row.text for row in rows]), [row.label for row in rows]
        by_set[name] = {"rows": len(rows), "accuracy": evaluate(said, labels, scorer.model.labels)["accuracy"]}
        probabilities.append(said)
        truth += labels
    return {**evaluate(np.concatenate(probabilities), truth, scorer.model.labels), "by_set": by_set}


if __name__ == "__main__":
    sys.exit(main())
