"""Profiles: short summaries of rows, whose sketches the datasketches library reads and merges."""

import json
from base64 import b64decode
from collections import Counter
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from datasketches import frequent_items_error_type, frequent_strings_sketch, hll_sketch, kll_doubles_sketch

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


def read(rows: list[PredictionRow]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Profile.of(rows).to_json())
    return found


def quantiles(column: dict[str, Any]) -> kll_doubles_sketch:
    return kll_doubles_sketch.deserialize(b64decode(column["quantiles"]))


def test_counts_means_and_ends_are_exact_and_quantiles_of_two_merged_profiles_have_nearly_the_right_rank() -> None:
    parts = [rows_of(ROWS, 0), rows_of(ROWS // 2, 1)]
    income, more = (read(part)["numbers"]["feature/income"] for part in parts)
    first, both = (
        sorted(float(row["features"]["income"]) for row in rows) for rows in (parts[0], [*parts[0], *parts[1]])
    )
    assert (income["count"], income["minimum"], income["maximum"]) == (ROWS, first[0], first[-1])
    assert income["mean"] == pytest.approx(np.mean(first))
    sketch = quantiles(income)
    sketch.merge(quantiles(more))
    ranks = np.searchsorted(both, sketch.get_quantiles(SHARES, inclusive=True)) / len(both)
    # The sketch is random: with seven quantiles at 99 % confidence each, one run in fifteen would exceed the error.
    assert np.abs(ranks - SHARES).max() < 3 * RANK_ERROR


def test_names_are_counted_and_a_profile_stays_small() -> None:
    rows = rows_of(ROWS, 0)
    found = read(rows)
    towns = found["names"]["feature/town"]
    assert towns["counts"] == Counter(str(row["features"]["town"]) for row in rows)
    assert (towns["count"], towns["distinct"]) == (ROWS, 50)
    assert found["names"]["champion/class"]["counts"] == Counter(row["class_name"] for row in rows)
    assert len(json.dumps(found)) < 40_000


def test_of_very_many_names_the_frequent_ones_are_known_and_the_number_of_all() -> None:
    names = ["often"] * 5000 + [f"name {number}" for number in range(20_000)]
    rows = [prediction(str(n)) | {"features": {"word": word}} for n, word in enumerate(names)]
    found = read(rows)["names"]["feature/word"]
    assert found["count"] == 25_000
    assert next(iter(found["counts"])) == "often"
    assert found["counts"]["often"] >= 5000
    assert found["distinct"] == pytest.approx(20_001, rel=0.06)
    frequent = frequent_strings_sketch.deserialize(b64decode(found["frequent"]))
    assert frequent.get_frequent_items(frequent_items_error_type.NO_FALSE_POSITIVES)[0][0] == "often"
    different = hll_sketch.deserialize(b64decode(found["different"]))
    assert round(different.get_estimate()) == found["distinct"]


def test_the_challenger_is_counted_apart_and_features_are_counted_once() -> None:
    found = read([prediction("a"), prediction("b"), shadow("a", VERSICOLOR)])
    assert found["format"] == 1
    assert found["rows"] == {"champion": 2, "shadow": 1}
    assert found["numbers"]["feature/petal_width"]["count"] == 2
    assert found["names"]["champion/class"]["counts"] == {SETOSA: 2}
    assert found["names"]["shadow/class"]["counts"] == {VERSICOLOR: 1}
    assert found["numbers"]["shadow/confidence"]["count"] == 1


def test_absent_values_and_values_that_are_not_finite_are_left_out() -> None:
    odd = [1.0, float("nan"), float("inf"), 3.0]
    rows = [prediction(str(value)) | {"features": {"x": value}} for value in odd]
    for row in rows:
        row["confidence"] = row["outlier_score"] = None
    found = read(rows)
    assert (found["numbers"]["feature/x"]["count"], found["numbers"]["feature/x"]["mean"]) == (2, 2.0)
    assert found["numbers"].keys() == {"feature/x"}


def test_a_feature_that_became_a_category_is_in_both() -> None:
    found = read([prediction(str(value)) | {"features": {"x": value}} for value in (1.5, "red")])
    assert found["numbers"]["feature/x"]["mean"] == 1.5
    assert found["names"]["feature/x"]["counts"] == {"red": 1}


def test_large_numbers_keep_their_digits() -> None:
    found = read([prediction("a") | {"features": {"x": 1_795_332_449.125}}])["numbers"]["feature/x"]
    assert quantiles(found).get_quantiles([0.5]) == [found["minimum"]] == [1_795_332_449.125]


def test_a_profile_of_no_rows_is_empty() -> None:
    assert read([]) == {"format": 1, "rows": {}, "numbers": {}, "names": {}}
