"""How `./sentiloop models` shows versions, their differences and the moves of the pointer: as lines of text."""

from collections.abc import Iterable, Sequence
from typing import Any

from sentiloop.diff import ChangedAnswer, Figure, Slice
from sentiloop.history import Tenure
from sentiloop.models import Details, ModelDiff, Page, Summary
from sentiloop.moves import BRING_BACK, Moved
from sentiloop.pointer import Challenger, Pointer

from infra.cli.review import printable

LONGEST_TEXT = 300  # characters of a text that are shown
LONGEST_REASON = 120  # characters of a reason in a list of moves
_UNKNOWN = "-"
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def page(shown: Page) -> str:
    """Return a list of versions."""
    rows = [_summary_row(summary) for summary in shown.items]
    head = ["version", "kind", "role", "created", "served since", "served for", "accuracy", "macro F1", "feedback"]
    pinned = "; the pointer is pinned" if shown.pinned else ""
    lines = [_table(head, rows), f"{len(shown.items)} of {shown.versions} versions{pinned}"]
    if shown.problem:
        lines.append(f"{shown.problem}. {BRING_BACK}")
    return printable_lines(lines)


def details(shown: Details) -> str:
    """Return all about a version."""
    summary, data = shown.summary, shown.manifest.get("data", {})
    base = ", ".join(f"{entry['name']} {entry.get('rows', _UNKNOWN)}" for entry in data.get("base", []))
    lines = [
        f"{summary.version}: {summary.kind}{f', {summary.role}' if summary.role else ''}",
        f"  made      {summary.created_at or _UNKNOWN}, to replace {', '.join(summary.parents) or 'nothing'}",
        f"  served    {_tenure(summary.served)}",
        f"  snapshot  {summary.snapshot or _UNKNOWN}",
        f"  rows      base data: {base or _UNKNOWN}; corrected texts: {summary.feedback_rows}",
        f"  labels    {', '.join(shown.manifest.get('labels', []))}",
        f"  metrics   {_metrics(summary)}",
    ]
    if summary.erased:
        lines.append("  erased    it learned from corrections that were erased since: do not serve it")
    if shown.slices:
        lines += [
            "",
            "Parent (a) and itself (b) on the same held-out rows and behavioural cases:",
            slices(shown.slices),
        ]
    if shown.moves:
        lines += ["", "Moves that name it, the newest first:", moves(shown.moves)]
    return printable_lines(lines)


def comparison(shown: ModelDiff, most: int) -> str:
    """Return two versions side by side, with so many slices, words and texts at most."""
    answers = shown.answers
    flips = ", ".join(f"{flip} {count}" for flip, count in answers.flips.items())
    lines = [
        f"a {shown.a}, b {shown.b}",
        "",
        "Metrics, each on the rows that were held out when the version was made:",
        _table(["metric", "a", "b"], [_figure_row(figure) for figure in shown.figures]),
    ]
    if shown.slices:
        lines += [
            "",
            "Accuracy on the same held-out rows and behavioural cases, as the gate judged them:",
            slices(shown.slices[:most]),
        ]
    lines += ["", "Words whose effect moved most; log odds that a word by itself adds, a > b:"]
    lines += [_word_line(word.word, word.texts, word.a, word.b) for word in shown.words[:most]] or ["  none"]
    lines += [
        "",
        f"Answers to sampled texts: {answers.changed} of {answers.texts} differ{f'; {flips}' if flips else ''}",
    ]
    lines += [_answer_lines(answer) for answer in answers.examples[:most]]
    return printable_lines(lines)


def slices(shown: Iterable[Slice]) -> str:
    """Return slices as a table."""
    rows = [
        [part.name, str(part.rows), f"{part.a:.4f}", f"{part.b:.4f}", f"{part.gain:+.4f}{_interval(part.interval)}"]
        for part in shown
    ]
    return _table(["slice", "rows", "a", "b", "gain"], rows)


