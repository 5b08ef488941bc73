"""Learning in batches: the fit of travel insurance against LightGBM's own loop over the same rows."""

from statistics import median
from typing import Any

import numpy as np

from benchmarks.harness import lab
from benchmarks.harness.report import Claim, Report, ratio, seconds
from benchmarks.harness.timing import seconds_of
from common.problem import Category, Ints, Problem, Rows, get_problem
from problems.travel_insurance import (
    BATCH_ROWS,
    CLAIM_WEIGHT,
    EARLY_STOPPING_SHARE,
    LEARNING_RATE,
    LEAVES,
    PATIENCE,
    ROUNDS,
    SEED,
)

REPEATS = 7
AT_MOST = 1.3


def measure() -> Report:
    """Time both fits on all rows, in turn."""
    problem = get_problem("travel_insurance")
    table = problem.load(None)
    ours, plain = [], []
    for turn in range(REPEATS):
        lab.say(f"turn {turn + 1} of {REPEATS}: {len(table.y)} rows in batches")
        plain.append(seconds_of(lambda: lightgbm_alone(problem, table.X, table.y)))
        ours.append(seconds_of(lambda: problem.candidates()[0].fit(table.X, table.y)))
    time, unit = median(ours), median(plain)
    claim = Claim(
        "learning in batches, with the rules for columns", seconds(time), ratio(time, unit), "LightGBM's own loop",
        f"at most {AT_MOST}", met=time <= AT_MOST * unit,
    )  # fmt: skip
    return Report(
        "Learning in batches",
        f"{len(table.y)} rows of travel insurance are learnt in batches of {BATCH_ROWS}. Each batch continues the "
        "trees of the batch before; a tenth of its rows decides when to stop. The unit is a loop around LightGBM's own "
        "`train`, where scikit-learn encodes the names, and without the rules for durations and ages. The figures are "
        f"medians of {REPEATS}, measured in turn.",
        ("", "time", "ratio", "required"),
        (
            ("LightGBM's own loop", seconds(unit), "1", ""),
            ("the lab's fit", claim.measured, claim.ratio, claim.verdict),
        ),
        [claim],
    )


def lightgbm_alone(problem: Problem, X: Rows, y: Ints) -> Any:
    """Return the booster that a plain LightGBM script fits to the rows."""
    import lightgbm
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import OneHotEncoder

    names = [list(feature.categories) for feature in problem.features if isinstance(feature, Category)]
    encoder = OneHotEncoder(categories=names, handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    encoder.fit(X[:BATCH_ROWS, places(problem, "category")])
    parameters = {
        "objective": "binary", "num_leaves": LEAVES, "learning_rate": LEARNING_RATE, "scale_pos_weight": CLAIM_WEIGHT,
        "seed": SEED, "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbose": -1,
    }  # fmt: skip
    booster = None
    for start in range(0, len(y), BATCH_ROWS):
        labels = y[start : start + BATCH_ROWS]
        rows = encoded(problem, X[start : start + BATCH_ROWS], encoder)
        X_fit, X_stop, y_fit, y_stop = train_test_split(
            rows, labels, test_size=EARLY_STOPPING_SHARE, random_state=SEED, stratify=labels
        )
        learn = lightgbm.Dataset(X_fit, y_fit, free_raw_data=False)
        stop = lightgbm.Dataset(X_stop, y_stop, reference=learn, free_raw_data=False)
        booster = lightgbm.train(
            parameters, learn, ROUNDS, valid_sets=[stop], init_model=booster,
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
        )  # fmt: skip
    return booster


def encoded(problem: Problem, X: Rows, encoder: Any) -> Rows:
    """Return float32 columns: one for each known name of each category, then the numbers."""
    names, numbers = X[:, places(problem, "category")], X[:, places(problem, "number")]
    return np.hstack([encoder.transform(names), numbers.astype(np.float32)])


def places(problem: Problem, kind: str) -> list[int]:
    """Return the column numbers of all features of a kind."""
    return [place for place, feature in enumerate(problem.features) if feature.kind == kind]
