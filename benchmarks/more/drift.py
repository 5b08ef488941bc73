"""Drift verdicts: their false alarms, the shifts that they detect, and their time."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.harness import lab
from benchmarks.harness.report import Claim, Report, ratio, seconds
from benchmarks.harness.timing import seconds_of
from common.bundle.reference import number_statistics
from common.problem import get_problem, probabilities_of
from monitor.statistics.drift import LIMITS, Drift, Verdict, category_drift, number_drift, verdicts
from monitor.statistics.reference import CategoryReference, NumberReference, read_number
from monitor.statistics.window import CLASS, CONFIDENCE

SEED = 0
WINDOWS = 200
LEAST, MOST = 500, 1_000  # rows of a window
FALSE_ALARMS_AT_MOST, DETECTED_AT_LEAST = 0.05, 0.95
BIG_ROWS, BIG_FEATURES, WITHIN, REPEATS = 60_000, 30, 2.0, 5

Columns = Mapping[str, npt.NDArray[Any]]  # the values of each feature, of the predicted class and of the confidence
Shift = Callable[[Columns, np.random.Generator], tuple[Columns, str | None]]


@dataclass(frozen=True)
class Population:
    """Rows of a problem with a model's answers.

    Attributes:
        name: the name of the problem.
        columns: the features, the predicted class and the confidence.
        learnt: the number of rows that a reference holds the features of.
        held: the number of rows that a reference holds the answers of.
    """

    name: str
    columns: Columns
    learnt: int
    held: int


Drawing = Callable[[Population, np.random.Generator], tuple[Columns, Columns, Columns]]


def measure() -> Report:
    """Count verdicts on windows with and without a shift, and time one large window."""
    rows, alarms = [], []
    for population in (
        population_of("iris", learnt=90, held=30, candidate=7),
        population_of("breast_cancer", learnt=42, held=14),
        population_of("breast_cancer", learnt=341, held=114),
        population_of("travel_insurance", learnt=6_000, held=2_000, rows=20_000),
    ):
        for origin, draw in (("the rows learnt", from_learnt), ("new rows", from_population)):
            lab.say(f"{population.name}, {population.learnt} rows learnt, windows of {origin}: {WINDOWS} windows")
            shares = {name: drift_share(population, draw, shift) for name, shift in SHIFTS.items()}
            name = f"{population.name}, {population.learnt} rows learnt, windows of {origin}"
            rows.append((name, *(f"{share:.1%}" for share in shares.values())))
            alarms.append(shares["none"])
    ours, theirs = big_window()
    limits = ", ".join(f"{name} {limit}" for name, limit in LIMITS.items())
    most, what, against = (
        max(alarms),
        f"drift verdicts on {BIG_ROWS} rows, {BIG_FEATURES} features",
        "`scipy.stats.ks_2samp`",
    )
    at_most = f"at most {FALSE_ALARMS_AT_MOST:.0%}"
    alarm = Claim(
        "windows without a shift that get a drift verdict, at worst",
        f"{most:.1%}",
        "",
        "",
        at_most,
        max(alarms) <= FALSE_ALARMS_AT_MOST,
    )
    quick = Claim(what, seconds(ours), ratio(ours, theirs), against, f"under {WITHIN:.0f} s", met=ours < WITHIN)
    return Report(
        "Drift",
        f"{WINDOWS} windows of {LEAST} to {MOST} rows each, drawn with a fixed seed. The column *no shift* is the "
        "share of windows with a drift verdict for any feature, the predicted class or the confidence "
        f"({alarm.verdict}). The other columns are the share of windows with a drift verdict for the shifted column: a "
        "feature's mean moves by half a standard deviation; a feature's variance doubles; the rows of one predicted "
        "class are left out. The problem breast_cancer learns from 42 rows, which are few for 30 features; further "
        "rows of the table show it with 341 rows. *Windows of new rows* are compared with references that are drawn "
        f"again for each window. Limits of effects: {limits}.\n\n"
        f"All statistics and verdicts of {BIG_ROWS} rows of {BIG_FEATURES} features take {seconds(ours)} "
        f"({quick.verdict}), which is {quick.ratio} of the time of `scipy.stats.ks_2samp` over the same columns and "
        f"the same number of learnt rows. The times are medians of {REPEATS}, measured in turn.",
        ("", "no shift", *list(SHIFTS)[1:]),
        rows,
        [alarm, quick],
    )


def population_of(name: str, *, learnt: int, held: int, candidate: int = 0, rows: int | None = None) -> Population:
    """Return a problem's first `rows` rows with the answers of a candidate that has learnt half of them."""
    problem = get_problem(name)
    logging.getLogger(f"problems.{name}").setLevel(logging.ERROR)  # no warning of synthetic data
    table = problem.load(None)
    X, y = table.X[:rows], table.y[:rows]
    some = np.random.default_rng(SEED).permutation(len(y))[: len(y) // 2]
    probabilities = probabilities_of(problem.candidates()[candidate].fit(X[some], y[some]), X)
    if probabilities is None:
        raise ValueError(f"{name}: candidate {candidate} gives no probabilities")
    features = {
        feature.name: column.astype(np.float64 if feature.kind == "number" else np.str_)
        for feature, column in zip(problem.features, X.T, strict=True)
    }
    answered = {
        CLASS: np.array(problem.target.classes)[probabilities.argmax(axis=1)],
        CONFIDENCE: probabilities.max(axis=1).astype(np.float64),
    }
    return Population(name, features | answered, learnt, held)


def drift_share(
    population: Population,
    draw: Drawing,
    shift: Shift,
    windows: int = WINDOWS,
) -> float:
    """Return the share of windows with a drift verdict: for the shifted column, or without a shift for any column."""
    rng = np.random.default_rng(SEED)
    return sum(_drifts(population, draw, shift, rng) for _ in range(windows)) / windows


def _drifts(population: Population, draw: Drawing, shift: Shift, rng: np.random.Generator) -> bool:
    learnt, held, source = draw(population, rng)
    moved, subject = shift(source, rng)
    window = picked(moved, rng.integers(0, len(moved[CLASS]), rng.integers(LEAST, MOST + 1)))
    references = {name: reference_of(values) for name, values in learnt.items()}
    references |= {name: reference_of(held[name]) for name in (CLASS, CONFIDENCE)}
    found = judged(references, window)
    return found[subject] == "drift" if subject else "drift" in found.values()


def from_learnt(population: Population, rng: np.random.Generator) -> tuple[Columns, Columns, Columns]:
    """Return the same drawn rows three times: the rows learnt, the rows with known answers, the source of windows."""
    learnt = picked(population.columns, rng.permutation(len(population.columns[CLASS]))[: population.learnt])
    return learnt, learnt, learnt


def from_population(population: Population, rng: np.random.Generator) -> tuple[Columns, Columns, Columns]:
    """Return three sets as `from_learnt`, but drawn separately: in production the reference is a sample, too."""
    rows = len(population.columns[CLASS])
    learnt, held = (rng.integers(0, rows, number) for number in (population.learnt, population.held))
    return picked(population.columns, learnt), picked(population.columns, held), population.columns


def _nothing(columns: Columns, _: np.random.Generator) -> tuple[Columns, None]:
    return columns, None


def _mean(columns: Columns, rng: np.random.Generator) -> tuple[Columns, str]:
    name = _number(columns, rng)
    values = columns[name]
    return {**columns, name: values + values.std() / 2}, name


def _variance(columns: Columns, rng: np.random.Generator) -> tuple[Columns, str]:
    name = _number(columns, rng)
    values = columns[name]
    return {**columns, name: values.mean() + (values - values.mean()) * np.sqrt(2.0)}, name


def _class(columns: Columns, rng: np.random.Generator) -> tuple[Columns, str]:
    gone = rng.choice(np.unique(columns[CLASS]))
    return picked(columns, np.flatnonzero(columns[CLASS] != gone)), CLASS


SHIFTS: Mapping[str, Shift] = {
    "none": _nothing,
    "mean by 0.5 sd": _mean,
    "variance doubled": _variance,
    "one class gone": _class,
}


def _number(columns: Columns, rng: np.random.Generator) -> str:
    names = [name for name, values in columns.items() if values.dtype == np.float64 and name != CONFIDENCE]
    return str(rng.choice([name for name in names if columns[name].std() > 0]))


def picked(columns: Columns, places: npt.NDArray[np.int64]) -> Columns:
    """Return the rows with these numbers."""
    return {name: values[places] for name, values in columns.items()}


def reference_of(values: npt.NDArray[Any]) -> NumberReference | CategoryReference:
    """Return the reference that a bundle would hold of a column."""
    if values.dtype != np.float64:
        counts = Counter(values.tolist())
        return CategoryReference(len(values), {name: count / len(values) for name, count in sorted(counts.items())})
    return read_number(len(values), number_statistics(values))


def judged(references: Mapping[str, NumberReference | CategoryReference], window: Columns) -> dict[str, Verdict]:
    """Return the verdict on each column of a window."""
    return verdicts({name: _drift(references[name], values) for name, values in window.items()})


def _drift(reference: NumberReference | CategoryReference, values: npt.NDArray[Any]) -> Drift:
    if isinstance(reference, NumberReference):
        return number_drift(reference, values)
    return category_drift(reference, Counter(values.tolist()))


def big_window() -> tuple[float, float]:
    """Return the seconds of all verdicts on one large window, and of SciPy's test of its numbers alone."""
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(SEED)
    names = [str(number) for number in range(BIG_FEATURES)]
    learnt, window = ({name: rng.normal(size=BIG_ROWS) for name in names} for _ in range(2))
    for columns in (learnt, window):
        columns |= {CLASS: rng.choice(["a", "b", "c"], BIG_ROWS), CONFIDENCE: rng.beta(9, 1, BIG_ROWS)}
    references = {name: reference_of(values) for name, values in learnt.items()}
    ours, theirs = [], []
    for _ in range(REPEATS):
        ours.append(seconds_of(lambda: judged(references, window)))
        theirs.append(seconds_of(lambda: [ks_2samp(learnt[name], window[name]) for name in (*names, CONFIDENCE)]))
    return median(ours), median(theirs)
