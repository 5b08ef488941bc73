"""Claims on travel insurance: mixed columns, rare claims, and a model that learns batch by batch.

Functions import scikit-learn and LightGBM when they need them, because the api reads this file without them.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.problem import Candidate, Category, Floats, Ints, Number, Problem, Rows, Table, Target
from common.table import read_table

if TYPE_CHECKING:
    from lightgbm import LGBMClassifier
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

SEED = 42
ROWS = 62_288
LATER_SHARE = 0.2
BATCH_ROWS = 5_000
EARLY_STOPPING_SHARE = 0.1
ROUNDS = 40
PATIENCE = 5
LEAVES = 15
LEARNING_RATE = 0.05
CLAIM_WEIGHT = 10.0  # one row in seventy is a claim; without a weight the model would never predict one

# Rows with each name, per thousand, rounded. Source: the published data set "Travel Insurance" (Kaggle, 63 326 rows of
# a third-party insurer in Singapore); the names are part of its schema.
AGENCIES = {
    "EPX": 554, "CWT": 135, "C2B": 131, "JZI": 100, "SSI": 17, "JWT": 12, "RAB": 11, "LWC": 11,
    "TST": 8, "KML": 6, "ART": 5, "CCR": 3, "CBH": 2, "TTW": 2, "CSR": 2, "ADM": 1,
}  # fmt: skip
AIRLINES = {"C2B", "JZI", "LWC", "ADM"}
CHANNELS = {"Online": 983, "Offline": 17}
PRODUCTS = {
    "Cancellation Plan": 294, "2 way Comprehensive Plan": 208,
    "Rental Vehicle Excess Insurance": 136, "Basic Plan": 87, "Bronze Plan": 64,
    "1 way Comprehensive Plan": 53, "Value Plan": 43, "Silver Plan": 36, "Annual Silver Plan": 23,
    "Ticket Protector": 17, "Travel Cruise Protect": 8, "Comprehensive Plan": 6, "Gold Plan": 6,
    "24 Protect": 4, "Single Trip Travel Protect Gold": 3, "Annual Gold Plan": 3, "Premier Plan": 3,
    "Single Trip Travel Protect Silver": 3, "Annual Travel Protect Gold": 2,
    "Annual Travel Protect Silver": 1, "Individual Comprehensive Plan": 1,
    "Annual Travel Protect Platinum": 1, "Single Trip Travel Protect Platinum": 1,
    "Spouse or Parents Comprehensive Plan": 1, "Child Comprehensive Plan": 1,
    "Travel Cruise Protect Family": 1,
}  # fmt: skip
DESTINATIONS = {
    "SINGAPORE": 209, "MALAYSIA": 94, "THAILAND": 93, "CHINA": 76, "AUSTRALIA": 58, "INDONESIA": 54,
    "UNITED STATES": 40, "PHILIPPINES": 39, "HONG KONG": 38, "INDIA": 36, "JAPAN": 33,
    "VIET NAM": 26, "KOREA, REPUBLIC OF": 23, "UNITED KINGDOM": 21, "TAIWAN, PROVINCE OF CHINA": 17,
    "MYANMAR": 13, "BRUNEI DARUSSALAM": 12, "NEW ZEALAND": 8, "CANADA": 8, "CAMBODIA": 8,
    "SRI LANKA": 6, "NETHERLANDS": 6, "MACAO": 6, "GERMANY": 6, "FRANCE": 6,
    "UNITED ARAB EMIRATES": 6, "LAO PEOPLE'S DEMOCRATIC REPUBLIC": 6, "SPAIN": 5, "SWITZERLAND": 5,
    "ITALY": 5, "NEPAL": 4, "TURKEY": 3, "SOUTH AFRICA": 3, "DENMARK": 3,
}  # fmt: skip
CLAIM_SHARE = 0.0148
NOISE = 0.6  # the scale of the noise in `odds`
# Shares of the rows: negative durations, unknown ages, negative prices.
NEGATIVE, UNKNOWN_AGE, REFUNDED = 0.0001, 0.015, 0.011
MONEY = 10_000.0  # Singapore dollars; a larger amount is a mistake
LONGEST = 90.0  # days; longer trips count as 90 days
CHILD, ADULT = 21.0, 60.0  # the last year of age in each group

logger = logging.getLogger(__name__)


def load(source: Path | None) -> Table:
    """Return the claims of a CSV file, or synthetic claims of the same schema if there is no file.

    The column `Gender` is left out: it is missing in most rows, and a price should not depend on it.
    """
    if source is not None:
        return read_table(source, PROBLEM, indices=False)
    logger.warning(
        "travel_insurance: the published data may not be passed on, so these %d rows are synthetic; "
        "with your own copy: python -m scripts.get_data travel_insurance --force --from FILE",
        ROWS,
    )
    return synthetic()


def synthetic(share: float = CLAIM_SHARE) -> Table:
    """Return as many synthetic rows as there are published ones, with a share of claims: always the same rows."""
    return synthesize(ROWS, np.random.default_rng(SEED), share)


def synthesize(rows: int, rng: np.random.Generator, share: float = CLAIM_SHARE) -> Table:
    """Return random rows whose columns have about the published distributions; claims depend on some columns."""
    agency = _draw(rng, AGENCIES, rows)
    product, destination = _draw(rng, PRODUCTS, rows), _draw(rng, DESTINATIONS, rows)
    days = np.round(rng.lognormal(3.0, 1.15, rows)).clip(0, 4_881)
    days[rng.random(rows) < NEGATIVE] *= -1
    age = np.round(rng.normal(39, 13, rows)).clip(0, 88)
    age[rng.random(rows) < UNKNOWN_AGE] = 118  # the insurer writes 118 for an unknown age
    sales = np.round(rng.gamma(0.9, 30.0, rows) + days * 0.25, 2).clip(0, 810)
    refunded = rng.random(rows) < REFUNDED
    sales = np.where(refunded, -sales, sales)
    commission = np.where(np.isin(agency, sorted(AIRLINES)), np.round(np.abs(sales) * 0.35, 2), 0.0)
    # Longer trips, higher prices and the agency C2B make a claim more likely, as in the published data.
    odds = np.log1p(np.abs(days)) + sales / 60 + 2.2 * (agency == "C2B") + 0.8 * (destination == "SINGAPORE")
    claim = _most_likely(odds + rng.gumbel(0, NOISE, rows), share)
    columns = (
        *(agency, np.where(np.isin(agency, sorted(AIRLINES)), "Airlines", "Travel Agency")),
        *(_draw(rng, CHANNELS, rows), product, days, destination, sales, commission, age),
    )
    return Table(np.array(columns, dtype=object).T.copy(), claim.astype(np.int64))


def _draw(rng: np.random.Generator, weights: dict[str, int], rows: int) -> Rows:
    shares = np.array(list(weights.values()), dtype=np.float64)
    return rng.choice(np.array(list(weights)), rows, p=shares / shares.sum())


def _most_likely(scores: Floats, share: float) -> Ints:
    return np.asarray(scores > np.quantile(scores, 1 - share), dtype=np.int64)


def candidates() -> list[Candidate]:
    """Return one candidate: boosted trees that learn the rows in batches, one after the other."""
    return [Candidate({"batch_rows": BATCH_ROWS, "rounds_a_batch": ROUNDS, "leaves": LEAVES}, learn_in_batches)]


def learn_in_batches(X: Rows, y: Ints) -> "Pipeline":
    """Fit a model on one batch of 5 000 rows after the other; each batch continues the trees of the batches before."""
    from sklearn.pipeline import Pipeline

    # The columns are fitted on the first batch alone, because a stream of data begins with one batch.
    columns = _columns().fit(X[:BATCH_ROWS])
    trees, curves = None, dict[str, list[float]]()
    # The last rows are a batch of their own only if they fill half of one, because early stopping needs enough rows.
    edges = [*range(0, max(len(y) - BATCH_ROWS // 2, 1), BATCH_ROWS), len(y)]
    for start, end in pairwise(edges):
        trees = _learn(columns.transform(X[start:end]), y[start:end], trees)
        curves = _with_batch(curves, trees)
    model = Pipeline([("columns", columns), ("trees", trees)])
    model.curves_ = curves
    return model


def continue_training(model: "Pipeline", original: Table, corrections: Table) -> "Pipeline":
    """Return a copy of `model` that has learnt corrections, or later rows, as one more batch.

    Original rows fill up the batch, because five corrections alone would outweigh thousands of rows.
    """
    from copy import deepcopy

    room = max(BATCH_ROWS - len(corrections.y), 0)
    some = np.random.default_rng(SEED).permutation(len(original.y))[:room]
    X = np.concatenate([original.X[some], corrections.X])
    y = np.concatenate([original.y[some], corrections.y])
    continued = deepcopy(model)
    continued.steps[-1] = ("trees", _learn(continued[:-1].transform(X), y, continued[-1]))
    continued.curves_ = _with_batch(getattr(model, "curves_", {}), continued[-1])
    return continued


def refit(_: "Pipeline", original: Table, corrections: Table) -> "Pipeline":
    """Return a model that has learnt all rows from the beginning, in batches; corrections are in the last batch."""
    return learn_in_batches(np.concatenate([original.X, corrections.X]), np.concatenate([original.y, corrections.y]))


def _learn(X: Floats, y: Ints, before: "LGBMClassifier | None") -> "LGBMClassifier":
    """Continue the trees with a batch, until its last tenth, which is not fitted, is predicted no better."""
    from lightgbm import LGBMClassifier, early_stopping, log_evaluation
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import train_test_split

    X_fit, X_stop, y_fit, y_stop = train_test_split(
        X,
        y,
        test_size=EARLY_STOPPING_SHARE,
        random_state=SEED,
        stratify=y if np.bincount(y).min() > 1 else None,
    )
    trees = LGBMClassifier(
        n_estimators=ROUNDS, num_leaves=LEAVES, learning_rate=LEARNING_RATE, scale_pos_weight=CLAIM_WEIGHT,
        random_state=SEED, deterministic=True, force_row_wise=True, n_jobs=1, verbose=-1,
    )  # fmt: skip
    trees.fit(
        X_fit, y_fit, eval_X=X_stop, eval_y=y_stop, init_model=before,
        callbacks=[early_stopping(PATIENCE, verbose=False), log_evaluation(0)],
    )  # fmt: skip
    # Without a claim in that tenth, or with claims only, there is no area under a curve.
    claims: Any = trees.predict_proba(X_stop)
    trees.auc_ = float(roc_auc_score(y_stop, claims[:, 1])) if 0 < y_stop.sum() < len(y_stop) else math.nan
    return trees


def _with_batch(curves: Mapping[str, Sequence[float]], trees: "LGBMClassifier") -> dict[str, list[float]]:
    """Return the curves with a point more: log-loss and AUC on the tenth of the last batch that was not fitted."""
    new = {"batch_log_loss": float(trees.best_score_["valid_0"]["binary_logloss"]), "batch_auc": trees.auc_}
    return {name: [*curves.get(name, ()), value] for name, value in new.items()}


def _columns() -> "ColumnTransformer":
    """Return the step that turns raw columns into numbers: one number for each known name, and three rules."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    from common.bundle.column_steps import Grouped, Plausible

    names = [each for each in PROBLEM.features if isinstance(each, Category)]
    known = OneHotEncoder(
        categories=[list(each.categories) for each in names],
        handle_unknown="ignore",
        sparse_output=False,
        dtype=np.float32,
    )
    place = PROBLEM.columns.index
    return ColumnTransformer([
        ("names", known, [place(each.name) for each in names]),
        ("duration", Plausible(minimum=0.0, maximum=LONGEST), [place("Duration")]),
        ("age", Grouped((CHILD, ADULT)), [place("Age")]),
        ("money", Plausible(-MONEY, MONEY), [place("Net Sales"), place("Commision (in value)")]),
    ])  # fmt: skip


