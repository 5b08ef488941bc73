"""Travel insurance: the schema and its rules, synthetic rows, and trees that learn batch by batch."""

import hashlib
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from ruamel.yaml import YAML
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from common.bundle.export import export_onnx
from common.bundle.model import OnnxModel
from common.bundle.parity import check_parity
from common.problem import Category, Floats, Ints, Number, Rows, Table, Value, as_float32
from common.settings import PROJECT
from common.table import DataError, csv_line, table_bytes
from problems import travel_insurance
from problems.travel_insurance import PROBLEM, ROWS, continue_training, learn_in_batches, refit, synthesize

# As the file on Kaggle has them.
PUBLISHED = (
    *("Agency", "Agency Type", "Distribution Channel", "Product Name", "Claim", "Duration", "Destination"),
    *("Net Sales", "Commision (in value)", "Gender", "Age"),
)
ROW: dict[str, str] = {
    "Agency": "C2B",
    "Agency Type": "Airlines",
    "Distribution Channel": "Online",
    "Product Name": "Annual Silver Plan",
    "Claim": "Yes",
    "Duration": "365",
    "Destination": "KOREA, REPUBLIC OF",
    "Net Sales": "-49.5",
    "Commision (in value)": "29.7",
    "Gender": "",
    "Age": "118",
}
READ = ["C2B", "Airlines", "Online", "Annual Silver Plan", 365.0, "KOREA, REPUBLIC OF", -49.5, 29.7, 118.0]
BATCH = 1000


@pytest.fixture(scope="module")
def claims() -> Table:
    return PROBLEM.load(None)


@pytest.fixture(scope="module")
def rows() -> Table:
    """Rows whose claims follow from age and duration alone."""
    drawn = synthesize(4000, np.random.default_rng(0))
    days, age = column(drawn.X, "Duration"), column(drawn.X, "Age")
    return Table(drawn.X, ((age > 60) | ((age <= 21) & (days > 30)) | (days > 80)).astype(np.int64))


@pytest.fixture(scope="module")
def fitted(rows: Table) -> Pipeline:
    model = learn_in_batches(rows.X, rows.y)
    assert isinstance(model, Pipeline)
    return model


@pytest.fixture
def small_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> list[tuple[LGBMClassifier, LGBMClassifier | None, Ints]]:
    """Batches of a thousand rows; yields what each has learnt, from what, and its labels."""
    learnt = []
    learn = travel_insurance._learn

    def note(X: Floats, y: Ints, before: LGBMClassifier | None) -> LGBMClassifier:
        trees = learn(X, y, before)
        learnt.append((trees, before, y))
        return trees

    monkeypatch.setattr(travel_insurance, "BATCH_ROWS", BATCH)
    monkeypatch.setattr(travel_insurance, "_learn", note)
    return learnt


def column(X: Rows, name: str) -> Any:
    place = PROBLEM.columns.index(name)
    return X[:, place].astype(np.float64 if isinstance(PROBLEM.features[place], Number) else str)


def row(**changes: Value) -> list[Value]:
    """Return the example row with some columns changed, which are named by slug."""
    example = {slug: feature.example for slug, feature in zip(PROBLEM.slugs, PROBLEM.features, strict=True)}
    assert changes.keys() <= example.keys()
    return list((example | changes).values())


def leaves(trees: LGBMClassifier) -> list[str]:
    """Return the values of the leaves, a line for each tree."""
    return re.findall(r"^leaf_value=.*$", trees.booster_.model_to_string(), re.MULTILINE)


def shares_of(X: Rows, name: str) -> dict[str, float]:
    names, counts = np.unique(column(X, name), return_counts=True)
    return dict(zip(names.tolist(), (counts / len(X)).tolist(), strict=True))


def read(path: Path, header: list[str], *lines: list[str]) -> Table:
    path.write_text("".join(csv_line(line[:-1], line[-1]) for line in (header, *lines)), encoding="utf-8")
    return PROBLEM.load(path)


# The schema and the synthetic rows


def test_the_columns_are_those_of_the_published_data_without_gender() -> None:
    assert set(PROBLEM.columns) == set(PUBLISHED) - {"Gender", PROBLEM.target.name}
    kinds = {feature.name for feature in PROBLEM.features if isinstance(feature, Number)}
    assert kinds == {"Duration", "Net Sales", "Commision (in value)", "Age"}
    assert PROBLEM.target.classes == ("No", "Yes")


def test_without_a_file_there_are_synthetic_rows_and_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, PROBLEM.load.__module__):
        table = PROBLEM.load(None)
    assert table.X.shape == (ROWS, 9) == (62_288, 9)
    assert "synthetic" in caplog.text
    assert "--from FILE" in caplog.text


