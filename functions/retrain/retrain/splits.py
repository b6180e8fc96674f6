"""Which side of the split a text is on: decided by a hash of the text alone, so that no row ever changes side."""

from hashlib import sha256

HOLDOUT = "holdout"
TRAIN = "train"
HOLDOUT_SHARE = 0.2
_DECLARED = {"train": TRAIN, "dev": HOLDOUT, "test": HOLDOUT}


def side_of(key: str) -> str:
    """Return the side of a text, given its key; a fifth of all texts is held out, of every label alike."""
    return HOLDOUT if int.from_bytes(sha256(key.encode()).digest()[:8]) < HOLDOUT_SHARE * 2**64 else TRAIN


def declared_side(split: str | None, key: str) -> str:
    """Return the side of a base row: as its source declares it, else by hash."""
    return _DECLARED[split] if split in _DECLARED else side_of(key)