def _names(name: str, description: str, known: Iterable[str]) -> Category:
    categories = tuple(known)
    return Category(name, description, categories, example=categories[0])


PROBLEM = Problem(
    name="travel_insurance",
    features=(
        _names("Agency", "agency that sold the insurance", AGENCIES),
        _names("Agency Type", "kind of agency", ("Travel Agency", "Airlines")),
        _names("Distribution Channel", "channel through which it was sold", CHANNELS),
        _names("Product Name", "name of the insurance", PRODUCTS),
        Number("Duration", "days", "length of the trip; a negative one is a mistake", -10_000.0, 10_000.0, 34.0),
        _names("Destination", "destination of the trip", DESTINATIONS),
        Number("Net Sales", "Singapore dollars", "price; negative after a refund", -MONEY, MONEY, 20.0),
        Number("Commision (in value)", "Singapore dollars", "commission of the agency", 0.0, MONEY, 0.0),
        Number("Age", "years", "age of the traveller; 118 means unknown", 0.0, 130.0, 36.0),
    ),
    target=Target("Claim", ("No", "Yes"), spellings={"0": "No", "1": "Yes"}),
    load=load,
    candidates=candidates,
    continue_training=continue_training,
    refit=refit,
    margin=0.01,
    later_share=LATER_SHARE,
)
