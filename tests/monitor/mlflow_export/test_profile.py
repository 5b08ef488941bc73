"""Profiles: what rows were, kept short; added up they tell the same as one of all rows."""

import json
from collections import Counter
from datetime import timedelta

import numpy as np
import pytest

from common.store.predictions import PredictionRow
from monitor.mlflow_export.profile import Profile
from tests.common.store.rows import CLASSES, NOON, SETOSA, VERSICOLOR, prediction, shadow

RANK_ERROR = 0.014
SHARES = [0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0]
ROWS = 20_000


def rows_of(count: int, seed: int) -> list[PredictionRow]:
    random = np.random.default_rng(seed)
    values = random.lognormal(3 + seed, 2, count)
    return [
        prediction(f"{seed}-{number}", CLASSES[number % 3], at=NOON + timedelta(seconds=number))
        | {"features": {"income": float(value), "town": f"town {number % 50}"}, "confidence": float(confidence)}
        for number, (value, confidence) in enumerate(zip(values, random.uniform(0.3, 1, count), strict=True))
    ]


def incomes(rows: list[PredictionRow]) -> list[float]:
    return sorted(float(row["features"]["income"]) for row in rows)


@pytest.fixture(scope="module")
def parts() -> list[list[PredictionRow]]:
    """Batches of very different sizes and values."""
    return [rows_of(count, seed) for seed, count in enumerate((ROWS, 1, 500, ROWS // 2))]


@pytest.fixture(scope="module")
def merged(parts: list[list[PredictionRow]]) -> Profile:
    return Profile.merged(Profile.from_json(Profile.of(part).to_json()) for part in parts)


def test_counts_means_and_ends_of_merged_profiles_are_exact(parts: list[list[PredictionRow]], merged: Profile) -> None:
    expected = incomes([row for part in parts for row in part])
    income = merged.numbers["feature/income"]
    assert merged.rows == {"champion": len(expected)}
    assert income.count == income.sketch.n == len(expected)
    assert income.mean == pytest.approx(np.mean(expected))
    assert merged.quantiles("feature/income", [0, 1]) == [expected[0], expected[-1]]


def test_quantiles_of_merged_profiles_have_nearly_the_rank_that_was_asked_for(
    parts: list[list[PredictionRow]], merged: Profile
) -> None:
    expected = incomes([row for part in parts for row in part])
    ranks = np.searchsorted(expected, merged.quantiles("feature/income", SHARES)) / len(expected)
    # Chance is in the sketch: of seven within this with 99 % confidence each, one in fifteen runs would miss.
    assert np.abs(ranks - SHARES).max() < 3 * RANK_ERROR


def test_names_of_merged_profiles_are_counted(parts: list[list[PredictionRow]], merged: Profile) -> None:
    expected = Counter(str(row["features"]["town"]) for part in parts for row in part)
    assert merged.names["feature/town"].counts == expected
    assert merged.names["feature/town"].distinct == pytest.approx(50, abs=0.01)
    assert merged.names["champion/class"].counts == Counter(row["class_name"] for part in parts for row in part)


def test_of_very_many_names_the_frequent_ones_are_known_and_the_number_of_all() -> None:
    names = ["often"] * 5000 + [f"name {number}" for number in range(20_000)]
    rows = [prediction(str(n)) | {"features": {"word": word}} for n, word in enumerate(names)]
    half = len(rows) // 3
    parts = (Profile.of(part) for part in (rows[:half], rows[half:]))
    found = Profile.merged(parts).names["feature/word"]
    assert found.count == 25_000
    assert next(iter(found.counts)) == "often"
    assert found.counts["often"] >= 5000
    assert found.distinct == pytest.approx(20_001, rel=0.06)


def test_a_profile_stays_small_however_many_rows_there_are(merged: Profile) -> None:
    text = merged.to_json()
    assert len(text) < 40_000
    assert json.loads(text)["numbers"]["feature/income"]["minimum"] == merged.quantiles("feature/income", [0])[0]


def test_the_challenger_is_told_apart_and_features_are_counted_once() -> None:
    found = Profile.of([prediction("a"), prediction("b"), shadow("a", VERSICOLOR)])
    assert found.rows == {"champion": 2, "shadow": 1}
    assert found.numbers["feature/petal_width"].count == 2
    assert found.names["champion/class"].counts == {SETOSA: 2}
    assert found.names["shadow/class"].counts == {VERSICOLOR: 1}
    assert found.numbers["shadow/confidence"].count == 1


def test_what_is_not_told_and_what_is_no_number_is_left_out() -> None:
    odd = [1.0, float("nan"), float("inf"), 3.0]
    found = Profile.of(
        [
            prediction(str(value)) | {"confidence": None, "outlier_score": None, "features": {"x": value}}
            for value in odd
        ]
    )
    assert (found.numbers["feature/x"].count, found.numbers["feature/x"].mean) == (2, 2.0)
    assert found.numbers.keys() == {"feature/x"}


def test_a_feature_that_became_a_category_is_in_both() -> None:
    parts = [Profile.of([prediction("a") | {"features": {"x": value}}]) for value in (1.5, "red")]
    found = Profile.from_json(Profile.merged(parts).to_json())
    assert found.quantiles("feature/x", [0.5]) == [1.5]
    assert found.names["feature/x"].counts == {"red": 1}


def test_large_numbers_keep_their_digits() -> None:
    found = Profile.of([prediction("a") | {"features": {"x": 1_795_332_449.125}}])
    assert Profile.from_json(found.to_json()).quantiles("feature/x", [0.5]) == [1_795_332_449.125]


def test_merging_leaves_its_parts_as_they_were() -> None:
    first, second = Profile.of([prediction("a")]), Profile.of([prediction("b", VERSICOLOR)])
    first.merge(second)
    assert first.names["champion/class"].counts == {SETOSA: 1}
    assert first.numbers["feature/petal_width"].sketch.n == 1
    assert first.rows == {"champion": 1}


def test_nothing_merged_is_a_profile_without_rows() -> None:
    assert Profile.from_json(Profile.merged([]).to_json()).rows == {}
    assert Profile.of([]).rows == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        '{"format": 1, "rows": {}, "numbers": {"x": {"count": 1, "mean": 1, "quantiles": "AAAA"}}, "names": {}}',
    ],
)
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"profile|Expecting"):
        Profile.from_json(text)
