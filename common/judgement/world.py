"""Has the world changed? Then rows of the old world would refuse the very versions that have learnt the new one."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from common.judgement.intervals import fisher

Bools = npt.NDArray[np.bool_]
# Rows of the present world, and of the old one, at least. With fewer, a handful of lies would pass for a new world.
FEWEST = 100
STEP = 25  # rows between two places at which the world may have changed


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
