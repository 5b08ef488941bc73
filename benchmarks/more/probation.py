"""The judge of live versions, by simulation: how soon a worse champion is rolled back, and how seldom an equal one."""

import numpy as np
import numpy.typing as npt

from benchmarks.harness.report import Claim, Report
from common.evaluate import Estimate, wilson
from common.judgement.betting import MOST_TRUTHS, judge_probation

SEED = 20261128
PATHS = 1_000
# Shares of the rows that only the new champion and only the old one answers rightly.
PAIRS = {
    "answers alike": (0.0, 0.0),
    "as good, differs on 4 %": (0.02, 0.02),
    "2 points worse, differs on 4 %": (0.01, 0.03),
    "5 points worse, differs on 5 %": (0.0, 0.05),
    "5 points worse, differs on 7 %": (0.01, 0.06),
    "30 points worse, differs on 34 %": (0.02, 0.32),
}
EQUAL, WORSE = "as good, differs on 4 %", "5 points worse, differs on 7 %"
TEXT = (
    f"Each row has {PATHS:,} simulated probations of {MOST_TRUTHS:,} ground truths, judged after each of them by "
    "`common/judgement/betting.py`, the function that the api calls. Rows are independent; the two versions are right "
    "alone with fixed probabilities. Brackets are 95 % intervals (Wilson's)."
)
HEADER = ("the new champion", "rolled back", "ground truths until then: median", "95th percentile", "n")


def measure() -> Report:
    """Simulate probations, and return how many end with a rollback, and when."""
    rng = np.random.default_rng(SEED)
    found = {name: np.array([_truths(rng, *shares) for _ in range(PATHS)]) for name, shares in PAIRS.items()}
    rows = [(name, _share(ended), *_when(ended), f"{PATHS:,}") for name, ended in found.items()]
    false, soon = float((found[EQUAL] > 0).mean()), found[WORSE][found[WORSE] > 0]
    median = float(np.median(soon))
    claims = [
        Claim(f"rollback of a champion that is {EQUAL}", _share(found[EQUAL]), "", "", "≤ 1 %", false <= 0.01),
        Claim(
            f"ground truths until the rollback of a champion that is {WORSE}, median", f"{median:.0f}", "", "", "≤ 300",
            median <= 300,
        ),
    ]  # fmt: skip
    return Report("The judge of live versions", TEXT, HEADER, rows, claims)


def _truths(rng: np.random.Generator, win: float, loss: float) -> int:
    """Return the number of ground truths until the rollback; 0 if there is none."""
    x = rng.choice([1, -1, 0], MOST_TRUTHS, p=[win, loss, 1 - win - loss])
    wins, losses = np.cumsum(x == 1), np.cumsum(x == -1)
    for row in np.flatnonzero(x == -1):  # the e-value rises only there
        lost, won = int(losses[row]), int(wins[row])
        if judge_probation(won, lost, int(row) + 1 - won - lost) == "roll back":
            return int(row) + 1
    return 0


def _share(ended: npt.NDArray[np.int64]) -> str:
    share = wilson(int((ended > 0).sum()), len(ended)) or Estimate(0, 0, 1)
    return f"{100 * share.value:.1f} % [{100 * share.low:.1f}–{100 * share.high:.1f}]"


def _when(ended: npt.NDArray[np.int64]) -> tuple[str, str]:
    soon = ended[ended > 0]
    if len(soon) < PATHS / 2:
        return "–", "–"
    return f"{np.median(soon):.0f}", f"{np.percentile(soon, 95):.0f}"
