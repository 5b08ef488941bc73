"""The api for problems that are not iris: names with spaces and brackets, categories, models without probabilities."""

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from common.bundle.export import export_onnx
from common.bundle.model import OnnxModel
from common.bundle.outliers import fit_outlier_scorer
from common.problem import Classifier, Problem, Table, Value
from common.settings import Settings
from common.split import split
from monitor.monitor import create_app
from monitor.statistics.enough import MEAN_ROWS
from preprocess import split as set_apart
from problems import breast_cancer, travel_insurance
from scripts.parts import free_port, wait_for
from tests import servers
from tests.api.challenger.test_shadow import CHALLENGER, keep_challenger, remembered
from tests.api.inference.test_prediction_log import counted, store_of
from tests.api.metrics.test_declared import predicted, samples
from tests.api.protocols.oip.test_clients import run_client
from tests.api.protocols.oip.test_routes import binary, body, check_refused, outputs
from tests.api.routes.test_bad_requests import check_field, check_problem, post
from tests.api.test_openapi import FEW, PARTICULAR, schema_of
from tests.conftest import KEPT, keep_copy, running_api, served
from tests.monitor.test_monitor import samples as monitored

TRAVEL = travel_insurance.PROBLEM
CANCER = breast_cancer.PROBLEM


@dataclass(frozen=True)
class Lab:
    """An api that serves a problem without servers, and its bundle."""

    problem: Problem
    settings: Settings
    api: httpx.Client
    model: OnnxModel

    @property
    def row(self) -> dict[str, Value]:
        return {feature.name: feature.example for feature in self.problem.features}

    def predict(self, **changes: Any) -> dict[str, Any]:
        """Return the answer to the example row with some columns changed, which are named by slug."""
        names = dict(zip(self.problem.slugs, self.problem.columns, strict=True))
        body = self.row | {names[slug]: value for slug, value in changes.items()}
        answer: dict[str, Any] = self.api.post("/predict", json=body).raise_for_status().json()
        return answer

    def statistics(self) -> dict[str, Any]:
        """Return the statistics on `/models` of the version that answers."""
        versions = self.api.get("/models").raise_for_status().json()["versions"]
        return next((each for each in versions if each["role"] == "champion"), {"predictions": 0, "labels": 0})


def exported(problem: Problem, model: Classifier, train: Table) -> bytes:
    graph = export_onnx(model, problem, train, fit_outlier_scorer(*split(train)))
    return bytes(graph.SerializeToString())


@pytest.fixture(scope="module")
def travel_bundle() -> bytes:
    train = travel_insurance.synthesize(3000, np.random.default_rng(0))
    return exported(TRAVEL, travel_insurance.learn_in_batches(train.X, train.y), train)


def cancer_bundle(family: str) -> bytes:
    train, _ = set_apart(CANCER.load(None), 0.5)
    candidate = next(each for each in CANCER.candidates() if each.family == family)
    return exported(CANCER, candidate.fit(train.X, train.y), train)


@pytest.fixture(scope="module")
def without_probabilities() -> bytes:
    return cancer_bundle(breast_cancer.PERCEPTRON)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


def settings_for(problem: Problem, home: Path, **more: Any) -> Settings:
    """Return the settings of a lab whose servers are away; labs in one home share the store."""
    return Settings(
        problem=problem.name,
        lab_home=home,
        database_url=f"sqlite:///{home}/lab.db",
        mlflow_uri=f"http://127.0.0.1:{free_port()}",
        suggest_rate="100000/minute",
        vetting="off",
        prefect_api_url=more.get("prefect_api_url", f"http://127.0.0.1:{free_port()}/api"),
    )


def serving(problem: Problem, bundle: bytes, home: Path) -> Iterator[Lab]:
    settings = settings_for(problem, home)
    keep_copy(settings, bundle)
    with running_api(settings) as api:
        yield Lab(problem, settings, api, OnnxModel(bundle))


@pytest.fixture(scope="module")
def travel(home: Path, travel_bundle: bytes) -> Iterator[Lab]:
    yield from serving(TRAVEL, travel_bundle, home)


