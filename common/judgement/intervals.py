"""Limits of the difference between the accuracies of two versions on the same rows."""

import math
from statistics import NormalDist

STEPS = 80  # halvings of an interval of length 2: more change no digit of a float


def tango(gain: int, harm: int, n: int, alpha: float) -> float:
    """Return the one-sided lower limit at 1 - alpha of the paired difference (gain - harm) / n; -1 without rows.

    Args:
        gain: number of rows that only the first version answers rightly.
        harm: number of rows that only the second version answers rightly.
        n: number of rows that both have answered.
        alpha: how often the limit may lie above the true difference, at most 0.5.

    The limit is the difference at which the score statistic of the restricted maximum likelihood estimate equals the
    normal quantile. The upper limit is `-tango(harm, gain, n, alpha)`. Source: T. Tango, "Equivalence test and
    confidence interval for the difference in proportions for the paired-sample design", Statistics in Medicine, 1998,
    17:891-908.

    Raises:
        ValueError: the counts are negative, or larger than n; or alpha is not between 0 and 0.5.
    """
    if min(gain, harm) < 0 or gain + harm > n or not 0 < alpha <= 0.5:  # noqa: PLR2004  # the message says it
        raise ValueError(f"no counts of {n} rows, or no level: gain {gain}, harm {harm}, alpha {alpha}")
    if n == 0:
        return -1.0
    z = -NormalDist().inv_cdf(alpha)

    def is_below(difference: float) -> bool:
        """Return whether the counts are too good for this difference."""
        b = (2 * n - gain + harm) * difference - gain - harm
        c = -harm * difference * (1 - difference)
        only_second = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        variance = n * max(2 * only_second + difference * (1 - difference), 0.0)
        return gain - harm - n * difference > z * math.sqrt(variance)

    low, high = -1.0, (gain - harm) / n
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return low
