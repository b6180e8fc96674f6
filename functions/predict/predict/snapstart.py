"""SnapStart: what to do before Lambda takes its snapshot of a started instance, and after one is restored from it.

The runtime calls these hooks only on a function with SnapStart. What runs before the snapshot costs no request time.
"""

import random

from sentiloop.s3 import S3Store
from sentiloop.serving import LiveModel
from snapshot_restore_py import register_after_restore, register_before_snapshot


def register(live: LiveModel, store: S3Store) -> None:
    """Register both hooks for the model and the storage of this instance."""
    register_before_snapshot(prepare, live, store)
    register_after_restore(restore, live)


def prepare(live: LiveModel, store: S3Store) -> None:
    """Load what the first request would have to: the storage client, the pointer and the models it names."""
    live.refresh()
    served = live.current()
    for scorer in filter(None, (served.scorer, served.challenger)):
        scorer.score("Ready when you are.")
    store.close_connections()


def restore(live: LiveModel) -> None:
    """Tell this instance from the others of the same snapshot, and see what was published since it was taken."""
    random.seed()  # it draws samples; ids come from the operating system, which Lambda seeds anew
    live.refresh()