@pytest.fixture(scope="module")
def cancer(home: Path, without_probabilities: bytes) -> Iterator[Lab]:
    yield from serving(CANCER, without_probabilities, home)


@pytest.fixture(params=["travel", "cancer"])
def lab(request: pytest.FixtureRequest) -> Lab:
    chosen: Lab = request.getfixturevalue(request.param)
    return chosen


# Predictions


def test_a_row_is_answered_by_the_names_of_its_columns_and_in_their_order(lab: Lab) -> None:
    one = lab.predict()
    (many,) = lab.api.post("/predict", json={"data": [list(lab.row.values())]}).raise_for_status().json()["predictions"]
    assert one["class_name"] in lab.problem.target.classes
    assert (one["model_name"], one["model_version"]) == (lab.problem.onnx_name, KEPT)
    for name in ("class_name", "probabilities", "outlier_score", "is_outlier"):
        assert one[name] == many[name]


def test_fields_are_found_by_name_and_not_by_place(lab: Lab) -> None:
    answer = lab.api.post("/predict", json=dict(reversed(lab.row.items()))).json()
    for name in ("class_name", "probabilities", "outlier_score"):
        assert answer[name] == lab.predict()[name]


def test_answers_are_those_of_the_bundle(travel: Lab) -> None:
    drawn = travel_insurance.synthesize(200, np.random.default_rng(1)).X.tolist()
    answers = travel.api.post("/predict", json={"data": drawn}).raise_for_status().json()["predictions"]
    expected = travel.model.predict(travel.model.as_rows(drawn)).probabilities
    assert expected is not None
    found = [list(answer["probabilities"].values()) for answer in answers]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert list(answers[0]["probabilities"]) == ["No", "Yes"]
    assert len({share for _, share in found}) > 10


def test_the_rules_of_the_problem_hold_at_serving_time(travel: Lab) -> None:
    ninety, longer = (travel.predict(Duration=days)["probabilities"] for days in (90, 400))
    assert ninety == longer
    child, still = (travel.predict(Age=years)["probabilities"] for years in (3, 21))
    assert child == still


def test_a_model_without_probabilities_answers_with_null_in_their_place(cancer: Lab) -> None:
    answer = cancer.predict()
    assert answer["class_name"] == "malignant"
    assert answer["probabilities"] is None
    assert math.isfinite(answer["outlier_score"])
    assert cancer.api.get("/predict/test").json()["probabilities"] is None


def test_row_and_answer_are_remembered_by_the_names_of_the_columns(lab: Lab) -> None:
    answer = lab.predict()
    (row,) = remembered(lab.api, answer["prediction_id"], count=1)
    assert row["features"] == lab.row
    assert {name: row[name] for name in answer} == answer
    probabilities = answer["probabilities"]
    assert row["confidence"] == (max(probabilities.values()) if probabilities else None)


# Mistakes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Duration", "34"),
        ("Duration", None),
        ("Duration", True),
        ("Duration", 1e5),
        ("Commision (in value)", -0.01),
        ("Commision (in value)", "29.7"),
        ("Age", 131),
        ("Net Sales", [20]),
        ("Agency", 5),
        ("Agency", ""),
        ("Agency", None),
        ("Agency Type", ["Airlines"]),
        ("Product Name", "x" * 201),
        ("Product Name", "  "),
        ("Product Name", "Gold\nPlan"),
        ("Product Name", "Gold\u2028Plan"),
        ("Product Name", "Gold\x00Plan"),
        ("Distribution Channel", False),
    ],
)
def test_a_bad_value_is_refused_and_its_column_named(travel: Lab, name: str, value: Any) -> None:
    row = travel.row | {name: value}
    check_field(travel.api.post("/predict", json=row), name)
    check_field(travel.api.post("/suggest", json=row | {"class_name": "No"}), name)
    batch = {"data": [list(travel.row.values()), list(row.values())]}
    check_field(travel.api.post("/predict", json=batch), f"data[1].{name}")
    check_field(
        travel.api.post("/api/v1.0/predictions", json={"data": {"ndarray": batch["data"]}}), f"data.ndarray[1].{name}"
    )


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused_and_its_column_named(cancer: Lab, value: str) -> None:
    body = httpx.Request("POST", "http://lab", json=cancer.row | {"worst concave points": "HERE"}).content.decode()
    check_field(post(cancer.api, body.replace('"HERE"', value)), "worst concave points")


