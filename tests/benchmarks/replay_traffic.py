"""Weeks of requests from a domain that the model has not seen, and what users report of the answers.

All chance is drawn once for each fold, before anybody answers: the methods that are compared meet the same requests,
the same eager users and the same luck, and differ in their answers only.
"""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from retrain.importer import read_path
from retrain.merge import text_key

Flags = NDArray[np.bool_]
LABELS = ("negative", "neutral", "positive")
FOLDS = 4  # one of them is the test, the others are the traffic
WEEKS = 5
REPORTED = 40  # mistakes a week that users correct, and answers that they confirm where they do
CONTRIBUTORS = 40
FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)


def read_domains(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the rows of each domain, columns text and label, each text once."""
    products = pd.concat(
        [pd.read_json(folder / "products" / f"{split}.jsonl.gz", lines=True) for split in ("train", "dev")]
    )
    domains = {str(name): rows for name, rows in products.groupby("domain")}
    domains["uci"] = pd.concat([read_rows(folder / "uci" / f"{name}.jsonl.gz") for name in ("amazon", "yelp")])
    domains["custrev"] = read_rows(folder / "custrev" / "test.jsonl.gz")
    return {name: _each_text_once(rows[["text", "label"]]) for name, rows in domains.items()}


def split(rows: pd.DataFrame, domain: str, fold: int) -> tuple[list[pd.DataFrame], pd.DataFrame]:
    """Return the traffic of each week, and the test rows, which are never asked about.

    Returns:
        The weeks, with the columns text, label, moment, contributor (who asks), eagerness (the most eager report
        first) and luck (for samples by chance); and the test, with text and label.
    """
    order = random.Random(domain).sample(range(len(rows)), len(rows))
    test = rows.iloc[order[fold::FOLDS]].reset_index(drop=True)
    asked = rows.iloc[[row for number, row in enumerate(order) if number % FOLDS != fold]]
    dice = random.Random(f"{domain} {fold}")
    requests = asked.assign(
        contributor=[f"{dice.randrange(CONTRIBUTORS):032x}" for _ in range(len(asked))],
        eagerness=[dice.random() for _ in range(len(asked))],
        luck=[dice.random() for _ in range(len(asked))],
    )
    weeks = []
    for number, places in enumerate(np.array_split(np.arange(len(requests)), WEEKS)):
        begin = FIRST_DAY + timedelta(weeks=number)
        moments = [begin + timedelta(weeks=1) * (place / len(places)) for place in range(len(places))]
        weeks.append(requests.iloc[places].assign(moment=moments).reset_index(drop=True))
    return weeks, test


def reported(week: pd.DataFrame, right: Flags, confirmations: bool) -> Flags:
    """Return which answers users report: mistakes, which they correct, and with `confirmations` as many right ones.

    Args:
        week: the requests.
        right: one a request, whether its answer was right.
        confirmations: whether users also say what was right.
    """
    found = np.zeros(len(week), bool)
    for kind in (~right, right) if confirmations else (~right,):
        eager = week["eagerness"].where(kind).nsmallest(REPORTED).dropna()
        found[eager.index] = True
    return found


def read_rows(path: Path) -> pd.DataFrame:
    """Return the rows of a file, columns text and label."""
    return pd.DataFrame([{"text": row.text, "label": row.label} for row in read_path(path)])


def _each_text_once(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[~rows["text"].map(text_key).duplicated()].reset_index(drop=True)
