"""A simulated lab for the benchmark of the judge: worlds that rows are drawn from, liars, and the loop of versions.

Candidates, verdicts and choices come from the functions that fine-tuning calls. Versions answer by scikit-learn's
`predict` on rows in single precision, which a bundle must agree with before it is registered.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from common.bundle.outliers import outlier_scorer_for
from common.judgement.gate import ACCEPTED, INSUFFICIENT, NO_EFFECT, Evidence, Judgement, Rules, judge, pick
from common.problem import Classifier, Ints, Problem, Rows, Table, as_float32, get_problem
from common.split import split
from finetune.candidates import candidates, ways

BATCH = 5  # corrections that start a fine-tuning
TRUTHS, SILENT = 500, 1_000  # most rows of the evidence with and without ground truth
EVERYTHING = 5_000  # rows on which the true accuracy is measured
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

        return World(problem, 0, synthesize, 37_373, 12_458)
    candidate, train, test = {"iris": (7, 120, 30), "breast_cancer": (1, 56, 513)}[name]
    return World(problem, candidate, gaussian(problem.load(None), logarithms=name == "breast_cancer"), train, test)


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
        """Answer rows as the service does."""
        return np.asarray(self.model.predict(as_float32(X)), dtype=np.int64)


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
    promotion: str = "cautious"
    only: str = ""
    truths: int = 40
    silent: int = 160
    keep_idle: bool = False

    def __post_init__(self) -> None:
        """Train the first version."""
        self.rng = np.random.default_rng(self.seed)
        self.draw = self.world.draw
        self.train, self.test = (as_read(self.draw(rows, self.rng)) for rows in (self.world.train, self.world.test))
        fitting, validation = split(self.train)
        self.base = self.world.problem.candidates()[self.world.candidate].fit(fitting.X, fitting.y)
        self.scorer = outlier_scorer_for(self.world.problem, fitting, validation)
        self.learnt, self.tries, self.test_counts = _none(self.train), 0, True
        self.change_world(self.draw)
        self.champion = self.anchor = self.first = self.version(self.base)

    def change_world(self, draw: Draw) -> None:
        """Let rows come from another source from now on; what the log has of the old one is gone."""
        self.draw = draw
        self.everything = draw(EVERYTHING, np.random.default_rng(self.seed + 1_000_000))
        self.live, self.log = _none(self.train), _none(self.train)
        self.champion = self.anchor = self.version(self.champion.model) if hasattr(self, "champion") else None

    def version(self, model: Any) -> Version:
        """Return a model with its true accuracy in the world as it is."""
        right = np.asarray(model.predict(as_float32(self.everything.X))) == self.everything.y
        recalls = [float(right[self.everything.y == label].mean()) for label in np.unique(self.everything.y)]
        return Version(model, float(right.mean()), recalls)

    def come(self, truths: int, silent: int) -> None:
        """Let predictions come, of which some get their ground truth."""
        self.live = newest(self.draw(truths, self.rng), self.live, TRUTHS)
        fresh = self.draw(silent, self.rng)
        if self.scorer:
            usual = self.scorer.score(fresh.X) >= self.scorer.threshold
            fresh = Table(fresh.X[usual], fresh.y[usual])
        self.log = newest(fresh, self.log, SILENT)

    def learn(self, batch: Table) -> Outcome:
        """Make candidates with a batch of corrections, judge them, and let the best one serve if it may."""
        self.come(self.truths, self.silent)
        learnt = _join(self.learnt, batch)
        problem = self.world.problem
        if self.only:
            models: Mapping[str, Classifier] = {self.only: ways(problem)[self.only](self.base, self.train, learnt)}
        else:
            models = candidates(problem, self.base, self.train, learnt)
        made = {way: self.version(model) for way, model in models.items()}
        before = self.champion
        if self.gate == "threshold":
            [(way, candidate)] = made.items()
            served = bool((candidate.answers(self.test.X) == self.test.y).mean() >= problem.min_accuracy)
            verdict, keep = ("accepted" if served else "refused"), served
        else:
            self.tries += 1
            judgements = {way: self.judge(version, batch) for way, version in made.items()}
            way = pick(judgements)
            candidate, judgement = made[way], judgements[way]
            verdict = judgement.verdict
            open_ = verdict == INSUFFICIENT
            served = verdict == ACCEPTED or (open_ and self.promotion == "optimistic" and judgement.nothing_against)
            keep = served or open_ or (self.keep_idle and verdict == NO_EFFECT)
            if served and judgement.better:
                self.move_anchor(candidate, judgement)
        if keep:
            self.learnt = learnt
        if served:
            self.champion = candidate
        return Outcome(verdict, served, candidate.accuracy - before.accuracy, self.champion, candidate, way)

    def judge(self, candidate: Version, batch: Table) -> Judgement:
        """Judge a candidate on the evidence there is."""
        test = self.test if self.test_counts else _none(self.test)
        rows = _join(_join(self.live, self.log), test)
        truth = np.concatenate([self.live.y, np.full(len(self.log.y), -1), test.y])
        fresh = np.arange(len(truth)) < len(truth) - len(test.y)
        evidence = Evidence(truth, fresh, [str(row) if live else "" for row, live in enumerate(fresh)])
        taught = (batch.y, self.champion.answers(batch.X), candidate.answers(batch.X))
        rules = Rules(self.world.problem.margin, tries=self.tries)
        answers = [version.answers(rows.X) for version in (candidate, self.champion, self.anchor)]
        return judge(*answers, evidence, taught, rules, self.world.problem.target.classes)

    def move_anchor(self, candidate: Version, judgement: Judgement) -> None:
        """Make a version that was shown to be better the anchor; evidence counts from here on."""
        self.anchor, self.tries, self.live = candidate, 0, _none(self.live)
        self.test_counts = self.test_counts and not judgement.world_changed


def as_read(table: Table) -> Table:
    """Return rows as `read_table` returns them."""
    return Table(table.X, table.y.astype(np.int64))


def newest(fresh: Table, old: Table, most: int) -> Table:
    """Return fresh rows before old ones, at most `most`."""
    both = _join(fresh, old)
    return Table(both.X[:most], both.y[:most])


def _join(one: Table, other: Table) -> Table:
    return Table(np.concatenate([one.X, other.X]), np.concatenate([one.y, other.y]))


def _none(table: Table) -> Table:
    return Table(table.X[:0], table.y[:0])