def test_a_missing_and_an_unknown_column_are_named(lab: Lab) -> None:
    *_, last = lab.problem.columns
    without = {name: value for name, value in lab.row.items() if name != last}
    check_field(lab.api.post("/predict", json=without), last)
    check_field(lab.api.post("/predict", json=lab.row | {"Gender": "F"}), "Gender")


def test_columns_are_called_by_their_names_and_not_by_their_slugs(travel: Lab) -> None:
    slugs = dict(zip(travel.problem.slugs, travel.row.values(), strict=True))
    problem = check_problem(travel.api.post("/predict", json=slugs), 422)
    assert {"Net_Sales", "Net Sales"} <= {error["field"] for error in problem["errors"]}


def test_a_class_of_another_problem_is_refused_with_those_of_this_one(lab: Lab) -> None:
    answer = lab.api.post("/suggest", json=lab.row | {"class_name": "Iris-setosa"})
    assert lab.problem.target.classes[0] in check_problem(answer, 422)["detail"]


# Names that are not known


def unseen(lab: Lab) -> dict[str, float]:
    return {dict(labels)["feature"]: value for labels, value in samples(lab.api, "unseen_categories_total").items()}


def test_a_name_that_is_not_known_is_answered_and_counted_by_its_column(travel: Lab) -> None:
    before = unseen(travel)
    assert set(before) == {feature.name for feature in TRAVEL.features if feature.kind == "category"}
    assert travel.predict(Agency="XYZ", Destination="ATLANTIS")["class_name"] in ("No", "Yes")
    rows = [list((travel.row | {"Agency": name}).values()) for name in ("EPX", "epx", "C2B", "x" * 200)]
    assert travel.api.post("/predict", json={"data": rows}).is_success
    after = unseen(travel)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "Agency": 3,
        "Destination": 1,
    }


def test_known_names_refused_rows_and_samples_are_not_counted(travel: Lab) -> None:
    before = unseen(travel)
    travel.predict(Destination="KOREA, REPUBLIC OF")
    travel.api.get("/predict/test")
    check_field(travel.api.post("/predict", json=travel.row | {"Agency": "XYZ", "Age": -1}), "Age")
    assert unseen(travel) == before


def test_a_problem_of_numbers_has_no_names_to_count(cancer: Lab) -> None:
    assert unseen(cancer) == {}


# The service's description


def test_metadata_has_an_input_for_each_column_with_its_names_or_its_unit(travel: Lab) -> None:
    metadata = travel.api.get("/metadata").json()
    assert len(metadata["inputs"]) == len(TRAVEL.features)
    for found, feature in zip(metadata["inputs"], TRAVEL.features, strict=True):
        ((column,), (((sample,),),)) = found["columns"], [found["sample"]]
        assert (column["name"], sample, found["shape"]) == (feature.name, feature.example, [None, 1])
        if feature.kind == "category":
            assert (found["dtype"], column["categories"]) == ("string", list(feature.categories))
        else:
            assert (found["dtype"], column["unit"]) == ("float32", feature.unit)
            assert (column["minimum"], column["maximum"]) == (feature.minimum, feature.maximum)
    assert [output["name"] for output in metadata["outputs"]] == ["label", "probabilities", "outlier_score"]


def test_metadata_of_numbers_has_one_input_and_only_the_outputs_of_the_model(cancer: Lab) -> None:
    metadata = cancer.api.get("/metadata").json()
    (found,) = metadata["inputs"]
    assert (found["name"], found["dtype"], found["shape"]) == ("input", "float32", [None, 30])
    assert [column["name"] for column in found["columns"]] == list(CANCER.columns)
    assert {column["unit"] for column in found["columns"]} >= {"pixels", "grey levels"}
    assert [output["name"] for output in metadata["outputs"]] == ["label", "outlier_score"]


