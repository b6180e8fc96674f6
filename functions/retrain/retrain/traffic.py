"""What texts the service is asked about: kept samples, drawn once for a snapshot and stored with it."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from hashlib import sha256
from itertools import islice

import pandas as pd
from sentiloop.errors import ObjectNotFoundError, RecordError
from sentiloop.records import Sample, to_lines
from sentiloop.review_samples import SAMPLES
from sentiloop.storage import ObjectStore, create

from retrain.collect import SNAPSHOTS
from retrain.merge import text_key
from retrain.snapshot import Snapshot

FILE = "samples.jsonl.gz"
DAYS = 30  # how far back traffic still looks like that of today
READERS = 16


def draw_samples(store: ObjectStore, snapshot: Snapshot, most: int) -> pd.DataFrame:
    """Return samples of the days up to the newest correction, without those that were corrected.

    They are stored with the snapshot, and whoever comes again gets the same: samples expire, and new ones come in all
    the time, but what a model was trained on has to stay.

    Returns:
        Columns key, text and reason: why the sample was kept, because of its low confidence or by chance.
    """
    key = f"{SNAPSHOTS}{snapshot.digest}/{FILE}"
    try:
        body = store.get(key).body
    except ObjectNotFoundError:
        drawn = _draw(store, snapshot, most)
        create(store, key, gzip.compress(to_lines(drawn), mtime=0))
        body = store.get(key).body
    samples = [Sample.from_line(line) for line in gzip.decompress(body).splitlines()]
    rows = [(text_key(sample.text), sample.text, sample.reason) for sample in samples]
    return pd.DataFrame(rows, columns=pd.Index(["key", "text", "reason"]))


def _draw(store: ObjectStore, snapshot: Snapshot, most: int) -> list[Sample]:
    corrected = set(snapshot.rows["key"])
    until = max((entry.received_at for entry in snapshot.corrections), default="")
    drawn: dict[str, Sample] = {}
    for sample in _newest_first(store, until) if until else ():
        key = text_key(sample.text)
        if key and key not in corrected and sample.received_at <= until:
            drawn.setdefault(key, sample)
        if len(drawn) >= most:
            break
    return sorted(drawn.values(), key=lambda sample: sha256(sample.id.encode()).digest())


def _newest_first(store: ObjectStore, until: str) -> Iterator[Sample]:
    """Yield the samples of one day after another, backwards."""
    last = date.fromisoformat(until[:10])
    with ThreadPoolExecutor(READERS) as pool:
        for back in range(min(DAYS, (last - date.min).days)):
            keys = store.keys(f"{SAMPLES}dt={(last - timedelta(days=back)).isoformat()}/")
            while batch := list(islice(keys, READERS)):
                for stored in pool.map(store.get, batch):
                    yield from _parse(stored.body)


def _parse(body: bytes) -> Iterator[Sample]:
    for line in body.splitlines():
        try:
            yield Sample.from_line(line)
        except RecordError:
            continue  # a sample more or less; corrections are what may not be lost
