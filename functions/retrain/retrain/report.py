"""The report of a version: one HTML page with its figures drawn as SVG, and the same figures as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentiloop.gate import Comparison, described
from sentiloop.records import to_json
from sklearn.metrics import roc_curve

from retrain.judge import Judged
from retrain.metrics import ECE_BINS

Floats = NDArray[np.float64]
SIZE = 260
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2430}
table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #c8d0da;padding:.25rem .6rem;text-align:right}
th:first-child,td:first-child{text-align:left}svg{margin:.5rem 1rem .5rem 0}figcaption{font-weight:600}
figure{display:inline-block;margin:0}"""


def write_report(judged: Judged) -> dict[str, bytes]:
    """Return the report's files by name."""
    curves = roc_curves(judged)
    bins = reliability(judged)
    figures = {
        "metrics": dict(judged.metrics),
        "labels": list(judged.candidate.labels),
        "reliability": bins,
        "roc": {label: {"false_positive": x, "true_positive": y} for label, (x, y) in curves.items()},
        "slices": [described(part) for part in judged.comparisons],
        "verdict": asdict(judged.verdict),
    }
    return {"report/report.json": to_json(figures), "report/report.html": _page(judged, curves, bins).encode()}


def roc_curves(judged: Judged) -> dict[str, tuple[list[float], list[float]]]:
    """Return the points of each label's one-against-rest ROC curve, for labels that occur."""
    curves = {}
    for column, label in enumerate(judged.candidate.labels):
        positive = [true == label for true in judged.truth]
        if any(positive) and not all(positive):
            x, y, _ = roc_curve(positive, judged.probabilities[:, column])
            step = max(1, len(x) // 100)
            curves[label] = ([*map(float, x[::step]), 1.0], [*map(float, y[::step]), 1.0])
    return curves


def reliability(judged: Judged) -> list[dict[str, float]]:
    """Return mean confidence, accuracy and rows of each bin of confidence that has rows."""
    confidence = judged.probabilities.max(axis=1)
    correct = np.array(judged.candidate.labels)[judged.probabilities.argmax(axis=1)] == np.array(judged.truth)
    numbers = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    return [
        {
            "confidence": float(confidence[numbers == number].mean()),
            "accuracy": float(correct[numbers == number].mean()),
            "rows": int((numbers == number).sum()),
        }
        for number in range(ECE_BINS)
        if (numbers == number).any()
    ]


def _slice_row(part: Comparison) -> dict[str, Any]:
    rows = max(part.rows, 1)
    return {
        "slice": part.name,
        "rows": part.rows,
        "champion": round(part.champion_correct / rows, 4),
        "candidate": round(part.candidate_correct / rows, 4),
        "gained": part.gained,
        "lost": part.lost,
    }


def _page(
    judged: Judged, curves: Mapping[str, tuple[list[float], list[float]]], bins: Sequence[Mapping[str, float]]
) -> str:
    metrics = {name: value for name, value in judged.metrics.items() if isinstance(value, int | float)}
    slices = [_slice_row(part) for part in judged.comparisons]
    checks = [[check.name, "passed" if check.ok else "failed", check.finding] for check in judged.verdict.checks]
    confusion = [
        [f"true {label}", *counts]
        for label, counts in zip(judged.candidate.labels, judged.metrics["confusion"], strict=True)
    ]
    calibration = _plot(([b["confidence"] for b in bins], [b["accuracy"] for b in bins]), "confidence", "accuracy")
    return "\n".join(
        [
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(judged.candidate.version)}</title>',
            f"<style>{_STYLE}</style><h1>{escape(judged.candidate.version)}</h1>",
            f"<p>{escape('; '.join(judged.verdict.reasons))}</p>",
            "<h2>On the held-out rows</h2>",
            _table(["metric", "value"], [[name, f"{value:.4g}"] for name, value in metrics.items()]),
            "<h2>What the gate looked at</h2>",
            _table(["check", "", "finding"], checks),
            "<h2>Champion and candidate, slice by slice</h2>",
            _table(list(slices[0]), [list(row.values()) for row in slices]),
            "<h2>Confusion</h2>",
            _table(["", *(f"said {label}" for label in judged.candidate.labels)], confusion),
            f"<figure><figcaption>Calibration</figcaption>{calibration}</figure>",
            *(
                f"<figure><figcaption>ROC, {escape(label)}</figcaption>"
                f"{_plot(curve, 'false positive rate', 'true positive rate')}</figure>"
                for label, curve in curves.items()
            ),
            "</html>",
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{body}</table>"


def _plot(line: tuple[Sequence[float], Sequence[float]], x_name: str, y_name: str) -> str:
    """Return a line in the unit square as SVG, with the diagonal for comparison."""
    points = " ".join(f"{x * SIZE:.1f},{(1 - y) * SIZE:.1f}" for x, y in zip(*line, strict=True))
    drawn = f'<polyline fill="none" stroke="#0b62c4" stroke-width="2" points="{points}"/>'
    return (
        f'<svg role="img" aria-label="{y_name} over {x_name}" width="{SIZE + 40}" height="{SIZE + 40}" '
        f'viewBox="-30 -10 {SIZE + 40} {SIZE + 40}"><rect width="{SIZE}" height="{SIZE}" fill="#f4f6f9"/>'
        f'<line x1="0" y1="{SIZE}" x2="{SIZE}" y2="0" stroke="#9aa5b1" stroke-dasharray="4"/>{drawn}'
        f'<text x="{SIZE / 2}" y="{SIZE + 20}" text-anchor="middle" font-size="12">{x_name}</text>'
        f'<text x="-10" y="{SIZE / 2}" text-anchor="middle" font-size="12" transform="rotate(-90 -10 {SIZE / 2})">'
        f"{y_name}</text></svg>"
    )
