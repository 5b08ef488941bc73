"""Problems are found by the names of their files, name their models, and can be told apart."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import problems
from common.problem import (
    Category,
    Number,
    Problem,
    ProblemError,
    Target,
    epochs_run,
    get_problem,
)


def test_a_problem_is_found_by_the_name_of_its_file(problem: Problem) -> None:
    assert problem.name == "iris"
    assert get_problem("iris") is problem


@pytest.mark.parametrize("name", ["irs", "", "__init__", "iris.py", "Iris"])
def test_an_unknown_problem_is_refused_with_a_list_of_the_known_ones(name: str) -> None:
    with pytest.raises(ProblemError, match=r"there is .*\biris\b") as refused:
        get_problem(name)
    assert f"unknown problem {name!r}" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "onnx", "sklearn"),
    [
        ("iris", "IrisModel", "IrisDev"),
        ("breast_cancer", "BreastCancerModel", "BreastCancerDev"),
        ("travel_insurance", "TravelInsuranceModel", "TravelInsuranceDev"),
    ],
)
def test_names_of_models_follow_from_the_name(problem: Problem, name: str, onnx: str, sklearn: str) -> None:
    named = replace(problem, name=name)
    assert (named.onnx_name, named.sklearn_name) == (onnx, sklearn)


def test_the_columns_are_the_features_in_order(problem: Problem) -> None:
    assert problem.columns == ("sepal_length", "sepal_width", "petal_length", "petal_width")


def number(name: str) -> Number:
    return Number(name, unit="cm", description="a length", minimum=0.0, maximum=1.0, example=0.5)


def with_names(problem: Problem, *names: str) -> Problem:
    return replace(problem, features=tuple(number(name) for name in names))


def test_names_become_identifiers_without_spaces_and_brackets(problem: Problem) -> None:
    named = with_names(problem, "Commision (in value)", "Net Sales", "od280/od315", "Größe [cm]", "  mean  radius ")
    assert named.slugs == ("Commision_in_value", "Net_Sales", "od280_od315", "Größe_cm", "mean_radius")
    assert named.columns[0] == "Commision (in value)"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a", "b", "a"), "two features have the name 'a'"),
        (("Net Sales", "Net (Sales)"), "two features have the name 'Net_Sales'"),
        (
            ("a", "class_name"),
            "'class_name', which the lab uses itself: rename the column",
        ),
        (("data",), "a feature cannot have the name 'data'"),
        (("prediction id",), "a feature cannot have the name 'prediction_id'"),
        (("[replace]",), "a feature cannot have the name 'replace'"),
        (("outlier_score",), "a feature cannot have the name 'outlier_score'"),
        (("2nd value",), "a feature cannot have the name '2nd value': begin with a letter"),
        (("class",), "a feature cannot have the name 'class': begin with a letter, and use no keyword of Python"),
        (("%",), "a feature cannot have the name '%'"),
        (("suggestion_id",), "a feature cannot have the name 'suggestion_id'"),
    ],
)
def test_features_that_cannot_be_told_apart_are_refused_in_words(
    problem: Problem, names: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ProblemError) as refused:
        with_names(problem, *names)
    assert str(refused.value).startswith("problem iris: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (("yes", "no", "yes"), "two classes have the name 'yes'"),
        (("yes",), "a target needs at least two classes"),
        ((), "a target needs at least two classes"),
        (("yes", " yes "), "two classes have the name 'yes'"),
        (("yes", "  "), "a class cannot have the name ''"),
        (("yes", "n\no"), r"a class cannot have the name 'n\\no': write a word in one line"),
    ],
)
def test_classes_that_leave_nothing_to_tell_apart_are_refused_in_words(
    problem: Problem, classes: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ProblemError, match=f"problem iris: {said}"):
        replace(problem, target=Target("kind", classes))


@pytest.mark.parametrize(
    ("spellings", "said"),
    [
        ({"2": "maybe"}, "'2' is a spelling of 'maybe', which is not a class: the classes are no, yes"),
        ({"no": "yes"}, "'no' is a class, and cannot be a spelling of 'yes'"),
    ],
)
def test_a_spelling_that_leads_to_no_class_is_refused_in_words(
    problem: Problem, spellings: dict[str, str], said: str
) -> None:
    with pytest.raises(ProblemError) as refused:
        replace(problem, target=Target("kind", ("no", "yes"), spellings))
    assert str(refused.value) == f"problem iris: {said}"


def test_a_class_may_be_a_spelling_of_itself(problem: Problem) -> None:
    assert replace(problem, target=Target("kind", ("no", "yes"), {"no": " no"})).target.spellings == {"no": "no"}


def test_a_target_that_is_a_feature_too_is_refused_in_words(problem: Problem) -> None:
    with pytest.raises(ProblemError, match="problem iris: 'petal_width' is both a feature and the target"):
        replace(problem, target=Target("petal_width", ("no", "yes")))


@pytest.mark.parametrize(("low", "high"), [(0.0, 1e39), (-math.inf, 0.0), (math.nan, 1.0)])
def test_limits_that_float32_cannot_hold_are_refused_in_words(problem: Problem, low: float, high: float) -> None:
    with pytest.raises(ProblemError, match=r"problem iris: feature 'length' has the limits .*float32 holds"):
        replace(problem, features=(Number("length", "cm", "a length", minimum=low, maximum=high, example=0.0),))


def test_a_problem_is_numeric_when_no_feature_is_a_category(problem: Problem) -> None:
    assert problem.is_numeric
    colour = Category("colour", "of the flower", ("blue", "red"), example="blue")
    assert not replace(problem, features=(*problem.features, colour)).is_numeric


def test_two_problems_whose_models_would_share_a_name_are_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("wine2", "wine_2"):
        (tmp_path / f"{name}.py").write_text(
            "from dataclasses import replace\nfrom problems.iris import PROBLEM as IRIS\n"
            f"PROBLEM = replace(IRIS, name={name!r})\n"
        )
        monkeypatch.delitem(sys.modules, f"problems.{name}", raising=False)
    monkeypatch.setattr(problems, "__path__", [*problems.__path__, str(tmp_path)])
    for name, other in (("wine2", "wine_2"), ("wine_2", "wine2")):
        with pytest.raises(ProblemError) as refused:
            get_problem(name)
        assert str(refused.value) == (
            f"problems/{name}.py and problems/{other}.py would both register Wine2Model: rename one of them"
        )
    assert get_problem("iris").onnx_name == "IrisModel"


@pytest.mark.parametrize("content", ["", "PROBLEM = 7\n", "from problems.iris import PROBLEM as PROBLEM\n"])
def test_a_file_without_a_problem_of_its_name_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (tmp_path / "half_done.py").write_text(content, encoding="utf-8")
    monkeypatch.setattr(problems, "__path__", [*problems.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "problems.half_done", raising=False)
    with pytest.raises(ProblemError, match=r"problems/half_done\.py has no PROBLEM whose name is 'half_done'"):
        get_problem("half_done")


def test_the_epochs_that_a_fit_took_are_told_also_of_the_last_step_of_a_pipeline() -> None:
    X, y = np.array([[0.0], [1.0], [2.0], [3.0]] * 5), np.array([0, 0, 1, 1] * 5)
    perceptron = make_pipeline(StandardScaler(), Perceptron(max_iter=3, tol=None)).fit(X, y)
    assert (epochs_run(perceptron), epochs_run(perceptron[-1])) == (3, 3)
    assert epochs_run(LogisticRegression(max_iter=50).fit(X, y)) is None
    assert epochs_run(LGBMClassifier(n_estimators=2, verbose=-1).fit(X, y)) is None


def test_a_problem_without_any_way_to_learn_corrections_is_refused(problem: Problem) -> None:
    with pytest.raises(ProblemError, match="no way to learn corrections"):
        replace(problem, continue_training=None, refit=None)


def test_the_default_margin_is_two_points(problem: Problem) -> None:
    assert (problem.margin, get_problem("travel_insurance").margin) == (0.02, 0.01)
