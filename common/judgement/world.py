"""Has the world changed? Then rows of the old world would refuse the very versions that have learnt the new one."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from common.evaluate import log_choices
from common.problem import Ints
from common.rows import Bools

# Rows of the present world, and of the old one, at least. With fewer, a handful of lies would pass for a new world.
FEWEST = 100
STEP = 25  # rows between two places at which the world may have changed


def rows_of_present(baselines: Iterable[Ints], truth: Ints, fresh: Bools, alpha: float) -> Bools:
    """Return which rows are of the present world `[rows]`.

    Live rows with ground truth are compared with older ones, then the rest of them with those of test.csv.

    Args:
        baselines: the answers of each baseline, class indices `[rows]`.
        truth: class indices, -1 where the ground truth is unknown; the newest row first.
        fresh: whether a row is a live one; the others are those of test.csv.
        alpha: how often a change may be seen where there is none.
    """
    known, present = truth >= 0, np.ones(len(truth), dtype=np.bool_)
    rights = [answers == truth for answers in baselines]
    live, test = np.flatnonzero(known & fresh), known & ~fresh
    newest = present_rows([right[live] for right in rights], alpha)
    present[live[newest:]] = False
    # A quarter of alpha for each baseline and direction: a version that has followed a change is right more often.
    if min(differs(right[live[:newest]], right[test]) for right in rights) < alpha / len(rights):
        present[~fresh] = False
    return present


def differs(some: Bools, others: Bools) -> float:
    """Return the p-value that answers are right as often on some rows `[rows]` as on others, by Fisher's exact test.

    It is twice the smaller one of the two one-sided p-values.
    """
    counts = int(some.sum()), len(some), int(others.sum()), len(others)
    return min(2 * min(fisher(*counts), fisher(*counts[2:], *counts[:2])), 1.0)


def present_rows(rights: Sequence[Bools], alpha: float) -> int:
    """Return how many of the newest rows are of the present world: all, unless answers show that it has changed.

    Args:
        rights: for each version, whether it is right on each row with ground truth `[rows]`, the newest row first.
        alpha: how often a change may be seen where there is none. All places and versions share it out.
    """
    known = len(rights[0])
    places = range(FEWEST, known - FEWEST + 1, STEP)
    found = [(differs(right[:place], right[place:]), place) for right in rights for place in places]
    p_value, place = min(found, default=(1.0, known))
    return place if p_value < alpha / max(len(found), 1) else known


def fisher(right: int, n: int, other_right: int, other_n: int) -> float:
    """Return the exact one-sided p-value that a share of right answers is only by chance lower than another one.

    Args:
        right: number of right answers.
        n: number of answers.
        other_right: number of right answers on the other rows.
        other_n: number of answers on the other rows.

    Returns:
        The probability of at most `right` right answers among the n, if all right answers are shared out by chance; 1
        without rows. Source: R. A. Fisher, "The design of experiments", 1935, the exact test of a two-by-two table.
    """
    rights, total = right + other_right, n + other_n
    low = max(rights - other_n, 0)
    whole = log_choices(total, n)
    terms = (log_choices(rights, k) + log_choices(total - rights, n - k) - whole for k in range(low, right + 1))
    return min(math.fsum(map(math.exp, terms)), 1.0)