def test_the_description_has_each_column_with_its_names_unit_and_limits(lab: Lab) -> None:
    schemas = lab.api.get("/openapi.json").json()["components"]["schemas"]
    title = lab.problem.onnx_name.removesuffix("Model")
    for model in (schemas[f"{title}Features"], schemas[f"{title}Suggestion"]):
        assert model["additionalProperties"] is False
        assert set(model["required"]) >= set(lab.problem.columns)
        for feature in lab.problem.features:
            field = model["properties"][feature.name]
            assert field["examples"] == [feature.example]
            assert feature.description in field["description"]
            assert feature.kind == "category" or feature.unit in field["description"]
            if feature.kind == "category":
                assert (field["type"], field["categories"]) == ("string", list(feature.categories))
                assert (field["minLength"], field["maxLength"]) == (1, 200)
                assert "enum" not in field
            else:
                assert (field["type"], field["unit"]) == ("number", feature.unit)
                assert (field["minimum"], field["maximum"]) == (feature.minimum, feature.maximum)
    batch = schemas[f"{title}Batch"]["properties"]["data"]
    rows = batch["items"]
    assert (batch["minItems"], batch["maxItems"]) == (1, 10_000)
    assert (rows["minItems"], rows["maxItems"]) == (len(lab.row), len(lab.row))
    units = [None if feature.kind == "category" else feature.unit for feature in lab.problem.features]
    assert [column.get("unit") for column in rows["prefixItems"]] == units


def test_the_examples_of_the_description_can_be_sent_as_they_are(lab: Lab) -> None:
    schemas = lab.api.get("/openapi.json").json()["components"]["schemas"]
    title = lab.problem.onnx_name.removesuffix("Model")
    suggestion = schemas[f"{title}Suggestion"]["properties"]
    one = {name: field["examples"][0] for name, field in schemas[f"{title}Features"]["properties"].items()}
    assert lab.api.post("/predict", json=one).status_code == 200
    many = {"data": schemas[f"{title}Batch"]["properties"]["data"]["examples"][0]}
    assert lab.api.post("/predict", json=many).status_code == 200
    right = one | {"class_name": suggestion["class_name"]["examples"][0]}
    assert lab.api.post("/suggest", json=right).status_code == 202


def test_the_description_names_no_other_problem(lab: Lab) -> None:
    description = lab.api.get("/openapi.json")
    schemas = description.json()["components"]["schemas"]
    assert schemas["Truth"]["properties"]["class_name"]["examples"] == [lab.problem.target.classes[0]]
    assert "IrisModel" not in description.text
    assert schemas["Prediction"]["properties"].keys() >= {"class_name", "probabilities"}
    assert "Iris" not in str([schemas[name] for name in ("Prediction", "Truth", "RememberedPrediction")])


@pytest.fixture(scope="module")
def travel_schema(travel: Lab) -> Any:
    return schema_of(travel.api)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
@pytest.mark.parametrize("path", ["/predict", "/suggest", "/api/v1.0/predictions", "/api/v1.0/feedback"])
@FEW
@hypothesis.given(data=st.data())
def test_any_request_is_answered_as_the_description_says(
    travel_schema: Any, path: str, mode: GenerationMode, data: st.DataObject
) -> None:
    case = data.draw(travel_schema[path]["post"].as_strategy(generation_mode=mode))
    answer = case.call()
    # Rows one too many, with long names, may also be too many bytes.
    if answer.status_code != httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        unasked = [positive_data_acceptance] if any(part in path for part in PARTICULAR) else []
        case.validate_response(answer, excluded_checks=unasked)


# Truth, corrections, Seldon, challenger, monitor


