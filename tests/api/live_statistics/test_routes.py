"""Champion and challenger side by side, with numbers that a recount confirms; and moving the aliases."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import NormalDist
from typing import Any

import httpx
import mlflow
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support, recall_score

from common.settings import Settings
from common.store import Store
from common.store.statistics import MOST_VERSIONS
from scripts.parts import wait_for
from tests import servers
from tests.api.challenger.test_shadow import CHALLENGER, keep_challenger, remembered, serving
from tests.api.inference.test_prediction_log import CLASSES, SETOSA, SETOSA_ROW, ask, by_hand
from tests.api.routes.test_bad_requests import check_field, check_problem
from tests.api.routes.test_feedback import tell
from tests.common.store.rows import prediction
from tests.conftest import IRIS, KEPT, register_onnx, running_api, set_alias

METRICS = ("precision", "recall", "specificity", "f1")


def statistics_of(api: httpx.Client) -> dict[str, dict[str, Any]]:
    """Return the statistics of the versions, by role."""
    return {each["role"]: each for each in api.get("/models").raise_for_status().json()["versions"]}


def check_statistics(found: dict[str, Any], truths: Sequence[str], predicted: Sequence[str]) -> None:
    """Compare with scikit-learn's metrics of the labelled rows."""
    assert found["labels"] == len(truths)
    assert found["accuracy"]["value"] == pytest.approx(accuracy_score(truths, predicted))
    assert found["confusion"] == confusion_matrix(truths, predicted, labels=CLASSES).tolist()
    nan = math.nan
    columns = precision_recall_fscore_support(truths, predicted, labels=CLASSES, zero_division=nan)[:3]
    negatives = [
        recall_score([t != name for t in truths], [p != name for p in predicted], zero_division=nan) for name in CLASSES
    ]
    expected = dict(zip(METRICS, (columns[0], columns[1], np.array(negatives), columns[2]), strict=True))
    for name, values in expected.items():
        shown = [nan if each[name] is None else each[name]["value"] for each in found["classes"]]
        assert shown == pytest.approx(values, nan_ok=True)
        assert found[name] == pytest.approx(np.nanmean(values))
    assert [each["class_name"] for each in found["classes"]] == list(CLASSES)


def check_counts(found: dict[str, Any], truths: Sequence[str], predicted: Sequence[str]) -> None:
    """Compare the four counts of each class, and see that each interval is Wilson's."""
    pairs = list(zip(truths, predicted, strict=True))
    for each in found["classes"]:
        name = each["class_name"]
        tp, fp, fn, tn = (
            sum((truth == name) == is_true and (guess == name) == is_guess for truth, guess in pairs)
            for is_true, is_guess in ((True, True), (False, True), (True, False), (False, False))
        )
        assert (each["true_pos"], each["false_pos"], each["false_neg"], each["true_neg"]) == (tp, fp, fn, tn)
        check_interval(each["precision"], tp + fp)
        check_interval(each["recall"], tp + fn)
        check_interval(each["specificity"], tn + fp)
        assert each["f1"]["low"] <= each["f1"]["value"] <= each["f1"]["high"]
    check_interval(found["accuracy"], len(pairs))


def check_interval(estimate: dict[str, float], trials: int) -> None:
    """See that the value is as many standard errors away from either end as 95 % are, by the end's own error."""
    z = NormalDist().inv_cdf(0.975)
    for end in (estimate["low"], estimate["high"]):
        if end not in (0, 1):
            assert abs(estimate["value"] - end) / math.sqrt(end * (1 - end) / trials) == pytest.approx(z)
    assert estimate["low"] <= estimate["value"] <= estimate["high"]


def drawn(count: int) -> tuple[list[list[float]], list[str]]:
    """Return rows all over the place, and truths that have little to do with them."""
    random = np.random.default_rng(3)
    return random.uniform(0, 7, (count, 4)).round(2).tolist(), random.choice(CLASSES, count, p=(0.5, 0.3, 0.2)).tolist()


def test_the_numbers_of_both_equal_a_recount_by_scikit_learn(on_either: Settings) -> None:
    keep_challenger(on_either, by_hand(2.5, 4.8))
    rows, truths = drawn(120)
    with running_api(on_either) as api:
        answers = ask(api, *rows)
        shadows = [remembered(api, answer["prediction_id"])[1] for answer in answers]
        for answer, truth in list(zip(answers, truths, strict=True))[:100]:
            assert tell(api, answer["prediction_id"], truth).status_code == 200
        found = api.get("/models").json()
    of = {each["role"]: each for each in found["versions"]}
    names = {role: [each["class_name"] for each in some] for role, some in (("champion", answers), ("shadow", shadows))}
    for role, predicted in names.items():
        check_statistics(of[role], truths[:100], predicted[:100])
        check_counts(of[role], truths[:100], predicted[:100])
        assert of[role]["predictions"] == 120
    assert of["champion"]["outliers"] == sum(answer["is_outlier"] for answer in answers) > 0
    assert of["shadow"]["outliers"] == 0
    assert (found["champion"], found["challenger"]) == (KEPT, CHALLENGER)
    assert (of["champion"]["model_version"], of["shadow"]["model_version"]) == (KEPT, CHALLENGER)
    check_comparison(found["comparison"], truths[:100], names["champion"], names["shadow"])


