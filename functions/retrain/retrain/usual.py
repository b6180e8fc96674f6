"""How many odd texts there are anyway: what long texts, foreign alphabets and repetitions are held against.

It is measured of base data alone, never of the traffic: of spam that a version learned with, no version should take
the next spam for usual.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrain.measures import alphabet_of, repeated_share
from retrain.near_duplicates import read_words

LONG = 0.99  # quantile beyond which a text is abnormally long
KNOWN_ALPHABET = 0.01  # least share of the texts that makes an alphabet a known one
REPEATED_ROWS = 500  # as many as a window has at most: the more texts, the more of them find one like them
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Usual:
    """What base data are like where traffic may be odd.

    Attributes:
        rows: how many texts were measured; of 0 nothing is known.
        longest: number of words that `LONG` of the texts do not exceed.
        longer: share of the texts that exceed it.
        alphabets: share of the texts in each; under the empty name those without a letter.
        repeated: share of near-duplicates among `REPEATED_ROWS` texts.
    """

    rows: int
    longest: float
    longer: float
    alphabets: Mapping[str, float]
    repeated: float

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Usual":
        """Measure texts, in an order that does not depend on what they say."""
        if not texts:
            return cls(0, 0.0, 0.0, {}, 0.0)
        lengths = read_words(texts).lengths
        longest = float(np.quantile(lengths, LONG, method="inverted_cdf"))
        alphabets = Counter(map(alphabet_of, texts))
        return cls(
            rows=len(texts),
            longest=longest,
            longer=round(float((lengths > longest).mean()), DIGITS),
            alphabets={name: round(count / len(texts), DIGITS) for name, count in sorted(alphabets.items())},
            repeated=round(repeated_share(texts[:REPEATED_ROWS]), DIGITS),
        )

    def strange_share(self) -> float:
        """Return the share of texts in an alphabet that is not known."""
        return sum(share for name, share in self.alphabets.items() if name and not self.knows(name))

    def knows(self, alphabet: str) -> bool:
        """Return whether texts in an alphabet are usual; those without a letter are."""
        return not alphabet or self.alphabets.get(alphabet, 0.0) >= KNOWN_ALPHABET