def test_the_truth_is_counted_by_class(lab: Lab) -> None:
    before = lab.statistics()["labels"]
    answer = lab.predict()
    (truth,) = set(lab.problem.target.classes) - {answer["class_name"]}
    told = {"prediction_id": answer["prediction_id"], "class_name": truth}
    assert lab.api.post("/feedback", json=told).status_code == 200
    found = lab.statistics()
    assert (found["labels"], found["accuracy"]["value"] < 1) == (before + 1, True)
    assert [each["class_name"] for each in found["classes"]] == list(lab.problem.target.classes)
    assert sum(map(sum, found["confusion"])) == found["labels"]


def test_every_class_is_counted_from_the_beginning(lab: Lab) -> None:
    assert set(predicted(lab.api)) == set(lab.problem.target.classes)


def test_a_client_of_seldon_gets_probabilities_or_the_index_of_the_class(travel: Lab, cancer: Lab) -> None:
    def ask(lab: Lab) -> dict[str, Any]:
        body = {"data": {"ndarray": [list(lab.row.values())]}}
        answer: dict[str, Any] = lab.api.post("/api/v1.0/predictions", json=body).raise_for_status().json()
        return answer

    shares = ask(travel)["data"]
    assert shares["names"] == ["No", "Yes"]
    assert sum(shares["ndarray"][0]) == pytest.approx(1)
    silent = ask(cancer)
    assert silent["data"] == {"names": [], "ndarray": [0]}
    assert silent["meta"]["tags"]["class_names"] == ["malignant"]


def columns_of(lab: Lab, **changes: Any) -> list[dict[str, Any]]:
    """Return a tensor of one row for each column, with its example, or with another value, by slug."""
    values = dict(zip(lab.problem.slugs, lab.row.values(), strict=True)) | changes
    datatypes = {"number": "FP32", "category": "BYTES"}
    return [
        {"name": feature.name, "shape": [1, 1], "datatype": datatypes[feature.kind], "data": [value]}
        for feature, value in zip(lab.problem.features, values.values(), strict=True)
    ]