def check_comparison(
    found: dict[str, Any], truths: Sequence[str], champion: Sequence[str], challenger: Sequence[str]
) -> None:
    right = [(a == truth, b == truth) for truth, a, b in zip(truths, champion, challenger, strict=False)]
    only_first, only_second = right.count((True, False)), right.count((False, True))
    trials = only_first + only_second
    tail = sum(math.comb(trials, k) for k in range(min(only_first, only_second) + 1)) / 2**trials
    assert only_first != only_second
    assert found == {
        "champion": KEPT,
        "challenger": CHALLENGER,
        "both_right": right.count((True, True)),
        "only_champion_right": only_first,
        "only_challenger_right": only_second,
        "both_wrong": right.count((False, False)),
        "p_value": pytest.approx(min(2 * tail, 1)),
    }


def test_of_many_versions_the_overview_has_the_newest_and_those_that_serve(with_copy: Settings) -> None:
    versions = range(KEPT, KEPT + MOST_VERSIONS + 2)
    with closing(Store(with_copy.database_url)) as store:
        store.predictions.write([prediction(f"{number}", version=number) for number in versions])

    def shown(api: httpx.Client, **query: int) -> list[int]:
        answer = api.get("/models", params=query).raise_for_status().json()
        return [each["model_version"] for each in answer["versions"]]

    with running_api(with_copy) as api:
        assert shown(api) == [KEPT, *versions[2:]]
        assert shown(api, limit=1) == [KEPT, versions[-1]]
        assert shown(api, limit=1_000) == [*versions]
        check_field(api.get("/models", params={"limit": 1_001}), "limit")


def test_before_anything_is_asked_there_are_no_numbers(with_copy: Settings) -> None:
    with running_api(with_copy) as api:
        found = api.get("/models").json()
    assert found == {
        "model_name": "IrisModel",
        "champion": KEPT,
        "challenger": None,
        "versions": [],
        "comparison": None,
        "history": [],
    }


def test_without_a_model_there_is_still_an_overview(modelless: httpx.Client) -> None:
    found = modelless.get("/models").raise_for_status().json()
    assert (found["champion"], found["challenger"], found["versions"]) == (None, None, [])


def test_without_labels_the_metrics_are_null(with_copy: Settings) -> None:
    with running_api(with_copy) as api:
        ask(api, SETOSA_ROW)
        found = wait_for("the row", lambda: statistics_of(api))["champion"]
    assert (found["predictions"], found["labels"]) == (1, 0)
    assert [found[name] for name in ("accuracy", *METRICS)] == [None] * 5
    assert found["confusion"] == [[0] * 3] * 3
    for each in found["classes"]:
        assert [each[name] for name in METRICS] == [None] * 4


def test_a_metric_with_nothing_to_divide_by_is_null(with_copy: Settings) -> None:
    with running_api(with_copy) as api:
        for answer in ask(api, SETOSA_ROW, SETOSA_ROW):
            assert tell(api, answer["prediction_id"], "Iris-setosa").status_code == 200
        found = statistics_of(api)["champion"]
    setosa, versicolor, virginica = found["classes"]
    assert [setosa[name]["value"] for name in ("precision", "recall", "f1")] == [1, 1, 1]
    assert setosa["specificity"] is None
    for each in (versicolor, virginica):
        assert [each[name] for name in ("precision", "recall", "f1")] == [None, None, None]
        assert each["specificity"]["value"] == 1
    assert [found[name] for name in METRICS] == [1, 1, 1, 1]


@pytest.fixture
def lab(settings: Settings) -> Settings:
    """A lab with versions 1 to 3, whose scikit-learn twins are 2 to 4; version 1 is champion in both flavours.

    Each has an answer of its own: setosa, versicolor, virginica.
    """
    client = mlflow.MlflowClient(settings.mlflow_uri)
    client.create_registered_model(IRIS.sklearn_name)
    for limits in ((99, 99), (-1, 99), (-1, -1)):
        number = register_onnx(settings, by_hand(*limits))
        version = client.get_model_version(IRIS.onnx_name, str(number))
        twins = [
            client.create_model_version(IRIS.sklearn_name, str(version.source), version.run_id).version
            for _ in range(2 if number == 1 else 1)
        ]
        client.set_model_version_tag(IRIS.onnx_name, str(number), "sklearn_version", str(twins[-1]))
    for name, number in ((IRIS.sklearn_name, 2), (IRIS.onnx_name, 1)):
        client.set_registered_model_alias(name, "champion", str(number))
    return settings


