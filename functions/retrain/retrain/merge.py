"""Step 2: one row a text, from corrections that repeat and contradict each other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from sentiloop.features import normalise
from sentiloop.records import Correction


@dataclass(frozen=True, slots=True)
class Merged:
    """What corrections came to.

    Attributes:
        rows: columns key, text, label, votes; one row a text, ordered by key.
        left_out: reason by correction id, for every correction that is in no row.
    """

    rows: pd.DataFrame
    left_out: Mapping[str, str]


def text_key(text: str) -> str:
    """Return what two texts have to share to count as the same: everything but case, width and white space."""
    return " ".join(normalise(text).split())


def merge_corrections(
    corrections: Sequence[Correction], labels: Collection[str], max_text_chars: int, contributor_max_rows: int
) -> Merged:
    """Resolve duplicates and conflicts.

    Of one contributor's corrections of a text the latest counts. Among contributors the majority decides; a tie leaves
    the text out. A contributor's rows beyond the cap are left out, the oldest first.
    """
    columns = ["id", "received_at", "contributor", "text", "label"]
    table = pd.DataFrame(
        [(entry.id, entry.received_at, entry.contributor, entry.text, entry.correct_label) for entry in corrections],
        columns=pd.Index(columns),
    ).astype("object")
    table["reason"] = None
    table["key"] = table["text"].map(text_key)
    _mark(table, ~table["label"].isin(list(labels)), "the model has no such label")
    _mark(table, table["text"].str.len() > max_text_chars, f"text longer than {max_text_chars} characters")
    _mark(table, table["key"] == "", "text is empty")

    table = table.sort_values(["received_at", "id"], kind="stable")
    _mark(table, _open(table).duplicated(["contributor", "key"], keep="last"), "replaced by a later correction")
    newest_first = _open(table).iloc[::-1].groupby("contributor").cumcount()
    _mark(table, newest_first >= contributor_max_rows, f"beyond {contributor_max_rows} rows of one contributor")

    votes = _open(table).groupby(["key", "label"]).size().rename("votes").reset_index()
    best = votes.groupby("key")["votes"].transform("max")
    winners = votes[votes["votes"] == best]
    tied = winners["key"].duplicated(keep=False)
    _mark(table, table["key"].isin(winners["key"][tied]), "contributors disagree evenly about this text")
    winners = winners[~tied]
    decided = table.merge(winners[["key", "label"]].rename(columns={"label": "winner"}), on="key", how="left")
    decided.index = table.index
    _mark(table, decided["winner"].notna() & (decided["winner"] != table["label"]), "most contributors say otherwise")

    texts = _open(table).drop_duplicates("key", keep="last")[["key", "text"]]
    rows = winners.merge(texts, on="key").sort_values("key", kind="stable")
    left_out = table[table["reason"].notna()]
    return Merged(
        rows=rows[["key", "text", "label", "votes"]].reset_index(drop=True),
        left_out=dict(zip(left_out["id"], left_out["reason"], strict=True)),
    )


def _open(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["reason"].isna()]


def _mark(table: pd.DataFrame, where: "pd.Series[bool]", reason: str) -> None:
    """Give the reason to the marked rows that have none yet; `where` may cover a part of the table."""
    marked = where[where].index.intersection(_open(table).index)
    table.loc[marked, "reason"] = reason
