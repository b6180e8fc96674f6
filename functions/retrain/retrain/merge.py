"""Step 2: one row a text, from corrections that repeat and contradict each other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from sentiloop.features import normalise
from sentiloop.records import REVIEWER, Correction


@dataclass(frozen=True, slots=True)
class Merged:
    """What corrections came to.

    Attributes:
        rows: one row a text, ordered by key, with the columns
            key, text, label;
            contributors: who says so, a sorted tuple;
            trusted: whether a reviewer is among them;
            received_at: of the newest of these corrections;
            selection: how the text came to be labelled, which says what it is evidence of: "mistake" or "confirmation",
            if users contradicted or confirmed the model, and "label", if nothing was predicted or a reviewer was asked.
        left_out: reason by correction id, for every correction that is in no row.
    """

    rows: pd.DataFrame
    left_out: Mapping[str, str]


def text_key(text: str) -> str:
    """Return what two texts have to share to count as the same: everything but case, width and white space."""
    return " ".join(normalise(text).split())


def merge_corrections(
    corrections: Sequence[Correction],
    labels: Collection[str],
    max_text_chars: int,
    contributor_max_rows: int,
    screened: Mapping[str, str] | None = None,
) -> Merged:
    """Resolve duplicates and conflicts.

    Of one contributor's corrections of a text the latest counts. A reviewer's word counts before that of others; among
    equals the majority decides, and a tie leaves the text out. A contributor's rows beyond the cap are left out, the
    oldest first; reviewers have none.

    Args:
        corrections: what to merge.
        labels: those that the model knows.
        max_text_chars: longer texts are left out.
        contributor_max_rows: the cap.
        screened: reason by id of corrections that wait in quarantine.
    """
    table = pd.DataFrame(
        [
            (
                entry.id,
                entry.received_at,
                entry.contributor,
                entry.text,
                entry.correct_label,
                entry.source == REVIEWER,
                _selection(entry),
            )
            for entry in corrections
        ],
        columns=pd.Index(["id", "received_at", "contributor", "text", "label", "trusted", "selection"]),
    ).astype({"id": "object", "text": "object", "contributor": "object", "trusted": bool})
    table["key"] = table["text"].map(text_key)
    table["reason"] = table["id"].map(screened or {}).astype("object").where(lambda reason: reason.notna(), None)
    _mark(table, ~table["label"].isin(list(labels)), "the model has no such label")
    _mark(table, table["text"].str.len() > max_text_chars, f"text longer than {max_text_chars} characters")
    _mark(table, table["key"] == "", "text is empty")

    table = table.sort_values(["received_at", "id"], kind="stable")
    _mark(table, _open(table).duplicated(["contributor", "key"], keep="last"), "replaced by a later correction")
    newest_first = _open(table)[~_open(table)["trusted"]].iloc[::-1].groupby("contributor").cumcount()
    _mark(table, newest_first >= contributor_max_rows, f"beyond {contributor_max_rows} rows of one contributor")

    votes = _open(table).groupby(["key", "label"])["trusted"].agg(trusted="sum", votes="size").reset_index()
    best = votes.sort_values(["key", "trusted", "votes"], kind="stable").drop_duplicates("key", keep="last")
    winners = votes.merge(best[["key", "trusted", "votes"]], on=["key", "trusted", "votes"])
    tied = winners["key"].duplicated(keep=False)
    _mark(table, table["key"].isin(winners["key"][tied]), "contributors disagree evenly about this text")
    winners = winners[~tied]
    decided = table["key"].map(winners.set_index("key")["label"])
    _mark(table, decided.notna() & (decided != table["label"]), "most contributors, or a reviewer, say otherwise")

    left_out = table[table["reason"].notna()]
    return Merged(rows=_rows(_open(table)), left_out=dict(zip(left_out["id"], left_out["reason"], strict=True)))


def _selection(correction: Correction) -> str:
    if correction.source == REVIEWER or correction.predicted_label is None:
        return "label"
    return "confirmation" if correction.predicted_label == correction.correct_label else "mistake"


def _rows(kept: pd.DataFrame) -> pd.DataFrame:
    """Return one row a text from corrections that agree, oldest first; the newest gives text and selection."""
    texts = kept.groupby("key", sort=True)
    rows = texts[["text", "label", "received_at", "selection"]].last()
    rows["contributors"] = texts["contributor"].agg(sorted).map(tuple)
    rows["trusted"] = texts["trusted"].any()
    return rows.reset_index()[["key", "text", "label", "contributors", "trusted", "received_at", "selection"]]


def _open(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["reason"].isna()]


def _mark(table: pd.DataFrame, where: "pd.Series[bool]", reason: str) -> None:
    """Give the reason to the marked rows that have none yet; `where` may cover a part of the table."""
    marked = where[where].index.intersection(_open(table).index)
    table.loc[marked, "reason"] = reason