@pytest.fixture
def api(lab: Settings) -> Iterator[httpx.Client]:
    with running_api(lab) as client:
        wait_for("version 1", lambda: history(client) == [(1, "registered")])
        yield client


def history(api: httpx.Client) -> list[tuple[int, str]]:
    return [(reign["model_version"], reign["how"]) for reign in api.get("/models").json()["history"]]


def aliases(lab: Settings, name: str) -> dict[str, int]:
    found = mlflow.MlflowClient(lab.mlflow_uri).get_registered_model(name).aliases
    return {alias: int(number) for alias, number in found.items()}


def move(api: httpx.Client, number: int, how: str) -> dict[str, Any]:
    """Move an alias, without a body, as curl does."""
    answer: dict[str, Any] = api.post(f"/models/{number}/{how}").raise_for_status().json()
    return answer


def wait_for_serving(api: httpx.Client, **wanted: int) -> None:
    wait_for(f"{wanted}", lambda: serving(api) == wanted, within=15)


def test_a_challenger_is_made_promoted_and_rolled_back(api: httpx.Client, lab: Settings) -> None:
    moved = move(api, 3, "challenge")
    assert moved == {"model_name": "IrisModel", "champion": 1, "challenger": 3}
    assert aliases(lab, "IrisDev") == {"champion": 2, "challenger": 4}
    wait_for_serving(api, champion=1, shadow=3)
    (answer,) = ask(api, SETOSA_ROW)
    champion, challenger = remembered(api, answer["prediction_id"])
    assert (champion["class_name"], challenger["class_name"]) == ("Iris-setosa", "Iris-virginica")
    moved = move(api, 3, "promote")
    assert moved == {"model_name": "IrisModel", "champion": 3, "challenger": None}
    assert aliases(lab, "IrisModel") == {"anchor": 3, "champion": 3}
    assert aliases(lab, "IrisDev") == {"anchor": 4, "champion": 4}
    wait_for_serving(api, champion=3)
    (answer,) = ask(api, SETOSA_ROW)
    assert (answer["class_name"], answer["model_version"]) == ("Iris-virginica", 3)
    moved = move(api, 3, "rollback")
    assert moved == {"model_name": "IrisModel", "champion": 1, "challenger": None}
    assert aliases(lab, "IrisModel") == {"anchor": 1, "champion": 1}
    assert aliases(lab, "IrisDev") == {"anchor": 2, "champion": 2}
    wait_for_serving(api, champion=1)
    assert history(api) == [(1, "registered"), (3, "promoted"), (1, "rolled back")]


def test_promoting_another_version_leaves_the_challenger(api: httpx.Client) -> None:
    move(api, 3, "challenge")
    assert move(api, 2, "promote") == {"model_name": "IrisModel", "champion": 2, "challenger": 3}
    wait_for_serving(api, champion=2, shadow=3)


def test_promoting_the_champion_again_changes_nothing(api: httpx.Client) -> None:
    for _ in range(2):
        assert move(api, 2, "promote")["champion"] == 2
    wait_for_serving(api, champion=2)
    assert history(api) == [(1, "registered"), (2, "promoted")]


def test_promoting_the_latest_version_keeps_it_when_a_later_one_appears(lab: Settings) -> None:
    mlflow.MlflowClient(lab.mlflow_uri).delete_registered_model_alias(IRIS.onnx_name, "champion")
    with running_api(lab) as api:
        wait_for_serving(api, champion=3)
        assert move(api, 3, "promote")["champion"] == 3
        register_onnx(lab, by_hand(99, 99))
        assert aliases(lab, IRIS.onnx_name) == {"anchor": 3, "champion": 3}


def test_rolling_back_twice_goes_further_into_the_past(api: httpx.Client) -> None:
    for number in (2, 3):
        move(api, number, "promote")
        wait_for_serving(api, champion=number)
    assert move(api, 3, "rollback")["champion"] == 2
    assert move(api, 2, "rollback")["champion"] == 1
    check_problem(api.post("/models/1/rollback"), 409)
    wait_for_serving(api, champion=1)
    assert history(api)[-2:] == [(2, "rolled back"), (1, "rolled back")]


def test_the_second_rollback_of_the_same_champion_is_refused(api: httpx.Client) -> None:
    move(api, 2, "promote")
    move(api, 3, "promote")
    assert move(api, 3, "rollback")["champion"] == 2
    refused = api.post("/models/3/rollback")
    check_problem(refused, 409)
    assert refused.json()["detail"] == "version 3 is not the champion: version 2 is"