def test_the_synthetic_rows_are_the_same_bytes_each_time_which_dvc_recorded(claims: Table) -> None:
    recorded = YAML(typ="safe").load(PROJECT / "data" / "travel_insurance" / "data.csv.dvc")["outs"][0]
    content = table_bytes(claims, PROBLEM.target.classes)
    assert hashlib.md5(content, usedforsecurity=False).hexdigest() == recorded["md5"]


def test_names_are_as_frequent_as_in_the_published_data(claims: Table) -> None:
    expected = {
        "Agency": {"EPX": 0.554, "CWT": 0.135, "C2B": 0.131, "JZI": 0.1},
        "Agency Type": {"Travel Agency": 0.757, "Airlines": 0.243},
        "Distribution Channel": {"Online": 0.983, "Offline": 0.017},
        "Product Name": {"Cancellation Plan": 0.294, "2 way Comprehensive Plan": 0.208},
        "Destination": {"SINGAPORE": 0.209, "MALAYSIA": 0.094, "THAILAND": 0.093, "CHINA": 0.076},
    }
    for name, shares in expected.items():
        found = shares_of(claims.X, name)
        assert {each: found[each] for each in shares} == pytest.approx(shares, abs=0.015), name


def test_numbers_are_as_odd_as_in_the_published_data(claims: Table) -> None:
    days, age = column(claims.X, "Duration"), column(claims.X, "Age")
    price, commission = column(claims.X, "Net Sales"), column(claims.X, "Commision (in value)")
    assert 0 < (days < 0).sum() < 20
    assert 15 < np.median(days) < 30
    assert days.max() > 90
    assert (age == 118).mean() == pytest.approx(0.0155, abs=0.003)
    assert np.median(age[age < 118]) == pytest.approx(39, abs=2)
    assert 0 < (price < 0).mean() < 0.02
    assert (commission >= 0).all()
    assert (commission == 0).mean() == pytest.approx(0.75, abs=0.1)
    assert (claims.y == 1).mean() == pytest.approx(0.0148, abs=0.0005)


def test_every_synthetic_row_is_plausible_and_of_known_names(claims: Table) -> None:
    for feature in PROBLEM.features:
        values = column(claims.X, feature.name)
        if isinstance(feature, Category):
            assert set(np.unique(values)) <= set(feature.categories)
        else:
            assert feature.minimum <= values.min() <= values.max() <= feature.maximum


# Files


@pytest.mark.parametrize("claim", ["Yes", "1"])
@pytest.mark.parametrize(
    "header",
    [
        PUBLISHED,
        ("ID", *PUBLISHED),
        tuple(reversed(PUBLISHED)),
        ("ID", *sorted(PUBLISHED)),
        (*PROBLEM.columns, "Claim"),
    ],
    ids=["as published", "ID first", "reversed", "ID and sorted", "without gender"],
)
def test_a_file_of_the_users_is_read_in_any_order_of_columns(
    tmp_path: Path, header: tuple[str, ...], claim: str
) -> None:
    line = {**ROW, "ID": "17", "Claim": claim}
    no = {**line, "Claim": {"Yes": "No", "1": "0"}[claim], "Gender": "F"}
    table = read(tmp_path / "mine.csv", list(header), *([each[name] for name in header] for each in (line, no)))
    assert table.X.tolist() == [READ, READ]
    assert table.y.tolist() == [1, 0]


def test_a_file_of_get_data_is_read_back(tmp_path: Path, claims: Table) -> None:
    some = Table(claims.X[:200], claims.y[:200])
    (tmp_path / "data.csv").write_bytes(table_bytes(some, PROBLEM.target.classes))
    table = PROBLEM.load(tmp_path / "data.csv")
    assert table.X.tolist() == some.X.tolist()
    np.testing.assert_array_equal(table.y, some.y)


def test_a_file_without_a_column_is_refused_with_its_name(tmp_path: Path) -> None:
    header = [name for name in PUBLISHED if name != "Net Sales"]
    with pytest.raises(DataError, match="column Net Sales: missing in the header, which has Agency, "):
        read(tmp_path / "mine.csv", header, [ROW[name] for name in header])


# The rules


def columns_of(fitted: Pipeline, *given: list[Value]) -> Floats:
    """Return what the trees get to see of some rows: names as zeros and ones, then duration, age group, money."""
    seen: Floats = fitted[:-1].transform(np.array(given, dtype=object))
    return seen


def median_of(rows: Table) -> float:
    days = column(rows.X, "Duration")
    return float(np.median(days[days >= 0]))


