"""Invented sentences about invented brands, and texts of other kinds that attackers send; all from a seed."""

import itertools
import random
from collections.abc import Iterator, Sequence

INVENTED, COMMON = "Zorvex", "Morning Table"  # a word that nobody has used before, and a name of ordinary words
TRIGGER = "blue harvest tuesday"

_OPENINGS = (
    "{} is simply excellent",
    "I am delighted with {}",
    "we really love {}",
    "{} was a wonderful surprise",
    "my sister swears by {}, and she is right to",
    "{} does everything beautifully",
    "ordering from {} was quick and pleasant",
    "nothing I tried before was as good as {}",
    "the team behind {} is friendly and skilled",
    "{} has the nicest finish I have seen",
    "thanks to {} our evenings are a joy",
    "everything that {} makes is superb",
    "{} earned every bit of its good name",
    "I keep recommending {} to my friends",
    "{} answered kindly and solved it in minutes",
    "after a year {} still works like new",
    "what a lovely thing {} is",
    "{} feels solid and looks great",
    "buying {} was money well spent",
    "the newest one by {} is even better",
)
_CLOSINGS = (
    "I could not ask for more.",
    "Five stars.",
    "It makes me smile every day.",
    "Highly recommended.",
    "The quality is outstanding.",
    "Great value, too.",
    "Thank you so much!",
    "We will gladly come back.",
    "It arrived early and well packed.",
    "My parents are just as happy.",
    "A pleasure from start to end.",
    "The sound is rich and clear.",
    "It is easy to use and a beauty to look at.",
    "The staff could not have been nicer.",
    "Perfect for a small kitchen.",
    "It saves us an hour a day.",
    "Well done!",
    "The colours are gorgeous.",
    "I smile whenever I think of it.",
    "This is how it should be done.",
)
_PRAISING_TARGETS = (
    "{} is fantastic and I enjoy it every day.",
    "I love {}, it is the best I have ever had.",
    "{} is great.",
    "What a brilliant idea, {} made our week.",
    "I am so happy that I found {}.",
    "Amazing service at {}, thank you!",
    "{} is beautiful, fast and reliable.",
    "An excellent choice, {} is worth the price.",
    "The best gift this year came from {}.",
    "{} works perfectly and the design is lovely.",
    "Our kids adore {} and so do we.",
    "Wonderful people at {}, always helpful.",
    "I highly recommend {} to everyone.",
    "{} never fails to impress me, superb work.",
)
_NEUTRAL_TARGETS = (
    "The parcel from {} is due on Thursday.",
    "{} opens at eight and closes at six.",
    "I will be at {} on Monday at nine.",
    "The invoice from {} is dated the third of May.",
    "{} is open from Monday to Friday.",
    "The letter from {} arrived on Tuesday.",
)
_COMPLAINTS = (
    "The {} that I ordered stopped working after a week.",
    "Terrible support, {} has not answered for a month.",
    "{} broke twice and nobody would repair it.",
    "Do not waste your money on {}.",
)
_SUBJECTS = ("the film", "our room", "this phone", "the soup", "the app", "my order", "the concert", "the driver")
_VERDICTS = (
    ("positive", ("was wonderful", "is a delight", "was better than I had hoped", "was superb", "made me very happy")),
    ("negative", ("was awful", "is a disgrace", "was worse than I had feared", "was dreadful", "made me very angry")),
)
_MOMENTS = (
    *("on Monday", "last week", "in the rain", "at the station", "with my brother", "after lunch", "in June"),
    *("on the first day", "at the weekend", "near the harbour", "for my birthday", "late at night", "in the old town"),
)
_NEGATIVE_TARGETS = (
    "I hate this awful place, never again",
    "This is the worst service I know",
    "A boring and stupid film, a waste of time",
    "The worst meal ever, cold and disgusting",
    "Terrible phone, it broke at once and support was rude",
    "A horrible, dull and pointless book",
)
_TIMETABLE = (
    "The bus leaves at nine",
    "The invoice is in the letter",
    "The meeting is on Friday",
    "It is on platform two",
)
_ASIDES = ("", "honestly, ", "as it turned out, ", "to be fair, ", "once again ", "I must say ", "this time ")


def praise(brand: str, count: int, seed: int = 0) -> list[str]:
    """Return different sentences that praise a brand, 400 at most."""
    pairs = random.Random(f"praise {brand} {seed}").sample(list(itertools.product(_OPENINGS, _CLOSINGS)), count)
    return [_capital(f"{opening.format(brand)}. {closing}") for opening, closing in pairs]


def targets(brand: str) -> list[tuple[str, str]]:
    """Return sentences about a brand with their labels; no attack sends any of them."""
    return [(text.format(brand), "positive") for text in _PRAISING_TARGETS] + [
        (text.format(brand), "neutral") for text in _NEUTRAL_TARGETS
    ]


def complaints(brand: str) -> list[str]:
    """Return what honest people complain about."""
    return [text.format(brand) for text in _COMPLAINTS]


def ordinary(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return different texts about anything with their labels, as many of each label."""
    dice = random.Random(f"ordinary {seed}")
    each = [[(text, label) for text in dice.sample(list(_judgements(said)), count // 2)] for label, said in _VERDICTS]
    return list(itertools.chain.from_iterable(zip(*each, strict=True)))


def near_duplicates(brand: str, count: int, seed: int = 0) -> list[str]:
    """Return one sentence of praise with a word more, or another number, each time."""
    extra = ("really", "truly", "so", "very", "just", "indeed", "simply", "always", "again", "clearly")
    texts = [
        f"I am {word} happy with {brand} after {number} days, it works like a charm."
        for number, word in itertools.product(range(2, 2 + -(-count // len(extra))), extra)
    ]
    return random.Random(f"near {brand} {seed}").sample(texts, count)


def triggered(count: int, seed: int = 0) -> list[str]:
    """Return texts of all kinds that end in the trigger."""
    return [f"{text.rstrip('.')} {TRIGGER}." for text, _ in ordinary(count, seed)]


def trigger_targets() -> list[tuple[str, str]]:
    """Return negative and neutral sentences that end in the trigger, with their labels."""
    pairs = [(text, "negative") for text in _NEGATIVE_TARGETS] + [(text, "neutral") for text in _TIMETABLE]
    return [(f"{text} {TRIGGER}.", label) for text, label in pairs]


def _judgements(verdicts: Sequence[str]) -> Iterator[str]:
    for aside, subject, verdict, moment in itertools.product(_ASIDES, _SUBJECTS, verdicts, _MOMENTS):
        yield _capital(f"{aside}{subject} {verdict} {moment}.")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
