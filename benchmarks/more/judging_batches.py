"""Batches of five corrections for the benchmark of the judge: good ones, and those of liars."""

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.more.judging_world import BATCH, Lab
from common.problem import Ints, Table, as_float32, probabilities_of

LOOKED_AT = 400  # rows among which a liar, or somebody who corrects mistakes, looks for five
Kind = Callable[[Lab, int], Table]  # a lab, and the number of the batch in its stream


def good(lab: Lab, _: int) -> Table:
    """Return five rows with their true classes."""
    return lab.draw(BATCH, lab.rng)


def mistakes(lab: Lab, _: int, rows: int = BATCH) -> Table:
    """Return rows that the champion answers wrongly, with their true classes."""
    found: list[Table] = []
    while sum(len(each.y) for each in found) < rows:
        table = lab.draw(LOOKED_AT, lab.rng)
        wrong = lab.champion.answers(table.X) != table.y
        found.append(Table(table.X[wrong], table.y[wrong]))
    return Table(np.concatenate([each.X for each in found])[:rows], np.concatenate([each.y for each in found])[:rows])


def flips(lab: Lab, _: int) -> Table:
    """Return five rows with a wrong class each, drawn by chance."""
    table = good(lab, 0)
    return Table(table.X, _other(lab, table.y))


def of_class(label: int, *, claimed: int) -> Kind:
    """Return a liar who claims another class for rows of one class."""

    def lies(lab: Lab, _: int) -> Table:
        X = lab.train.X[:0]
        while len(X) < BATCH:
            table = lab.draw(LOOKED_AT, lab.rng)
            X = np.concatenate([X, table.X[table.y == label]])
        return Table(as_float32(X[:BATCH]), np.full(BATCH, claimed, dtype=np.int64))

    return lies


def far_out(lab: Lab, _: int) -> Table:
    """Return five rows whose numbers are six to nine standard deviations away from the mean, with any class."""
    numbers = [place for place, feature in enumerate(lab.world.problem.features) if feature.kind == "number"]
    known = lab.train.X[:, numbers].astype(np.float64)
    spread = known.std(axis=0)
    away = lab.rng.uniform(6, 9, (BATCH, len(spread))) * lab.rng.choice((-1, 1), (BATCH, len(spread)))
    X = lab.train.X[:BATCH].copy()  # for the names
    X[:, numbers] = (known.mean(axis=0) + away * spread).clip(0.0)
    return Table(as_float32(X), lab.rng.integers(0, len(lab.world.problem.target.classes), BATCH))


def duplicates(lab: Lab, _: int) -> Table:
    """Return one row five times, with the same wrong class."""
    table = flips(lab, 0)
    return Table(table.X[[0] * BATCH], table.y[[0] * BATCH])


def contradictions(lab: Lab, _: int) -> Table:
    """Return five rows of train.csv with another class."""
    places = lab.rng.permutation(len(lab.train.y))[:BATCH]
    return Table(as_float32(lab.train.X[places]), _other(lab, lab.train.y[places]))


def plausible(lab: Lab, _: int) -> Table:
    """Return the five rows of 400 about which the champion doubts most, with the wrong one of its first two classes."""
    table = lab.draw(LOOKED_AT, lab.rng)
    probabilities = probabilities_of(lab.champion.model, table.X)
    assert probabilities is not None  # noqa: S101  # every candidate in use here gives them
    order = np.argsort(probabilities, axis=1)
    first, second = order[:, -1], order[:, -2]
    claimed = np.where(first == table.y, second, first)
    gaps = np.sort(probabilities, axis=1)
    places = np.argsort(gaps[:, -1] - gaps[:, -2])[:BATCH]
    return Table(table.X[places], claimed[places].astype(np.int64))


def one_in_five(lab: Lab, _: int) -> Table:
    """Return four rows with their true classes and one with a wrong class."""
    honest, lie = good(lab, 0), flips(lab, 0)
    return Table(np.concatenate([honest.X[1:], lie.X[:1]]), np.concatenate([honest.y[1:], lie.y[:1]]))


def in_turn(lab: Lab, number: int) -> Table:
    """Return a good batch and a batch of flips in turn."""
    return flips(lab, number) if number % 2 else good(lab, number)


def _other(lab: Lab, y: Ints) -> Ints:
    """Return for each class another one by chance."""
    classes = len(lab.world.problem.target.classes)
    return (y + lab.rng.integers(1, classes, len(y))) % classes


BAD: Mapping[str, Kind] = {
    "random flips": flips,
    "one class flipped": of_class(0, claimed=1),
    "another class flipped": of_class(1, claimed=0),
    "far out": far_out,
    "duplicates": duplicates,
    "contradictions": contradictions,
    "plausible lies": plausible,
    "one lie in five": one_in_five,
    "good and lies in turn": in_turn,
}
