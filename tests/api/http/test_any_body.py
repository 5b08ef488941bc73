"""For any JSON value: 200 exactly when it is a valid body of `/predict`, else a problem with a 4xx status."""

import json
import math
from typing import Any

import httpx
from hypothesis import example, given, settings
from hypothesis import strategies as st

FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
LOW, HIGH = 0.0, 30.0

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from([*FEATURES, "data"]) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=8,
)
plausible = st.floats(LOW, HIGH) | st.integers(int(LOW), int(HIGH))
# Mostly right, so that both sides of the boundary are reached.
number = st.one_of(plausible, plausible, plausible, plausible, anything)
row = st.lists(number, min_size=4, max_size=4) | st.lists(plausible, min_size=3, max_size=5)
one = st.fixed_dictionaries(dict.fromkeys(FEATURES, number))
body = st.one_of(
    one,
    st.tuples(one, st.dictionaries(st.sampled_from([*FEATURES, "data", "x"]), anything, max_size=1)).map(
        lambda both: {**both[0], **both[1]}
    ),
    one.flatmap(lambda whole: st.sampled_from(FEATURES).map(lambda gone: {k: whole[k] for k in whole if k != gone})),
    st.fixed_dictionaries({"data": st.lists(row, max_size=4)}),
    anything,
)


def is_plausible(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and LOW <= value <= HIGH if isinstance(value, float) else LOW <= value <= HIGH


def is_row(value: Any) -> bool:
    return isinstance(value, list) and len(value) == len(FEATURES) and all(map(is_plausible, value))


def is_valid(value: Any) -> bool:
    """Return whether `/predict` takes a decoded body, by code of our own."""
    if not isinstance(value, dict):
        return False
    if set(value) == {"data"}:
        rows = value["data"]
        return isinstance(rows, list) and 1 <= len(rows) <= 10_000 and all(map(is_row, rows))
    return set(value) == set(FEATURES) and all(map(is_plausible, value.values()))


@given(body)
@settings(max_examples=400, deadline=None)
@example(dict.fromkeys(FEATURES, 0))
@example(dict.fromkeys(FEATURES, -0.0))
@example(dict.fromkeys(FEATURES, 10**400))
@example(dict.fromkeys(FEATURES, math.nextafter(30.0, 31.0)))
@example({"data": [[30, 30.0, 0, 5e-324]]})
@example({**dict.fromkeys(FEATURES, 1.0), "data": [[1, 2, 3, 4]]})
@example({"\ud800": {"\udfff": 1}})
def test_only_valid_bodies_are_answered(lone_api: httpx.Client, value: Any) -> None:
    response = lone_api.post("/predict", content=json.dumps(value), headers={"Content-Type": "application/json"})
    if is_valid(value):
        assert response.status_code == 200, response.text
        answers = response.json()
        assert len(answers.get("predictions", [answers])) == len(value.get("data", [value]))
    else:
        assert 400 <= response.status_code < 500
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code
