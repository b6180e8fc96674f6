"""`make bench-trials`: how often a canary is withdrawn that is as good as the champion, worse or better, and how soon.

Each simulated canary meets clients of its own, of very different traffic and eagerness to report; some report all that
happens to them, many times a day. The clients draw their version, the reports are weighed and the trial is decided by
what the hourly check uses; the models' answers and the users are simulated.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median

import numpy as np
from numpy.typing import NDArray
from retrain.evidence import Report, Step, weigh
from retrain.side_by_side import Counts
from retrain.trials import Known, decide
from sentiloop import trial
from sentiloop.pointer import Challenger, Target
from sentiloop.records import timestamp
from sentiloop.settings import Settings

from tests.benchmarks.bench import closing_lines

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
CANARIES = 200
SETTINGS = Settings()
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MEAN_DELAY_HOURS = 0.25  # between an answer and its report
LEAST_WITHDRAWN = 0.9  # of those that are 5 points worse


@dataclass(frozen=True, slots=True)
class World:
    """What a canary meets.

    Attributes:
        name: what is printed.
        lost: share of the texts that only the champion gets right.
        gained: share of the texts that only the challenger gets right.
        texts_an_hour: traffic.
        clients: who draw a version.
        users: who report; more than clients where many share one.
        step_hours: least hours of a step.
        is_uneven: whether each version is the better one for half of the users, though they are equal on the whole.
    """

    name: str
    lost: float = 0.05
    gained: float = 0.05
    texts_an_hour: int = 1_000
    clients: int = 2_000
    users: int = 2_000
    step_hours: float = 24.0
    is_uneven: bool = False


@dataclass(frozen=True, slots=True)
class Users:
    """Simulated users, all arrays with one entry each.

    Attributes:
        client: whose version a user gets.
        upto: cumulative shares of the traffic.
        lost: share of a user's texts that only the champion gets right.
        gained: share that only the challenger gets right.
        reports: share of the mistakes that a user reports; users of one client are alike.
        confirms: share of the right answers that a user confirms.
    """

    client: NDArray[np.int64]
    upto: Floats
    lost: Floats
    gained: Floats
    reports: Floats
    confirms: Floats

    @classmethod
    def draw(cls, dice: np.random.Generator, world: World) -> "Users":
        """Draw users: a hundredth sends 20 times as much as others and reports all, of the others many nothing."""
        count = world.users
        is_heavy = dice.random(count) < 0.01
        traffic = dice.lognormal(0, 1, count) * np.where(is_heavy, 20, 1)
        differences = dice.gamma(2, 0.5, count)  # how much a user's texts divide the versions: 1 on average
        tilt = np.where(dice.random(count) < 0.5, 0.1, 1.9) if world.is_uneven else np.ones(count)
        client = dice.integers(0, world.clients, count) if world.clients < count else np.arange(count)
        return cls(
            client=client,
            upto=np.cumsum(traffic / traffic.sum()),
            lost=np.minimum(world.lost * differences * tilt, 0.4),
            gained=np.minimum(world.gained * differences * (2 - tilt), 0.4),
            reports=np.where(is_heavy, 1.0, dice.beta(0.3, 2.7, world.clients)[client]),  # a tenth on average
            confirms=np.where(is_heavy, 0.5, dice.beta(0.1, 4.9, world.clients)[client]),  # a fiftieth
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """How a canary ended: withdraw or crown, after how many hours and texts, and how many labels told it apart."""

    action: str
    hours: int
    texts: int
    labels: int


class Canary:
    """One simulated canary.

    Args:
        number: names it, and seeds its chance.
        world: what it meets.
        settings: how it is decided.
    """

    def __init__(self, number: int, world: World, settings: Settings) -> None:
        self._dice = np.random.default_rng(number)
        self._world = world
        self._settings = settings
        self._users = Users.draw(self._dice, world)
        self._challenger = self._at(f"v{number}", settings.release_steps[0], BEGIN)
        self._arms = self._drawn()
        self._received: list[Report] = []
        self._under_way: list[Report] = []
        self._steps = [Step(BEGIN, None, self._challenger.share)]
        self._answers: list[NDArray[np.int64]] = [np.zeros(2, int)]  # a step: of the champion and of the challenger
        self._differences = 0

    def run(self) -> Ended:
        """Look every hour until it ends."""
        hour = 0
        while True:
            self._serve(BEGIN + hour * HOUR)
            hour += 1
            moment = BEGIN + hour * HOUR
            known = self._known(moment)
            decision = decide(known, self._settings, moment)
            if decision.action in ("withdraw", "crown"):
                return Ended(decision.action, hour, int(sum(map(sum, self._answers))), known.evidence.labels)
            if decision.action == "advance":
                self._advance(decision.next_share or 1.0, moment)

    def _serve(self, since: datetime) -> None:
        """Let an hour's texts be answered and reported."""
        dice, users = self._dice, self._users
        count = int(dice.poisson(self._world.texts_an_hour))
        who = np.searchsorted(users.upto, dice.random(count) * users.upto[-1])
        drawn = dice.random(count)
        lost = drawn < users.lost[who]
        gained = ~lost & (drawn < users.lost[who] + users.gained[who])
        by_challenger = self._arms[who]
        is_right = np.where(by_challenger, gained, lost)  # where exactly one version is; elsewhere it does not matter
        told = dice.random(count) < np.where(is_right, users.confirms[who], users.reports[who])
        for number in np.flatnonzero((lost | gained) & told):
            delay = float(dice.uniform() + dice.exponential(MEAN_DELAY_HOURS))
            self._under_way.append(
                Report(
                    contributor=str(who[number]),
                    text=f"{since} {number}",
                    at=since + delay * HOUR,
                    trusted=False,
                    by_challenger=bool(by_challenger[number]),
                    champion_right=bool(lost[number]),
                    challenger_right=bool(gained[number]),
                )
            )
        self._answers[-1] += (count - by_challenger.sum(), by_challenger.sum())
        self._differences += int((lost | gained).sum())

    def _known(self, moment: datetime) -> Known:
        self._received += sorted((each for each in self._under_way if each.at <= moment), key=lambda each: each.at)
        self._under_way = [each for each in self._under_way if each.at > moment]
        steps = [
            replace(step, answered=counts[1] / max(counts.sum(), 1))
            for step, counts in zip(self._steps, self._answers, strict=True)
        ]
        evidence = weigh(self._received, steps)
        counts = self._counts(sum(self._answers, np.zeros(2, int)), self._differences)
        return Known("champion", self._challenger, evidence, counts, self._counts(self._answers[-1], 0), judged=True)

    def _counts(self, answers: NDArray[np.int64], differences: int) -> Counts:
        champion, challenger = map(int, answers)
        beside = {"texts": champion + challenger, "flips": {"a>b": differences}}
        return Counts({"answers": champion}, {"answers": challenger, "beside": beside})

    def _advance(self, share: float, moment: datetime) -> None:
        self._steps = [*self._steps[:-1], replace(self._steps[-1], until=moment), Step(moment, None, share)]
        self._answers.append(np.zeros(2, int))
        self._challenger = self._at(self._challenger.target.version, share, moment)
        self._arms = self._drawn()

    def _drawn(self) -> Flags:
        """Return which users the challenger answers."""
        clients = [trial.answers(self._challenger, str(client)) for client in range(self._world.clients)]
        return np.array(clients)[self._users.client]

    @staticmethod
    def _at(version: str, share: float, since: datetime) -> Challenger:
        return Challenger(Target(version, ""), "canary", share, timestamp(BEGIN), timestamp(since))