def moves(shown: Iterable[Pointer]) -> str:
    """Return moves of the pointer, one a line, with the beginning of a long reason."""
    return printable_lines(
        f"  {move.generation:>6}  {move.at}  {_state(move)}; {move.by}: {_cut(move.reason, LONGEST_REASON)}"
        for move in shown
    )


def served(moment: str, move: Pointer | None) -> str:
    """Return what was served at a moment."""
    if move is None:
        return f"{moment}: nothing yet"
    return printable_lines([f"{moment}: {_state(move)}", f"  since {move.at}, by {move.by}: {move.reason}"])


def moved(done: Moved, what: str = "Moved", safely: str = "") -> str:
    """Return what a move came to.

    Args:
        done: what it came to.
        what: it did, in a word.
        safely: what has to be added to the command so that it can be repeated.
    """
    first = what if done.moved else "Restored" if done.restored else "It was so already"
    again = f". To repeat it safely: {safely}" if safely else ""
    return printable_lines([f"{first}: generation {done.pointer.generation}, {_state(done.pointer)}{again}"])


def rollback_plan(leaving: str, target: str) -> str:
    """Return what a rollback is about to do."""
    return printable_lines([f"Leaving {leaving}, going back to {target}."])


def printable_lines(lines: Iterable[str]) -> str:
    """Join lines; what could write to the terminal is escaped in each."""
    return "\n".join(printable(part) for line in lines for part in line.split("\n"))


def _summary_row(summary: Summary) -> list[str]:
    tenure = summary.served
    return [
        summary.version,
        summary.kind + (" (erased)" if summary.erased else ""),
        summary.role or _UNKNOWN,
        (summary.created_at or _UNKNOWN)[:16],
        tenure.since[:16] if tenure else _UNKNOWN,
        _duration(tenure.seconds) if tenure else _UNKNOWN,
        _share(summary.metrics.get("accuracy")) + _interval(summary.accuracy_interval),
        _share(summary.metrics.get("macro_f1")),
        str(summary.feedback_rows),
    ]


def _metrics(summary: Summary) -> str:
    numbers = {name: value for name, value in summary.metrics.items() if isinstance(value, int | float)}
    told = [f"{name} {value:.4g}" for name, value in numbers.items()]
    interval = f"; accuracy within{_interval(summary.accuracy_interval)}" if summary.accuracy_interval else ""
    return (", ".join(told) or _UNKNOWN) + interval


def _tenure(tenure: Tenure | None) -> str:
    if tenure is None:
        return "not in the newest moves"
    return f"{tenure.since} to {tenure.until or 'now'}; {_duration(tenure.seconds)} in all"


def _state(move: Pointer) -> str:
    trial = f", {_trial(move.challenger)}" if move.challenger else ""
    return f"{move.champion.version} served{trial}{', pinned' if move.pinned else ''}"


def _trial(challenger: Challenger) -> str:
    share = f" for {challenger.share:.0%} of the clients" if challenger.share else ""
    return f"{challenger.target.version} on trial as {challenger.mode}{share}"


def _figure_row(figure: Figure) -> list[str]:
    return [
        figure.name,
        _number(figure.a) + _interval(figure.a_interval),
        _number(figure.b) + _interval(figure.b_interval),
    ]


def _word_line(word: str, texts: int, a: Any, b: Any) -> str:
    effects = "  ".join(f"{label} {a[label]:+.2f} > {b[label]:+.2f}" for label in a)
    return f"  {word:<20} {effects}  (in {texts} texts)"


def _answer_lines(answer: ChangedAnswer) -> str:
    said = f"{answer.a_label} {answer.a_confidence:.2f} > {answer.b_label} {answer.b_confidence:.2f}"
    text = _cut(answer.text, LONGEST_TEXT)
    return "\n".join([f"  {said}", *(f"    | {line}" for line in text.split("\n"))])


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + "…"


def _number(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.4g}" if value % 1 else f"{value:.0f}"


def _share(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else _UNKNOWN


def _interval(interval: tuple[float, float] | None) -> str:
    return f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.1f} days"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    )
