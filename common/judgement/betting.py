"""E-values of two versions that answered the same rows: evidence that anybody may look at, at any time.

A gambler starts with 1 and bets on each row before its ground truth is known. If the claim that the gambler bets
against is true, the money grows to 20 with a probability of at most 1/20, however often anybody looks. Source:
Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", 2024. The bets are fixed beforehand,
so that the money depends on how many rows were won, lost and tied, and not on their order.
"""

import math
from typing import Literal

import numpy as np

Outcome = Literal["promote", "retire", "roll back", "end"]

PROMOTE_AT = RETIRE_AT = 20.0
ROLL_BACK_AT = 100.0
MOST_TRUTHS = 2000
# Shares of the money that eight gamblers bet on each row. Small bets find small differences, large ones find large
# differences soon. Bets at equal steps need fewer rows than bets at equal ratios: 241 against 273 for equal answers.
BETS = np.linspace(0.02, 0.9, 8)


def e_value(wins: int, losses: int, ties: int, claim: float) -> float:
    """Return the e-value against the claim that the mean of x is at most `claim`; x is 1, -1 or 0 in a row.

    Args:
        wins: the number of rows with x = 1: only the first version was right.
        losses: the number of rows with x = -1: only the second version was right.
        ties: the number of rows with x = 0.
        claim: a difference of two accuracies, from -1 to 0.

    Returns:
        The mean of the eight gamblers' money; infinity if it is too much for a float.
    """
    money = (
        wins * np.log1p(BETS * (1 - claim)) + losses * np.log1p(BETS * (-1 - claim)) + ties * np.log1p(-BETS * claim)
    )
    most = float(money.max())
    log_mean = most + math.log(float(np.exp(money - most).mean()))
    return math.exp(log_mean) if log_mean < math.log(np.finfo(float).max) else math.inf


def e_not_worse(wins: int, losses: int, ties: int, margin: float) -> float:
    """Return the e-value that the first version is not worse than the second by `margin` or more."""
    return e_value(wins, losses, ties, -margin)


def e_worse(wins: int, losses: int, ties: int) -> float:
    """Return the e-value that the first version is worse than the second."""
    return e_value(losses, wins, ties, 0.0)


def judge_trial(wins: int, losses: int, ties: int, margin: float) -> Outcome | None:
    """Decide on a challenger that has learnt corrections; None while nothing is decided.

    Args:
        wins: the number of ground truths that only the challenger answered rightly.
        losses: the number of ground truths that only the champion answered rightly.
        ties: the number of ground truths that both or neither answered rightly.
        margin: how much worse than the champion the challenger must certainly not be.

    Returns:
        "promote" if it is not worse by `margin`; "retire" if it is worse; "end" if 2 000 truths have decided nothing.
    """
    if e_worse(wins, losses, ties) >= RETIRE_AT:
        return "retire"
    if e_not_worse(wins, losses, ties, margin) >= PROMOTE_AT:
        return "promote"
    return "end" if wins + losses + ties >= MOST_TRUTHS else None


def judge_probation(wins: int, losses: int, ties: int) -> Outcome | None:
    """Decide on a new champion that the old one still answers beside; None while nothing is decided.

    Args:
        wins: the number of ground truths that only the new champion answered rightly.
        losses: the number of ground truths that only the old champion answered rightly.
        ties: the number of ground truths that both or neither answered rightly.

    Returns:
        "roll back" if the new champion is worse; "end" after 2 000 truths.
    """
    if e_worse(wins, losses, ties) >= ROLL_BACK_AT:
        return "roll back"
    return "end" if wins + losses + ties >= MOST_TRUTHS else None
