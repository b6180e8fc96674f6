"""The feature function: what of a text the model sees.

A text becomes a sequence of tokens, and its tokens and pairs of neighbours become feature buckets:

- a word brings itself and the character n-grams inside it, which stand for its stem, prefix and ending;
- a word within a few tokens behind a negation brings itself once more, as a negated word;
- a pair of neighbours brings itself; the start and the end of the text are neighbours too.

Words, negated words and pairs are counted twice and n-grams once, because n-grams are many and say less. Buckets are
numbered by hashing. What a word brings depends on nothing else, so that a scorer can keep it, and the bucket of a pair
is one bit operation on numbers of its two words.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from operator import itemgetter
from typing import Any
from zlib import crc32

VERSION = 2  # raise it when anything below changes what a text becomes: weights fit one version only
NGRAM_LENGTHS = (4, 5, 6)
LONGEST_WORD = 40  # characters that count; longer ones are noise, and a bound on work per word
START, END = "\x02", "\x03"  # cannot be tokens: tokens are word characters, ! and ?
MAX_WIDTH = 2**22  # buckets of the widest table

_TOKEN = re.compile(r"\w++(?:'\w++)*+|[!?]")
_ASCII_TOKEN = re.compile(_TOKEN.pattern, re.ASCII)  # finds the same in a text of ASCII, in less time
_APOSTROPHES = str.maketrans(dict.fromkeys("‘’‛ʼʹ`′＇", "'"))
_SPREAD = (
    0x9E3779B97F4A7C15  # 2**64 over the golden ratio: a product with it has 96 bits, and the upper 64 are well mixed
)

NEGATION_REACH = 4  # tokens behind a negation that it may turn around
NEGATIONS = frozenset(
    {"not", "no", "never", "nothing", "nobody", "none", "neither", "nor", "cannot", "without", "hardly", "barely"}
    | {"aint", "isnt", "wasnt", "arent", "werent", "dont", "doesnt", "didnt", "wont", "wouldnt", "cant", "couldnt"}
    | {"shouldnt", "hasnt", "havent", "hadnt"}
)  # and every word that ends in n't


def normalise(text: str) -> str:
    """Return the text in one form of Unicode (NFKC), case and apostrophe."""
    if text.isascii():
        return text.lower().replace("`", "'")
    text = text.replace("´", "'")  # the one apostrophe that NFKC would take apart, into a space and an accent
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_APOSTROPHES)


def tokenise(text: str) -> list[str]:
    """Return the words of a text, with inner apostrophes, and every ! and ? by itself."""
    normal = normalise(text)
    return (_ASCII_TOKEN if normal.isascii() else _TOKEN).findall(normal)


def token_places(normal: str) -> Iterator[tuple[int, int]]:
    """Yield start and end, the end exclusive, of each token in a text that `normalise` returned, in order."""
    return (match.span() for match in _TOKEN.finditer(normal))


def is_negation(word: str) -> bool:
    """Return whether the word turns around what follows it."""
    return word in NEGATIONS or word.endswith("n't")


def negated(words: list[str]) -> list[str]:
    """Return the words that stand within reach behind a negation, each once a place; most texts have none."""
    if NEGATIONS.isdisjoint(words) and "n't" not in " ".join(words):  # the quick way out
        return []
    return [words[place] for place in negated_places(words)]


def negated_places(words: Sequence[str]) -> list[int]:
    """Return the places, counted from 0, of the words that stand within reach behind a negation, in order."""
    found, reach = [], 0
    for place, word in enumerate(words):
        if reach:
            found.append(place)
        reach = NEGATION_REACH if is_negation(word) else max(reach - 1, 0)
    return found


def hash_word(word: str) -> int:
    """Return the word's 32-bit hash."""
    try:
        return crc32(word.encode())
    except UnicodeEncodeError:  # half a surrogate pair
        return crc32(word.encode("utf-8", "surrogatepass"))


def word_buckets(word: str, width: int) -> list[int]:
    """Return the buckets of a token by itself: its own, then those of its n-grams.

    Args:
        word: a token.
        width: number of buckets of the table, a power of two.
    """
    mask = width - 1
    own = hash_word(word) & mask
    if word in "!?":
        return [own, own]
    if not word.isascii():
        return [own, own, *[hash_word(ngram) & mask for ngram in ngrams(word)]]
    marked = f"<{word[:LONGEST_WORD]}>".encode()  # an ASCII character is a byte: encode once, and cut bytes
    return [own, own, *[crc32(ngram) & mask for ngram in _cutter(len(marked))(marked)]]


def ngrams(word: str) -> list[str]:
    """Return the n-grams of `<word>`; the marks tell its ends from its middle."""
    if word in "!?":
        return []
    marked = f"<{word[:LONGEST_WORD]}>"
    return list(_cutter(len(marked))(marked))


@cache
def _cutter(length: int) -> Callable[[Any], tuple[Any, ...]]:
    """Return what cuts a string or bytes of a length into its n-grams, in one call: a scorer spends its time here."""
    parts = [slice(start, start + size) for size in NGRAM_LENGTHS for start in range(length - size + 1)]
    if len(parts) > 1:
        return itemgetter(*parts)
    return lambda marked: tuple(marked[part] for part in parts)  # itemgetter of one returns no tuple


def roles(word: str, width: int) -> tuple[int, int, int]:
    """Return three numbers below the width: of the word as left neighbour, as right neighbour, and negated."""
    spread, mask = hash_word(word) * _SPREAD, width - 1
    return spread >> 32 & mask, spread >> 54 & mask, spread >> 74 & mask


def negated_buckets(word: str, width: int) -> list[int]:
    """Return the buckets that a word brings in addition when it is negated."""
    return [roles(word, width)[2]] * 2


def pair_buckets(left: str, right: str, width: int) -> list[int]:
    """Return the buckets of two neighbours."""
    return [roles(left, width)[0] ^ roles(right, width)[1]] * 2
