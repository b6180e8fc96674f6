"""The feature function: what of a text the model sees.

A text becomes a sequence of tokens, and its tokens and pairs of neighbours become feature buckets:

- a word brings itself and the character n-grams inside it, which stand for its stem, prefix and ending;
- a word within a few tokens behind a negation brings itself once more, as a negated word;
- a pair of neighbours brings itself; the start and the end of the text are neighbours too.

Words, negated words and pairs are counted twice and n-grams once, because n-grams are many and say less. Buckets are
numbered by hashing. Whatever a word or a pair brings depends on nothing else, so that a scorer can keep it as
one small tuple.
"""

import re
import unicodedata
from zlib import crc32

VERSION = 1  # raise it when anything below changes what a text becomes: weights fit one version only
NGRAM_LENGTHS = (4, 5, 6)
LONGEST_WORD = 40  # characters that count; longer ones are noise, and a bound on work per word
START, END = "\x02", "\x03"  # cannot be tokens: tokens are word characters, ! and ?

_TOKEN = re.compile(r"\w+(?:'\w+)*|[!?]")
_APOSTROPHES = str.maketrans(dict.fromkeys("‘’‛ʼʹ`′＇", "'"))
_UINT32 = 0xFFFFFFFF
# Odd 32-bit constants from the golden ratio and from xxHash's primes: they spread neighbouring hashes.
LEFT_FACTOR, RIGHT_FACTOR, NEGATED_SALT = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D

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
    return _TOKEN.findall(normalise(text))


def is_negation(word: str) -> bool:
    """Return whether the word turns around what follows it."""
    return word in NEGATIONS or word.endswith("n't")


def negated(words: list[str]) -> list[str]:
    """Return the words that stand within reach behind a negation, each once a place; most texts have none."""
    if NEGATIONS.isdisjoint(words) and "n't" not in " ".join(words):  # the quick way out
        return []
    found, reach = [], 0
    for word in words:
        if reach:
            found.append(word)
        reach = NEGATION_REACH if is_negation(word) else max(reach - 1, 0)
    return found


def hash_word(word: str) -> int:
    """Return the word's 32-bit hash, which its pairs are hashed from."""
    return crc32(word.encode("utf-8", "surrogatepass"))


def word_buckets(word: str, width: int) -> list[int]:
    """Return the buckets of a token by itself: its own, then those of its n-grams.

    Args:
        word: a token.
        width: number of buckets of the table, a power of two.
    """
    own = hash_word(word) & (width - 1)
    return [own, own, *(hash_word(ngram) & (width - 1) for ngram in ngrams(word))]


def ngrams(word: str) -> list[str]:
    """Return the n-grams of `<word>`; the marks tell its ends from its middle."""
    if word in "!?":
        return []
    marked = f"<{word[:LONGEST_WORD]}>"
    last = len(marked)
    return [marked[start : start + size] for size in NGRAM_LENGTHS for start in range(last - size + 1)]


def negated_buckets(word: str, width: int) -> list[int]:
    """Return the buckets that a word brings in addition when it is negated."""
    return [mix(hash_word(word), 0, NEGATED_SALT) & (width - 1)] * 2


def pair_buckets(left: str, right: str, width: int) -> list[int]:
    """Return the buckets of two neighbours."""
    return [mix(hash_word(left), hash_word(right), 0) & (width - 1)] * 2


def mix(left: int, right: int, salt: int) -> int:
    """Return a 32-bit hash of two; made of arithmetic that numpy has as well."""
    mixed = (left * LEFT_FACTOR + right * RIGHT_FACTOR + salt) & _UINT32
    return mixed ^ (mixed >> 15)
