"""A simulated lab for the benchmark of the judge: worlds that rows are drawn from, liars, and the loop of versions.

Candidates, verdicts and choices come from the functions that fine-tuning calls. Versions answer by scikit-learn's
`predict` on rows in single precision, which a bundle must agree with before it is registered.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np

from common.bundle.export import Tested
from common.bundle.outliers import outlier_scorer_for
from common.confusion import confusion
from common.judgement.gate import ANCHOR, CHAMPION, REFUSED, Evidence, Judgement, Rules, Verdict, judge, pick
from common.problem import Classifier, Ints, Problem, Rows, Table, as_float32, get_problem
from common.split import split
from finetune.candidates import candidates, ways
from finetune.evidence import TRUTHS, UNLABELLED
from finetune.gate import Promotion, aliases_for, by_threshold

SEED = 0
BATCH = 5  # corrections that start a fine-tuning
EVERYTHING = 5_000  # rows on which the true accuracy is measured
SYNTHESIZED = 1_000  # rows of travel insurance, at least
TOLERANCE = 0.02  # a loss of true accuracy above it is harm

Draw = Callable[[int, np.random.Generator], Table]


@dataclass(frozen=True)
class World:
    """A problem, its candidate, a source of rows, and the numbers of rows to train and to test on."""

    problem: Problem
    candidate: int
    draw: Draw
    train: int
    test: int


@cache
def world_of(name: str) -> World:
    """Return the world of a problem, with as many rows of train.csv and test.csv as the lab has."""
    logging.getLogger(f"problems.{name}").setLevel(logging.ERROR)  # no warning of synthetic data
    problem = get_problem(name)
    if name == "travel_insurance":
        from problems.travel_insurance import synthesize

        return World(problem, 0, from_many(synthesize), 37_373, 12_458)
    candidate, train, test = {"iris": (7, 120, 30), "breast_cancer": (1, 56, 513)}[name]
    return World(problem, candidate, gaussian(problem.load(None), logarithms=name == "breast_cancer"), train, test)


def from_many(draw: Draw) -> Draw:
    """Return a source whose rows are among at least 1 000: the synthetic claims are the most likely rows of a draw."""

    def drawn(rows: int, rng: np.random.Generator) -> Table:
        return first(draw(max(rows, SYNTHESIZED), rng), rows)

    return drawn


def gaussian(table: Table, *, logarithms: bool) -> Draw:
    """Return a source of rows from one Gaussian for each class, with the shares, means and covariances of `table`.

    With `logarithms` the Gaussians are those of log(x + 1 % of the column's mean): skewed sizes stay positive.
    """
    offset = table.X.mean(axis=0) / 100
    forth, back = (lambda X: np.log(X + offset), lambda X: np.exp(X) - offset) if logarithms else (np.array, np.array)
    known = [forth(table.X[table.y == label]) for label in np.unique(table.y)]
    moments = [(X.mean(axis=0), np.cov(X.T)) for X in known]
    shares = np.bincount(table.y) / len(table.y)

    def draw(rows: int, rng: np.random.Generator) -> Table:
        y = rng.choice(len(shares), rows, p=shares)
        X = np.empty((rows, table.X.shape[1]))
        for label, (mean, covariance) in enumerate(moments):
            X[y == label] = back(rng.multivariate_normal(mean, covariance, int((y == label).sum())))
        return Table(X.clip(0.0), y)

    return draw


def longer_petals(draw: Draw) -> Draw:
    """Return a source of the same flowers whose petals are measured 25 % too long."""

    def changed(rows: int, rng: np.random.Generator) -> Table:
        table = draw(rows, rng)
        return Table(table.X * (1.0, 1.0, 1.25, 1.25), table.y)

    return changed


@dataclass
class Version:
    """A fitted model, with its true accuracy and recalls."""

    model: Classifier
    accuracy: float
    recalls: list[float]

    def answers(self, X: Rows) -> Ints:
        """Answer rows as clients send them."""
        return answers(self.model, X)


@dataclass(frozen=True)
class Outcome:
    """One fine-tuning.

    Attributes:
        verdict: the verdict on the candidate that was picked; of the threshold gate *accepted* or *refused*.
        served: whether the candidate became champion.
        change: the candidate's true accuracy minus that of the champion before.
        champion: the champion after it.
        candidate: the candidate that was picked.
        way: how it has learnt.
    """

    verdict: str
    served: bool
    change: float
    champion: Version
    candidate: Version
    way: str


@dataclass
class Lab:
    """A lab whose versions learn corrections.

    Attributes:
        world: the problem, and its source of rows at the time of training.
        seed: makes train.csv, test.csv and all that comes.
        gate: `evidence`, or `threshold`: today's rule, right on 90 % of test.csv.
        promotion: `cautious` serves what is accepted; `optimistic` also what nothing speaks against.
        only: a way to learn, if there is to be one alone.
        truths: ground truths that come before each batch of corrections.
        silent: predictions without ground truth that come before each batch.
    """

    world: World
    seed: int
    gate: str = "evidence"
    promotion: Promotion = "optimistic"
    only: str = ""
    truths: int = 40
    silent: int = 160

    def __post_init__(self) -> None:
        """Train the first version."""
        self.rng = np.random.default_rng(self.seed)
        self.train = _as_read(self.world.draw(self.world.train, self.rng))
        self.test = as_sent(self.world.draw(self.world.test, self.rng))
        fitting, validation = split(self.train)
        self.base = self.world.problem.candidates()[self.world.candidate].fit(fitting.X, fitting.y)
        self.scorer = outlier_scorer_for(self.world.problem, fitting, validation)
        self.learnt = self.waiting = first(self.train, 0)
        self.tries, self.test_counts = 0, True
        self.live_in(self.world.draw)

    def live_in(self, draw: Draw) -> None:
        """Let rows come from this source from now on, as the first version answers; the log begins anew."""
        self.draw: Draw = lambda rows, rng: as_sent(draw(rows, rng))
        self.everything = self.draw(EVERYTHING, np.random.default_rng(self.seed + 1_000_000))
        self.live = self.log = first(self.test, 0)
        self.first = self.champion = self.anchor = self.version(self.base)

    def version(self, model: Any) -> Version:
        """Return a model with its true accuracy in the world as it is."""
        right = answers(model, self.everything.X) == self.everything.y
        recalls = [float(right[self.everything.y == label].mean()) for label in np.unique(self.everything.y)]
        return Version(model, float(right.mean()), recalls)

    def come(self, truths: int, silent: int) -> None:
        """Let predictions come, of which some get their ground truth."""
        self.live = newest(self.draw(truths, self.rng), self.live, TRUTHS)
        fresh = self.draw(silent, self.rng)
        if self.scorer:
            usual = self.scorer.score(fresh.X) >= self.scorer.threshold
            fresh = Table(fresh.X[usual], fresh.y[usual])
        self.log = newest(fresh, self.log, UNLABELLED)

    def learn(self, batch: Table) -> Outcome:
        """Let predictions come, then fine-tune with a batch of corrections."""
        self.come(self.truths, self.silent)
        return self.fine_tune(batch)

    def fine_tune(self, batch: Table) -> Outcome:
        """Make candidates with a batch of corrections, judge them, and give the best one its aliases."""
        problem, before = self.world.problem, self.champion
        self.waiting = join(self.waiting, batch)
        learnt = join(self.learnt, self.waiting)
        if self.only:
            models: Mapping[str, Classifier] = {self.only: ways(problem)[self.only](self.base, self.train, learnt)}
        else:
            models = candidates(problem, self.base, self.train, learnt)
        made = {way: self.version(model) for way, model in models.items()}
        way, verdict, aliases = self.by_threshold(made) if self.gate == "threshold" else self.by_evidence(made)
        candidate = made[way]
        if aliases:
            self.learnt, self.waiting = learnt, first(batch, 0)
        elif verdict == REFUSED:
            # Corrections that an earlier judgement found without effect are not to blame.
            self.waiting = first(self.waiting, len(self.waiting.y) - len(batch.y))
        if CHAMPION in aliases:
            self.champion = candidate
        change = candidate.accuracy - before.accuracy
        return Outcome(verdict, CHAMPION in aliases, change, self.champion, candidate, way)

    def by_threshold(self, made: Mapping[str, Version]) -> tuple[str, Verdict, Sequence[str]]:
        """Return the candidate that is best on test.csv, the verdict on it, and its aliases."""
        classes, test = len(self.world.problem.target.classes), self.test
        matrices = {way: confusion(test.y, version.answers(test.X), classes) for way, version in made.items()}
        # The threshold looks at the matrix alone, so that no bundle is needed.
        tested = {way: Tested(cast("Any", None), cast("Any", None), matrix, None) for way, matrix in matrices.items()}
        checked = by_threshold(self.world.problem, tested)
        return checked.name, checked.verdict, checked.aliases

    def by_evidence(self, made: Mapping[str, Version]) -> tuple[str, Verdict, Sequence[str]]:
        """Return the candidate that the judge likes best, its verdict, and its aliases; move the anchor if it moves."""
        self.tries += 1
        judgements = {way: self.judge(version) for way, version in made.items()}
        way = pick(judgements)
        aliases = aliases_for(judgements[way], self.promotion)
        if ANCHOR in aliases:
            self.anchor, self.tries, self.live = made[way], 0, first(self.live, 0)
            self.test_counts = self.test_counts and not judgements[way].world_changed
        return way, judgements[way].verdict, aliases

    def judge(self, candidate: Version) -> Judgement:
        """Judge a candidate on the evidence there is."""
        test = self.test if self.test_counts else first(self.test, 0)
        rows = join(join(self.live, self.log), test)
        truth = np.concatenate([self.live.y, np.full(len(self.log.y), -1), test.y])
        fresh = np.arange(len(truth)) < len(truth) - len(test.y)
        evidence = Evidence(truth, fresh, [str(row) if live else "" for row, live in enumerate(fresh)])
        X = self.waiting.X
        taught = (self.waiting.y, self.champion.answers(X), candidate.answers(X))
        rules = Rules(self.world.problem.margin, tries=self.tries)
        candidates_, champion, anchor = (each.answers(rows.X) for each in (candidate, self.champion, self.anchor))
        return judge(candidates_, champion, anchor, evidence, taught, rules, self.world.problem.target.classes)


def answers(model: Classifier, X: Rows) -> Ints:
    """Return the class indices `[rows]` of rows in single precision."""
    return np.asarray(model.predict(X), dtype=np.int64)


def as_sent(table: Table) -> Table:
    """Return rows in single precision, as a service answers and logs them."""
    return Table(as_float32(table.X), table.y.astype(np.int64))


def _as_read(table: Table) -> Table:
    return Table(table.X, table.y.astype(np.int64))


def first(table: Table, rows: int) -> Table:
    """Return the first rows."""
    return Table(table.X[:rows], table.y[:rows])


def newest(fresh: Table, old: Table, most: int) -> Table:
    """Return fresh rows before old ones, at most `most`."""
    return first(join(fresh, old), most)


def join(one: Table, other: Table) -> Table:
    """Return the rows of both, in this order."""
    return Table(np.concatenate([one.X, other.X]), np.concatenate([one.y, other.y]))