def test_a_rollback_to_the_challenger_leaves_nobody_to_challenge_himself(api: httpx.Client) -> None:
    move(api, 2, "promote")
    move(api, 1, "challenge")
    assert move(api, 2, "rollback") == {"model_name": "IrisModel", "champion": 1, "challenger": None}


def test_a_champion_moved_by_hand_in_mlflow_is_in_the_history(api: httpx.Client, lab: Settings) -> None:
    set_alias(lab, "champion", 3)
    wait_for("the move", lambda: history(api) == [(1, "registered"), (3, "registered")])
    assert move(api, 3, "rollback")["champion"] == 1


def test_an_unknown_version_is_not_found(api: httpx.Client, lab: Settings) -> None:
    for how in ("challenge", "promote"):
        check_problem(api.post(f"/models/9/{how}"), 404)
    assert aliases(lab, "IrisModel") == {"champion": 1}


@pytest.mark.parametrize("number", ["0", "-1", "seven", "99999999999", "1.5"])
def test_a_version_that_is_no_number_is_refused(lone_api: httpx.Client, number: str) -> None:
    for how in ("challenge", "promote", "rollback"):
        check_problem(lone_api.post(f"/models/{number}/{how}"), 422)


def test_a_move_from_the_wrong_champion_is_a_conflict(api: httpx.Client, lab: Settings) -> None:
    for number, how in ((1, "challenge"), (2, "rollback"), (9, "rollback"), (1, "rollback")):
        check_problem(api.post(f"/models/{number}/{how}"), 409)
    assert aliases(lab, "IrisModel") == {"champion": 1}
    assert aliases(lab, "IrisDev") == {"champion": 2}


def test_a_rollback_to_a_version_that_is_gone_is_a_conflict(api: httpx.Client, lab: Settings) -> None:
    move(api, 2, "promote")
    mlflow.MlflowClient(lab.mlflow_uri).delete_model_version("IrisModel", "1")
    refused = api.post("/models/2/rollback")
    check_problem(refused, 409)
    assert "version 1" in refused.json()["detail"]
    assert aliases(lab, "IrisModel") == {"anchor": 2, "champion": 2}


@pytest.mark.parametrize("how", ["challenge", "promote", "rollback"])
def test_a_version_whose_twin_is_gone_is_a_conflict_that_names_the_ways_out(
    api: httpx.Client, lab: Settings, how: str
) -> None:
    client = mlflow.MlflowClient(lab.mlflow_uri)
    if how == "rollback":
        move(api, 2, "promote")
        client.delete_model_version("IrisDev", "2")
    else:
        client.delete_model_version("IrisDev", "3")
    before = aliases(lab, "IrisModel"), aliases(lab, "IrisDev")
    refused = api.post(f"/models/2/{how}")
    check_problem(refused, 409)
    assert "scikit-learn twin of version" in refused.json()["detail"]
    assert "take another version, or train anew" in refused.json()["detail"]
    assert (aliases(lab, "IrisModel"), aliases(lab, "IrisDev")) == before


def test_while_mlflow_is_away_nothing_moves_and_the_overview_is_there(lone_api: httpx.Client) -> None:
    for how in ("challenge", "promote", "rollback"):
        check_problem(lone_api.post(f"/models/{KEPT}/{how}"), 503)
    assert lone_api.get("/models").json()["champion"] == KEPT


def test_promotions_and_rollbacks_under_load_are_served_within_seconds_and_fail_no_request(lab: Settings) -> None:
    over = threading.Event()
    with servers.api_process(lab) as (url, _), ThreadPoolExecutor(3) as pool, httpx.Client(base_url=url) as api:
        wait_for_serving(api, champion=1)
        loads = [pool.submit(ask_until, over.is_set, url) for _ in range(3)]
        try:
            for number, how, then in ((2, "promote", 2), (3, "promote", 3), (3, "rollback", 2), (2, "rollback", 1)):
                move(api, number, how)
                wait_for(f"version {then}", lambda then=then: serving(api) == {"champion": then}, within=10)  # type: ignore[misc]
        finally:
            over.set()
        answers = {answer for load in loads for answer in load.result()}
    assert answers == {(1, "Iris-setosa"), (2, "Iris-versicolor"), (3, "Iris-virginica")}


def ask_until(over: Callable[[], bool], url: str) -> set[tuple[int, str]]:
    """Ask for single rows and batches until it is over; return the versions with their answers."""
    found = set()
    with httpx.Client(base_url=url, timeout=30.0) as client:
        while not over():
            answers = [client.post("/predict", json=SETOSA).raise_for_status().json(), *ask(client, *[SETOSA_ROW] * 20)]
            found |= {(answer["model_version"], answer["class_name"]) for answer in answers}
    return found