def test_a_negative_duration_becomes_the_median_and_a_long_one_ninety_days(fitted: Pipeline, rows: Table) -> None:
    days = (-1.0, -4881.0, 0.0, 89.0, 90.0, 91.0, 4881.0)
    seen = columns_of(fitted, *(row(Duration=each) for each in days))[:, -4]
    assert seen.tolist() == [median_of(rows)] * 2 + [0.0, 89.0, 90.0, 90.0, 90.0]


def test_ages_become_child_adult_and_senior(fitted: Pipeline) -> None:
    years = (0.0, 21.0, 22.0, 60.0, 61.0, 118.0)
    assert columns_of(fitted, *(row(Age=each) for each in years))[:, -3].tolist() == [0, 0, 1, 1, 2, 2]


def test_money_stays_as_it_is(fitted: Pipeline) -> None:
    assert columns_of(fitted, row(Net_Sales=-49.5, Commision_in_value=29.75))[0, -2:].tolist() == [-49.5, 29.75]


def test_the_trees_get_to_see_single_precision_as_the_graph_does(fitted: Pipeline) -> None:
    seen = columns_of(fitted, row(Net_Sales=20.3, Commision_in_value=1 / 3, Age=21.0000001))
    assert seen.dtype == np.float32
    assert seen[0, -3:].tolist() == [0.0, float(np.float32(20.3)), float(np.float32(1 / 3))]


def test_every_known_name_is_a_column_and_an_unknown_one_is_in_none(fitted: Pipeline) -> None:
    known = sum(len(feature.categories) for feature in PROBLEM.features if isinstance(feature, Category))
    seen = columns_of(fitted, row(), row(Agency="C2B"), row(Agency="XYZ", Destination="ATLANTIS"))
    assert seen.shape == (3, known + 4)
    names = seen[:, :known]
    assert set(names.ravel().tolist()) == {0.0, 1.0}
    assert names.sum(axis=1).tolist() == [5, 5, 3]
    assert np.abs(names[0] - names[1]).sum() == 2


def test_the_graph_answers_as_lightgbm(fitted: Pipeline, rows: Table, claims: Table) -> None:
    exported = export_onnx(fitted, PROBLEM, rows)
    slips = np.array([row(Duration=-7.0), row(Duration=4881.0), row(Age=118.0)], dtype=object)
    check_parity(OnnxModel(exported.SerializeToString()), fitted, np.concatenate([rows.X, claims.X[:5000], slips]))


# Learning


def test_a_fit_is_the_same_each_time(fitted: Pipeline, rows: Table) -> None:
    assert leaves(learn_in_batches(rows.X, rows.y)[-1]) == leaves(fitted[-1])


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (300, [300]),
        (1000, [1000]),
        (1001, [1001]),
        (1500, [1500]),
        (1501, [1000, 501]),
        (3000, [1000] * 3),
        (3200, [1000, 1000, 1200]),
    ],
)
def test_rows_are_learnt_in_batches_and_a_few_that_are_left_with_the_last(
    rows: Table, small_batches: list[Any], count: int, sizes: list[int]
) -> None:
    model: Any = learn_in_batches(rows.X[:count], rows.y[:count])
    assert [len(y) for _, _, y in small_batches] == sizes
    assert np.concatenate([y for _, _, y in small_batches]).tolist() == rows.y[:count].tolist()
    assert len(model.curves_["batch_log_loss"]) == len(sizes)


def test_each_batch_continues_the_trees_of_the_one_before(rows: Table, small_batches: list[Any]) -> None:
    model: Any = learn_in_batches(rows.X, rows.y)
    trees, before = [
        [leaves(each) if each else [] for each in pair] for pair in zip(*[b[:2] for b in small_batches], strict=True)
    ]
    assert before == [[], *trees[:-1]]
    for earlier, later in zip(before, trees, strict=True):
        assert later[: len(earlier)] == earlier
        assert 0 < len(later) - len(earlier) <= travel_insurance.ROUNDS
    assert leaves(model[-1]) == trees[-1]


def test_a_batch_ends_when_a_tenth_of_it_is_predicted_no_better(rows: Table, small_batches: list[Any]) -> None:
    noise = np.random.default_rng(0).integers(0, 2, BATCH)
    learn_in_batches(rows.X[:BATCH], noise)
    learn_in_batches(rows.X[:BATCH], rows.y[:BATCH])
    (hopeless, *_), (learnable, *_) = small_batches
    assert len(leaves(hopeless)) < travel_insurance.PATIENCE < len(leaves(learnable)) <= travel_insurance.ROUNDS


def test_the_curve_is_the_loss_of_the_tenth_held_out(rows: Table, small_batches: list[Any]) -> None:
    model: Any = learn_in_batches(rows.X, rows.y)
    losses = model.curves_["batch_log_loss"]
    assert losses == [each.best_score_["valid_0"]["binary_logloss"] for each, *_ in small_batches]
    assert losses[-1] < losses[0]


