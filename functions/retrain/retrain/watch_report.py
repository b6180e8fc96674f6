"""The page of an hourly look: its findings, every figure, and the distributions drawn as SVG beside the reference's."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from sentiloop.check_records import UNITS
from sentiloop.records import to_json

from retrain.drift import Signal
from retrain.watch import Watched

WIDTH, HEIGHT = 440, 180
REFERENCE, PRESENT = "#9aa5b1", "#0b62c4"
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1c2430}
table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #c8d0da;padding:.25rem .6rem;text-align:right}
th:first-child,td:first-child{text-align:left}svg{margin:.5rem 1rem .5rem 0}figcaption{font-weight:600}
figure{display:inline-block;margin:0}pre{background:#f4f6f9;padding:1rem;white-space:pre-wrap;overflow-wrap:anywhere}"""
_LEADS_TO = {"alert": "alert", "retrain": "retrain", "both": "alert, retrain"}
_SHAPES = {"drift-length": "words", "drift-confidence": "confidence", "drift-score": "score"}


def write_report(watched: Watched, record: Mapping[str, Any]) -> bytes:
    """Return one self-contained HTML page.

    Args:
        watched: what the look saw.
        record: the check's own record, which stands at the end of the page.
    """
    at = escape(str(record.get("at", "")))
    signals = {signal.cause: signal for signal in watched.signals}
    found = [[f"{each.title}. {each.sentence}", each.cause, _LEADS_TO[each.action]] for each in watched.findings]
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Check {at}</title><style>{_STYLE}</style>',
        f"<h1>Check of {escape(watched.version)}, {at}</h1>",
        f"<p>{escape(_about_reference(watched))}</p>",
        "<h2>Findings</h2>",
        _table(["finding", "cause", "leads to"], found) if found else "<p>None.</p>",
        "<h2>What was looked at</h2>",
        _table(["cause", "value", "95 % interval", "threshold", "p-value", "rows"], map(_row, watched.signals)),
        "<h2>Now, beside the reference</h2>",
        f'<p><span style="color:{REFERENCE}">■</span> reference <span style="color:{PRESENT}">■</span> now</p>',
    ]
    parts += [_shape(signals[cause], name) for cause, name in _SHAPES.items() if cause in signals]
    if labels := signals.get("drift-labels"):
        known, now = labels.details["reference_shares"], labels.details["shares"]
        parts.append(_figure("answers", list(known), list(known.values()), list(now.values())))
    if words := signals.get("drift-vocabulary"):
        moved = words.details["words"]
        parts.append("<h2>Words whose share changed most beyond chance</h2>")
        rows = [[each["word"], f"{each['reference_share']:.4f}", f"{each['share']:.4f}"] for each in moved]
        parts.append(_table(["word", "reference", "now"], rows))
    if watched.new_words:
        parts.append("<h2>Frequent words now that are not among the reference's</h2>")
        parts.append(_table(["word", "texts that have it"], watched.new_words.items()))
    parts += _about_trial(record.get("trial"))
    parts += ["<h2>The record</h2>", f"<pre>{escape(to_json(dict(record)).decode())}</pre></html>"]
    return "\n".join(parts).encode()


def _about_reference(watched: Watched) -> str:
    if watched.reference is None:
        return "The version has no reference, so nothing is known of drift and staleness."
    return f"The reference is made of {watched.reference.rows} texts: {watched.reference.of}."


def _about_trial(trial: Mapping[str, Any] | None) -> list[str]:
    """Return where champion and challenger differ, if one is on trial."""
    if not trial:
        return []
    flips = [[flip, count] for flip, count in sorted(trial["flips"].items())]
    slices = [[name, each["texts"], f"{each['disagreement']:.1%}"] for name, each in trial["slices"].items()]
    return [
        f"<h2>{escape(trial['version'])}, on trial beside {escape(trial['champion'])}</h2>",
        f"<p>{escape(trial['action'])}: {escape(trial['reason'])}</p>",
        _table(["champion's label>challenger's", "texts"], flips) if flips else "<p>No text got two labels.</p>",
        _table(["slice of the texts", "texts", "got two labels"], slices) if slices else "",
    ]


def _row(signal: Signal) -> list[str]:
    unit = f" {UNITS[signal.cause]}" if signal.cause in UNITS else ""
    low_high = " to ".join(f"{end:.3g}" for end in signal.interval) if signal.interval else ""
    return [
        signal.cause,
        f"{signal.value:.3g}{unit}",
        low_high,
        f"{signal.threshold:.3g}{unit}",
        f"{signal.p_value:.2g}",
        str(signal.rows),
    ]


def _shape(signal: Signal, name: str) -> str:
    """Return the shares of the bins, each named by its upper edge."""
    edges = signal.details["edges"]
    shown = [f"{edge:.0f}" if abs(edge) >= 10 else f"{edge:.2g}" for edge in edges]  # noqa: PLR2004 - what fits below a bar
    names = [f"≤ {edge}" for edge in shown] + ([f"> {shown[-1]}"] if shown else ["all"])
    return _figure(name, names, signal.details["reference_shares"], signal.details["shares"])


def _figure(title: str, names: Sequence[str], known: Sequence[float], now: Sequence[float]) -> str:
    """Return shares as pairs of bars, with their names below."""
    step, most = WIDTH / len(names), max(*known, *now)
    bars = []
    for place, (name, *shares) in enumerate(zip(names, known, now, strict=True)):
        for number, (share, colour) in enumerate(zip(shares, (REFERENCE, PRESENT), strict=True)):
            left, height = step * (place + 0.1 + 0.4 * number), HEIGHT * share / most
            bars.append(
                f'<rect x="{left:.1f}" y="{HEIGHT - height:.1f}" width="{0.38 * step:.1f}" height="{height:.1f}" '
                f'fill="{colour}"><title>{escape(name)}: {share:.3f}</title></rect>'
            )
        middle = step * (place + 0.5)
        bars.append(
            f'<text x="{middle:.1f}" y="{HEIGHT + 14}" text-anchor="middle" font-size="9">{escape(name)}</text>'
        )
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg role="img" aria-label="shares of {escape(title)}" '
        f'width="{WIDTH}" height="{HEIGHT + 20}" viewBox="0 0 {WIDTH} {HEIGHT + 20}">{"".join(bars)}</svg></figure>'
    )


def _table(head: Sequence[str], rows: Any) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{body}</table>"