def in_binary(tensors: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a request with these tensors behind the JSON."""
    raws = []
    for tensor in tensors:
        (value,) = tensor.pop("data")
        text = value.encode() if isinstance(value, str) else b""
        raws.append(struct.pack("<f", value) if not isinstance(value, str) else struct.pack("<I", len(text)) + text)
        tensor["parameters"] = {"binary_data_size": len(raws[-1])}
    return binary(body(*tensors), *raws)


def oip(lab: Lab, **request: Any) -> httpx.Response:
    return lab.api.post(f"/v2/models/{lab.problem.onnx_name}/infer", **request)


def test_a_client_of_the_open_inference_protocol_finds_the_tensors_described_and_gets_the_answers_of_predict(
    lab: Lab,
) -> None:
    described = lab.api.get(f"/v2/models/{lab.problem.onnx_name}").raise_for_status().json()
    row = list(lab.row.values())
    one = {"name": "input", "shape": [1, len(row)], "datatype": "FP64", "data": row}
    inputs = [one] if lab.problem.is_numeric else columns_of(lab)
    assert [each["name"] for each in described["inputs"]] == [each["name"] for each in inputs]
    answer = oip(lab, json=body(*reversed(inputs))).raise_for_status().json()
    assert [(each["name"], each["datatype"]) for each in answer["outputs"]] == [
        (each["name"], each["datatype"]) for each in described["outputs"]
    ]
    expected, found = lab.predict(), outputs(answer)
    assert found["class_name"] == [expected["class_name"]]
    assert found["outlier_score"] == pytest.approx([expected["outlier_score"]], abs=1e-6)
    assert list(found.get("probabilities", [])) == pytest.approx(list((expected["probabilities"] or {}).values()))
    assert remembered(lab.api, found["prediction_id"][0], count=1)[0]["features"] == lab.row


def test_texts_may_be_sent_in_binary(travel: Lab) -> None:
    destination = "CÔTE D'IVOIRE"
    unseen = {(("feature", "Destination"),): 1.0}
    before = samples(travel.api, "unseen_categories_total")
    answer = oip(travel, **in_binary(columns_of(travel, Destination=destination, Duration=41))).raise_for_status()
    after = samples(travel.api, "unseen_categories_total")
    assert {labels: after[labels] - before[labels] for labels in after if after[labels] != before[labels]} == unseen
    found = outputs(answer.json())
    expected = travel.predict(Destination=destination, Duration=41)
    assert found["probabilities"] == pytest.approx(list(expected["probabilities"].values()), abs=1e-6)
    features = remembered(travel.api, found["prediction_id"][0], count=1)[0]["features"]
    assert (features["Destination"], features["Duration"]) == (destination, 41)


def test_requests_of_mlservers_types_get_the_answers_of_predict(travel: Lab) -> None:
    given = {name: [value] if isinstance(value, str) else [[value]] for name, value in travel.row.items()}
    found = run_client("mlserver", "mlserver_types.py", travel.api, travel.problem.onnx_name, given)
    assert found["inputs"] == list(travel.problem.columns)
    expected = travel.predict()
    assert found["class_names"] == [expected["class_name"]]
    assert found["scores"] == pytest.approx([expected["outlier_score"]], abs=1e-6)


@pytest.mark.parametrize("sent", ["in JSON", "in binary"])
@pytest.mark.parametrize(
    ("slug", "value"),
    [
        *(("Duration", 1e5), ("Commision_in_value", -0.5), ("Age", math.inf)),
        *(("Destination", ""), ("Destination", " "), ("Destination", "a\nb"), ("Destination", "a\n")),
        ("Destination", "x" * 201),
    ],
)
def test_columns_have_the_limits_of_predict(travel: Lab, slug: str, value: Any, sent: str) -> None:
    tensors = columns_of(travel, **{slug: value})
    place = travel.problem.slugs.index(slug)
    if sent == "in binary":
        response = oip(travel, **in_binary(tensors))
    else:
        response = oip(travel, content=json.dumps(body(*tensors)))
    expected = ["not JSON"] if value == math.inf and sent == "in JSON" else [f"inputs[{place}].data[0]"]
    check_refused(response, 400, *expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": [7]}, ["inputs[3].data[0]", "7", "BYTES"]),
        ({"data": [["a", "b"]]}, ["inputs[3].data"]),
        ({"data": [None]}, ["inputs[3].data[0]", "null"]),
        ({"datatype": "FP32"}, ["inputs[3].datatype", "BYTES"]),
        ({"shape": [1]}, ["inputs[3].shape", "1]"]),
        ({"shape": [2, 1], "data": ["a", "b"]}, ["inputs", "1 and 2"]),
        ({"name": "x"}, ["inputs[3].name", "'x'"]),
    ],
)
def test_columns_that_do_not_fit_are_named(travel: Lab, change: dict[str, Any], words: list[str]) -> None:
    tensors = columns_of(travel)
    tensors[3] |= change
    check_refused(oip(travel, json=body(*tensors)), 400, *words)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x01", b"\x05\0\0\0CHI", b"\xff\xff\xff\xff", b"\x01\0\0\0\xff", b"\x01\0\0\0a\0\0\0\0", b"\x01\0\0\0ab"],
)
def test_texts_whose_bytes_do_not_fit_are_refused(travel: Lab, raw: bytes) -> None:
    tensors = columns_of(travel)
    del tensors[3]["data"]
    tensors[3]["parameters"] = {"binary_data_size": len(raw)}
    check_refused(oip(travel, **binary(body(*tensors), raw)), 400, "inputs[3]")


def test_a_correction_is_kept_by_the_names_of_the_columns(lab: Lab) -> None:
    *_, right = lab.problem.target.classes
    answer = lab.api.post("/suggest", json=lab.row | {"class_name": right})
    assert answer.status_code == 202
    with store_of(lab.settings) as store:
        suggestion = store.suggestions.get(answer.json()["suggestion_id"])
    assert suggestion is not None
    assert (suggestion.problem, suggestion.class_name, suggestion.features) == (lab.problem.name, right, lab.row)


def flow_run(settings: Settings, suggestion_id: str) -> dict[str, Any]:
    """Return the run that a suggestion has started."""
    asked = {"flow_runs": {"idempotency_key": {"any_": [suggestion_id]}}}
    url = f"{settings.prefect_api_url}/flow_runs/filter"
    (run,) = wait_for("the run", lambda: httpx.post(url, json=asked, timeout=30).raise_for_status().json())
    return dict(run)


def test_a_correction_reaches_prefect_by_slugs_and_its_file_by_columns(
    tmp_path: Path, travel_bundle: bytes, prefect_api_url: str
) -> None:
    settings = settings_for(TRAVEL, tmp_path, prefect_api_url=prefect_api_url)
    keep_copy(settings, travel_bundle)
    settings.data_dir.mkdir(parents=True)
    row = {feature.name: feature.example for feature in TRAVEL.features} | {"Destination": "KOREA, REPUBLIC OF"}
    with servers.worker(settings), running_api(settings) as api:
        sent = api.post("/suggest", json=row | {"class_name": "Yes"}).raise_for_status().json()["suggestion_id"]
        wait_for("its row", lambda: api.get(f"/suggest/{sent}").json()["detail"] == "waiting (1 of 5)")
    run = flow_run(settings, sent)
    assert run["parameters"] == {
        **dict(zip(TRAVEL.slugs, row.values(), strict=True)),
        "class_name": "Yes",
        "suggestion_id": sent,
    }
    assert settings.corrections.read_text(encoding="utf-8") == (
        'EPX,Travel Agency,Online,Cancellation Plan,34.0,"KOREA, REPUBLIC OF",20.0,0.0,36.0,1\n'
    )


def test_a_challenger_of_another_family_answers_in_the_shadow(tmp_path: Path, without_probabilities: bytes) -> None:
    settings = settings_for(CANCER, tmp_path)
    champion = cancer_bundle(breast_cancer.REGRESSION)
    keep_copy(settings, champion)
    keep_challenger(settings, without_probabilities)
    with running_api(settings) as api:
        lab = Lab(CANCER, settings, api, OnnxModel(champion))
        answer = lab.predict()
        first, second = remembered(api, answer["prediction_id"])
        told = {"prediction_id": answer["prediction_id"], "class_name": "malignant"}
        assert api.post("/feedback", json=told).status_code == 200
        comparison = api.get("/models").json()["comparison"]
        assert counted(api, "shadow_failures_total") == 0
    assert (first["model_version"], second["model_version"]) == (KEPT, CHALLENGER)
    assert first["confidence"] == max(first["probabilities"].values()) > 0.5
    assert (second["confidence"], second["probabilities"], second["class_name"]) == (None, None, "malignant")
    assert (comparison["both_right"], comparison["p_value"]) == (1, 1.0)


def windows_of_two(monitor: httpx.Client) -> dict[tuple[str, ...], float] | None:
    """Return how many predictions the windows hold, when those of both problems hold enough for means."""
    rows = monitored(monitor, "window_predictions", "problem")
    return rows if len(rows) == 2 and min(rows.values()) >= MEAN_ROWS else None


def test_one_monitor_shows_both_with_the_means_of_their_numbers(travel: Lab, cancer: Lab) -> None:
    for lab in (travel, cancer):
        for _ in range(MEAN_ROWS):
            lab.predict()
    often = travel.settings.model_copy(update={"evaluate_seconds": 1})
    with served(create_app(often)) as monitor:
        rows = wait_for("two windows", lambda: windows_of_two(monitor))
        means = monitored(monitor, "window_feature_mean", "problem", "feature")
        sure = monitored(monitor, "window_confidence_mean_ratio", "problem")
        outliers = monitored(monitor, "window_outliers_ratio", "problem")
    assert set(rows) == {("travel_insurance",), ("breast_cancer",)}
    assert {feature for problem, feature in means if problem == "travel_insurance"} == {
        "Duration", "Net Sales", "Commision (in value)", "Age",
    }  # fmt: skip
    assert {feature for problem, feature in means if problem == "breast_cancer"} == set(CANCER.columns)
    assert set(sure) == {("travel_insurance",)}
    assert set(outliers) == {("travel_insurance",), ("breast_cancer",)}