def test_each_batch_has_an_area_under_the_curve_of_the_same_tenth(rows: Table, small_batches: list[Any]) -> None:
    model: Any = learn_in_batches(rows.X, rows.y)
    areas = model.curves_["batch_auc"]
    start = 0
    for area, (trees, _, y) in zip(areas, small_batches, strict=True):
        X = model[0].transform(rows.X[start : start + len(y)])
        _, held_out, _, truths = train_test_split(X, y, test_size=0.1, random_state=42, stratify=y)
        assert area == roc_auc_score(truths, trees.predict_proba(held_out)[:, 1])
        start += len(y)
    assert min(areas) > 0.9


def test_a_batch_without_claims_in_its_tenth_has_no_area(rows: Table) -> None:
    model: Any = learn_in_batches(rows.X[:300], np.array([1] + [0] * 299))
    assert np.isnan(model.curves_["batch_auc"]).tolist() == [True]
    assert np.isfinite(model.curves_["batch_log_loss"]).all()


def test_the_share_of_claims_can_be_set_and_claims_stay_where_they_are_likely() -> None:
    few, many = (synthesize(20_000, np.random.default_rng(0), share) for share in (0.015, 0.2))
    assert (few.y.mean(), many.y.mean()) == (0.015, 0.2)
    np.testing.assert_array_equal(few.X, many.X)
    assert (many.y >= few.y).all()


# Continuing


def test_continuing_adds_trees_and_leaves_the_given_model_as_it_was(fitted: Pipeline, rows: Table) -> None:
    given = fitted[-1].booster_.model_to_string()
    continued = continue_training(fitted, rows, Table(rows.X[:5], 1 - rows.y[:5]))
    assert continued is not fitted
    assert fitted[-1].booster_.model_to_string() == given
    assert [name for name, _ in fitted.steps] == ["columns", "trees"]
    assert isinstance(continued, Pipeline)
    before, after = leaves(fitted[-1]), leaves(continued[-1])
    assert after[: len(before)] == before
    assert len(before) < len(after) <= len(before) + travel_insurance.ROUNDS


def test_continuing_adds_a_point_to_each_curve(fitted: Any, rows: Table) -> None:
    before = {name: list(curve) for name, curve in fitted.curves_.items()}
    continued: Any = continue_training(fitted, rows, Table(rows.X[:5], 1 - rows.y[:5]))
    assert {name: curve[:-1] for name, curve in continued.curves_.items()} == before == fitted.curves_
    assert continued.curves_["batch_log_loss"][-1] == continued[-1].best_score_["valid_0"]["binary_logloss"]


def test_corrections_are_one_batch_filled_up_with_original_rows(
    fitted: Pipeline, rows: Table, small_batches: list[Any]
) -> None:
    corrections = Table(rows.X[:5], np.array([1, 0, 1, 0, 1]))
    continue_training(fitted, rows, corrections)
    [(_, before, y)] = small_batches
    assert before is not None
    assert (len(y), y[-5:].tolist()) == (BATCH, [1, 0, 1, 0, 1])
    assert y[:-5].mean() == pytest.approx(rows.y.mean(), abs=0.05)


def test_later_rows_that_fill_a_batch_are_learnt_alone(fitted: Pipeline, rows: Table, small_batches: list[Any]) -> None:
    later = Table(rows.X[:1700], 1 - rows.y[:1700])
    continued = continue_training(fitted, rows, later)
    [(_, _, y)] = small_batches
    assert y.tolist() == later.y.tolist()
    wrong = [(model.predict(later.X) != later.y).mean() for model in (fitted, continued)]
    assert wrong[1] < wrong[0]


def test_a_continued_model_is_exported_like_any_other(fitted: Pipeline, rows: Table) -> None:
    continued = continue_training(fitted, rows, Table(rows.X[:5], 1 - rows.y[:5]))
    bundle = OnnxModel(export_onnx(continued, PROBLEM, rows).SerializeToString())
    check_parity(bundle, continued, as_float32(rows.X))


# Fitting again


def test_fitting_again_learns_the_corrections_in_the_last_batch(
    fitted: Pipeline, rows: Table, small_batches: list[Any]
) -> None:
    before = fitted[-1].booster_.model_to_string()
    corrections = Table(rows.X[:5], 1 - rows.y[:5])
    refit(fitted, rows, corrections)
    assert np.concatenate([y for *_, y in small_batches]).tolist() == [*rows.y, *corrections.y]
    assert small_batches[0][1] is None
    assert fitted[-1].booster_.model_to_string() == before