def simulate(world: World, canaries: int = CANARIES) -> Sequence[Ended]:
    """Run canaries in a world, print what became of them, and return it."""
    settings = replace(SETTINGS, release_min_hours=world.step_hours)
    ended = [Canary(number, world, settings).run() for number in range(canaries)]
    withdrawn = [each for each in ended if each.action == "withdraw"]
    crowned = [each.hours for each in ended if each.action == "crown"]
    until = (
        f"{median(each.hours for each in withdrawn):7.0f} {median(each.texts for each in withdrawn):8.0f} "
        f"{median(each.labels for each in withdrawn):7.0f}"
        if withdrawn
        else f"{'-':>7} {'-':>8} {'-':>7}"
    )
    hours = f"{median(crowned):8.0f}" if crowned else f"{'-':>8}"
    print(f"{world.name:66} {world.texts_an_hour:6} {share_withdrawn(ended):9.3f} {until} {hours}", flush=True)
    return ended


def share_withdrawn(ended: Sequence[Ended]) -> float:
    """Return the share of canaries that were withdrawn."""
    return sum(each.action == "withdraw" for each in ended) / len(ended)


def worse(texts_an_hour: int = 1_000) -> World:
    """Return a world in which the challenger is 5 points worse, with a tenth of the texts telling them apart."""
    return World("5 points worse", lost=0.075, gained=0.025, texts_an_hour=texts_an_hour)


def main() -> int:
    """Run all simulations, and return the exit status."""
    level, steps = SETTINGS.release_level, ", ".join(f"{share:.0%}" for share in SETTINGS.release_steps)
    print(f"{CANARIES} canaries each, steps {steps}, looked at every hour, level {level}; medians until the end")
    print(f"{'':66} texts/h withdrawn   hours    texts  labels  crowned")
    equal = [
        simulate(World("equal")),
        simulate(World("equal, a fifth of the texts divides them, three days a step", 0.1, 0.1, 300, step_hours=72)),
        simulate(World("equal, all users behind one client", clients=1)),
    ]
    found = [share_withdrawn(simulate(worse(traffic))) for traffic in (100, 300, 1_000)]
    simulate(replace(worse(300), name="5 points worse, three days a step", step_hours=72))
    simulate(World("5 points worse, a fifth of the texts divides them", lost=0.125, gained=0.075))
    better = simulate(World("5 points better", lost=0.025, gained=0.075))
    print("assumptions broken:")
    simulate(World("equal, all users behind ten clients", clients=10))
    simulate(World("equal on the whole, each better for half of the users", is_uneven=True))
    return closing_lines(
        [
            ("trials-equal-withdrawn", max(map(share_withdrawn, equal)), "share", level, False),
            ("trials-better-withdrawn", share_withdrawn(better), "share", level, False),
            ("trials-worse-withdrawn", found[-1], "share", LEAST_WITHDRAWN, True),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
