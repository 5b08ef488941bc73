"""Versions that somebody has put into the registry, or changed there, are not loaded; on a real MLflow."""

import asyncio
import io
import json
import os
import pickle
import pkgutil
import stat
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import mlflow
import numpy as np
import pytest
import skops.io
from mlflow.entities.model_registry import ModelVersion
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

import problems
from common.problem import Problem, get_problem
from common.registry import publish
from common.registry.client import (
    CHAMPION,
    REFUSED,
    Registry,
    RegistryError,
    RegistryUnavailableError,
    Version,
)
from common.settings import Settings, SettingsError
from common.signing.check import NotTrustedError, check, check_of
from common.signing.keys import allows_unsigned, key_path, made_key, require_key
from common.signing.signature import TAG, VersionSignature
from common.signing.trusted_types import OF_THE_LAB, OWN, trusted
from scripts.parts import wait_for
from scripts.sign_version import sign_version
from tests.common.signing.test_external_data import reading
from tests.conftest import offline_settings, running_api, served_version
from training.search import train

KEY = "a long random word"


def with_(lab: Settings, **changes: Any) -> Settings:
    return Settings(**{**lab.model_dump(), **changes})


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, prepared_data: Path, mlflow_uri: str) -> Settings:
    """A lab whose services use signed versions only, with an empty registry."""
    client = mlflow.MlflowClient(mlflow_uri)
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)
    home = tmp_path_factory.mktemp("signing")
    return with_(offline_settings(home, prepared_data), mlflow_uri=mlflow_uri, signing_key=KEY, allow_unsigned=False)


@pytest.fixture(scope="module")
def signed(lab: Settings, problem: Problem) -> Version:
    """Version 1, which training has registered."""
    winner = [c for c in problem.candidates() if c.params == {"hidden_layers": 4, "epochs": 500}]
    train(replace(problem, candidates=lambda: winner), lab)
    found = publish.version("IrisModel", 1)
    assert found
    return found


@pytest.fixture
def twin(signed: Version) -> Version:
    found = publish.version("IrisDev", int(signed.tags["sklearn_version"]))
    assert found
    return found


def client_of(lab: Settings) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(lab.mlflow_uri)


def copied(lab: Settings, version: Version, **tags: str) -> Version:
    """Register the model of a version once more, as everybody can who reaches MLflow."""
    made = client_of(lab).create_model_version(
        version.name, version.source, tags=tags, model_id=version.source.rpartition("/")[2]
    )
    return as_version(made)


def as_version(made: ModelVersion) -> Version:
    return Version(made.name, int(made.version), str(made.source), dict(made.tags))


def by_hand(lab: Settings, name: str, **files: bytes) -> Version:
    """Register a folder of files, as everybody can who reaches MLflow."""
    client = client_of(lab)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    publish.use_mlflow(lab.mlflow_uri, "by-hand")
    with mlflow.start_run() as run:
        for file, content in files.items():
            path = lab.lab_home / file.replace("_", ".")
            path.write_bytes(content)
            mlflow.log_artifact(str(path), "model")
        made = client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)
    return as_version(made)


def downloaded(lab: Settings, version: Version, file: str = "model.onnx") -> bytes:
    """Download as api, monitor and replay do."""

    async def download() -> bytes:
        async with Registry(lab.mlflow_uri, lab.model_file_mb, lab.model_check_seconds) as registry:
            registry.check = check_of(lab)
            return await registry.download(version, file)

    return asyncio.run(download())


def test_what_training_registers_is_loaded(lab: Settings, problem: Problem, signed: Version, twin: Version) -> None:
    assert downloaded(lab, signed)
    assert publish.load_bundle(lab, signed).classes == problem.target.classes
    rows = np.array([[5.1, 3.5, 1.4, 0.2]], dtype=np.float32)
    assert publish.load_sklearn(problem, lab, twin).predict(rows).tolist() == [0]


def test_the_signature_covers_all_tags_and_both_files(signed: Version, twin: Version) -> None:
    of_onnx, of_twin = (VersionSignature.read(each.tags[TAG]) for each in (signed, twin))
    assert of_onnx
    assert of_twin
    assert set(of_onnx.signed_tags) == signed.tags.keys() - {TAG}
    assert {"train_md5", "git_commit", "sklearn_version", "run_id"} <= set(of_onnx.signed_tags)
    assert (of_onnx.twin_hash, of_twin.twin_hash) == (of_twin.file_hash, "")


def test_a_version_without_signature_is_refused_with_what_to_do(lab: Settings, signed: Version) -> None:
    unsigned = copied(lab, signed)
    with pytest.raises(NotTrustedError, match=r"no signature.*scripts\.sign_version.*ALLOW_UNSIGNED=true"):
        downloaded(lab, unsigned)
    with pytest.raises(NotTrustedError, match="no signature"):
        publish.load_bundle(lab, unsigned)
    assert downloaded(with_(lab, allow_unsigned=True), unsigned)


NOT_NAMES = {"a list in a list": "[[1]]", "a number": "1", "deep": "[" * 100_000, "no JSON": "x"}


@pytest.mark.parametrize("names", [*NOT_NAMES.values()], ids=[*NOT_NAMES])
def test_a_signature_whose_names_are_none_counts_as_missing(lab: Settings, signed: Version, names: str) -> None:
    parts = signed.tags[TAG].split(" ")
    parts[4] = names.encode().hex()
    damaged = replace(signed, tags={**signed.tags, TAG: " ".join(parts)})
    with pytest.raises(NotTrustedError, match="no signature"):
        check(lab, damaged, "model.onnx", b"")


@pytest.mark.parametrize("part", [1, 2, 3, 5])
def test_a_signature_with_other_signs_than_hexadecimal_digits_counts_as_missing(
    lab: Settings, signed: Version, part: int
) -> None:
    parts = signed.tags[TAG].split(" ")
    parts[part] = "\u00e9" * len(parts[part])
    damaged = replace(signed, tags={**signed.tags, TAG: " ".join(parts)})
    with pytest.raises(NotTrustedError, match="no signature"):
        check(lab, damaged, "model.onnx", b"")


def test_a_signature_is_of_one_number(lab: Settings, signed: Version) -> None:
    again = copied(lab, signed, **signed.tags)
    with pytest.raises(NotTrustedError, match="copied the signature of another version"):
        downloaded(with_(lab, allow_unsigned=True), again)


def test_a_changed_tag_is_seen_and_a_new_one_changes_nothing(lab: Settings, signed: Version) -> None:
    later = replace(signed, tags={**signed.tags, REFUSED: "it was slow", "note": "later"})
    assert downloaded(lab, later)
    for tags in ({**signed.tags, "sklearn_version": "7"}, {k: v for k, v in signed.tags.items() if k != "train_md5"}):
        with pytest.raises(NotTrustedError, match="Somebody has changed a tag"):
            downloaded(lab, replace(signed, tags=tags))


@pytest.mark.parametrize("tag", ["", "hmac-sha256", "hmac-sha256 a b c zz d", "md5 a b c 5b5d d"])
def test_a_damaged_signature_is_none(lab: Settings, signed: Version, tag: str) -> None:
    with pytest.raises(NotTrustedError, match="no signature"):
        downloaded(lab, replace(signed, tags={**signed.tags, TAG: tag}))


@pytest.mark.parametrize("file", ["model.onnx", "model.skops"])
def test_a_file_that_was_changed_in_the_registry_is_refused(
    lab: Settings, problem: Problem, signed: Version, twin: Version, file: str
) -> None:
    version = signed if file == "model.onnx" else twin
    model = client_of(lab).get_logged_model(version.source.rpartition("/")[2])
    path = str(model.artifact_location).removeprefix("mlflow-artifacts:/")
    address = f"{lab.mlflow_uri}/api/2.0/mlflow-artifacts/artifacts/{path}/{file}"
    before = httpx.get(address).raise_for_status().content
    try:
        httpx.put(address, content=before + b"\n").raise_for_status()
        with pytest.raises(NotTrustedError, match=f"somebody has changed {file} since it was signed"):
            publish.load_bundle(lab, version) if version is signed else publish.load_sklearn(problem, lab, version)
    finally:
        httpx.put(address, content=before).raise_for_status()


def test_another_key_is_named_and_counts_as_no_signature(lab: Settings, signed: Version) -> None:
    other = with_(lab, signing_key="another long random word")
    with pytest.raises(NotTrustedError, match=r"the key \w{8} has signed it, and this service has the key \w{8}"):
        downloaded(other, signed)
    with pytest.raises(NotTrustedError, match=r"no key to check.*SIGNING_KEY"):
        downloaded(with_(lab, signing_key=None), signed)
    assert downloaded(with_(other, allow_unsigned=True), signed)


def test_external_data_is_refused_also_where_unsigned_versions_are_allowed(lab: Settings, signed: Version) -> None:
    attack = by_hand(lab, signed.name, model_onnx=reading().SerializeToString())
    with pytest.raises(NotTrustedError, match=r"is in another file .external data."):
        downloaded(with_(lab, allow_unsigned=True), attack)


def test_a_file_in_the_runtimes_own_format_is_refused(lab: Settings, signed: Version) -> None:
    with pytest.raises(NotTrustedError, match="own format"):
        check(with_(lab, allow_unsigned=True), replace(signed, tags={}), "model.onnx", b"\x18\0\0\0ORTM" + bytes(24))


class WritesFile:
    """Writes a file when it is loaded from a pickle."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickled_twin_is_not_loaded(lab: Settings, problem: Problem, tmp_path: Path) -> None:
    mark = tmp_path / "was-loaded"
    description = {"flavors": {"sklearn": {"pickled_model": "model.pkl", "serialization_format": "pickle"}}}
    attack = by_hand(lab, "IrisDev", MLmodel=json.dumps(description).encode(), model_pkl=pickle.dumps(WritesFile(mark)))
    with pytest.raises(RegistryError):
        publish.load_sklearn(problem, with_(lab, allow_unsigned=True), attack)
    assert not mark.exists()


def test_a_skops_file_does_not_say_what_is_trusted(lab: Settings, problem: Problem, tmp_path: Path) -> None:
    mark = tmp_path / "was-loaded"
    attack = by_hand(lab, "IrisDev", model_skops=skops.io.dumps({"run": partial(os.mkdir, mark)}))
    with pytest.raises(NotTrustedError, match=r"types that nobody trusts: .*mkdir"):
        publish.load_sklearn(problem, with_(lab, allow_unsigned=True), attack)
    assert not mark.exists()


PROBLEMS = sorted(module.name for module in pkgutil.iter_modules(problems.__path__))
# Versions that were registered earlier need these; no training makes them any more.
OF_OLDER_VERSIONS = {"common.columns.Grouped", "common.columns.Plausible"}


def needed(name: str) -> set[str]:
    """Return the types that skops does not trust by itself, in one model of each family of a problem."""
    of = get_problem(name)
    table = of.load(None)
    families = {each.family: each for each in of.candidates()}
    models = [each.fit(table.X, table.y) for each in families.values()]
    return {each for model in models for each in skops.io.get_untrusted_types(data=skops.io.dumps(model))}


def test_the_lists_of_types_have_what_the_problems_need_and_classes_alone() -> None:
    types = {name: needed(name) for name in PROBLEMS}
    assert {name: set(trusted(name, types[name])) for name in PROBLEMS} == types
    further = [each for name in PROBLEMS for each in getattr(import_module(f"problems.{name}"), OWN, ())]
    listed = {*OF_THE_LAB, *further}
    assert listed - OF_OLDER_VERSIONS == {
        each for every in types.values() for each in every if not each.startswith("sklearn.")
    }
    assert {each for each in listed if not isinstance(pkgutil.resolve_name(each), type)} == set()


NO_CLASSES_OF_SKLEARN = (
    "os.system",
    "builtins.exec",
    "sklearn",
    "sklearn.X.f",
    "sklearn.no_module.Estimator",
    "xsklearn.A",
    "sklearn.utils._testing.raises",
    "sklearn.utils._testing.TempMemmap",
    # Names of other packages, which modules of scikit-learn import.
    "sklearn.datasets._base.NamedTemporaryFile",
    "sklearn.base.ThreadPoolExecutor",
    "sklearn.callback._transport.Connection",
    "sklearn.neural_network._multilayer_perceptron.BaseEstimator",
    "sklearn.pipeline.clone",
)


@pytest.mark.parametrize("name", NO_CLASSES_OF_SKLEARN)
def test_a_type_that_scikit_learn_does_not_define_where_the_file_says_is_not_trusted(name: str) -> None:
    with pytest.raises(NotTrustedError, match="TRUSTED_TYPES"):
        trusted("iris", ["lightgbm.basic.Booster", name])


def test_a_skops_file_gets_no_function_of_another_package_through_scikit_learn(
    lab: Settings, problem: Problem, tmp_path: Path
) -> None:
    mark = tmp_path / "was-called"
    honest = skops.io.dumps(FunctionTransformer(func=partial(os.mkdir, mark)))
    # `partial` and its function become what a module of scikit-learn imports under a name that looks like a class.
    attack = rewritten(honest, {"posix": "sklearn.datasets._base", "mkdir": "NamedTemporaryFile"})
    assert "sklearn.datasets._base.NamedTemporaryFile" in skops.io.get_untrusted_types(data=attack)
    version = by_hand(lab, "IrisDev", model_skops=attack)
    with pytest.raises(NotTrustedError, match=r"nobody trusts: .*sklearn\.datasets\._base\.NamedTemporaryFile"):
        publish.load_sklearn(problem, with_(lab, allow_unsigned=True), version)
    assert not mark.exists()


def rewritten(skops_file: bytes, words: Mapping[str, str]) -> bytes:
    """Return a skops file with other words in the description of its objects."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(skops_file)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "schema.json":
                for before, after in words.items():
                    content = content.replace(f'"{before}"'.encode(), f'"{after}"'.encode())
            new.writestr(name, content)
    return made.getvalue()


def test_a_model_with_a_memory_on_the_disk_is_not_loaded(lab: Settings, problem: Problem, tmp_path: Path) -> None:
    inner = Pipeline([("model", DummyClassifier())], memory=str(tmp_path))
    version = by_hand(lab, "IrisDev", model_skops=skops.io.dumps(Pipeline([("inner", inner)])))
    with pytest.raises(NotTrustedError, match="its inner__memory is a folder of pickles"):
        publish.load_sklearn(problem, with_(lab, allow_unsigned=True), version)


def test_a_problem_may_trust_further_types(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotTrustedError):
        trusted("iris", ["mine.Step"])
    monkeypatch.setattr("problems.iris.TRUSTED_TYPES", ("mine.Step",), raising=False)
    assert trusted("iris", ["mine.Step"]) == ["mine.Step"]


def test_after_a_deletion_the_next_version_has_its_own_number_in_its_signature(
    lab: Settings, problem: Problem, signed: Version, twin: Version
) -> None:
    client = client_of(lab)
    model = publish.load_sklearn(problem, lab, twin)
    import onnx  # takes a while

    graph = onnx.load_from_string(downloaded(lab, signed))
    extra = copied(lab, signed)
    client.delete_model_version(extra.name, str(extra.number))
    experiment = publish.use_mlflow(lab.mlflow_uri, problem.sklearn_name)
    with mlflow.start_run(experiment_id=experiment):
        made = publish.register(problem, lab, model, graph, {})
    try:
        found = publish.version(made.name, made.number)
        assert found
        assert found.number > extra.number
        assert downloaded(lab, found)
    finally:
        client.delete_model_version(made.name, str(made.number))


class Endless(BaseHTTPRequestHandler):
    """Answers with bytes that never end, slowly or fast."""

    pause = 0.0

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with io.BytesIO(bytes(65536)) as part:
            while not self.server.ended.is_set():  # type: ignore[attr-defined]
                try:
                    self.wfile.write(part.getvalue())
                except OSError:
                    return
                self.server.ended.wait(self.pause)  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def endless(pause: float) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Endless,), {"pause": pause}))
    server.ended = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.ended.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.mark.parametrize(
    ("pause", "error", "words"),
    [(0.0, RegistryError, "larger than 1 MB"), (0.2, RegistryUnavailableError, "within 1 s")],
)
def test_a_file_without_end_is_given_up(
    lab: Settings, problem: Problem, pause: float, error: type[Exception], words: str
) -> None:
    with endless(pause) as uri:
        given = with_(lab, mlflow_uri=uri, model_file_mb=1, model_check_seconds=1.0, allow_unsigned=True)
        began = time.monotonic()
        with pytest.raises(error, match=words):
            publish.load_sklearn(problem, given, Version("IrisDev", 1, "", {}))
        assert time.monotonic() - began < 5


def test_the_api_refuses_an_unsigned_champion_until_somebody_signs_it(
    lab: Settings, problem: Problem, signed: Version
) -> None:
    client = client_of(lab)
    with running_api(lab) as api:
        wait_for("version 1", lambda: served_version(api) == 1)
        unsigned = copied(lab, signed, sklearn_version=signed.tags["sklearn_version"])
        client.set_registered_model_alias("IrisModel", CHAMPION, str(unsigned.number))

        def reason() -> str:
            return str(client.get_model_version("IrisModel", str(unsigned.number)).tags.get(REFUSED, ""))

        wait_for("the refusal", lambda: "it has no signature" in reason())
        assert served_version(api) == 1
        done = asyncio.run(sign_version(problem, lab, unsigned.number))
        assert done == f"signed IrisModel version {unsigned.number} and IrisDev version 1"
        wait_for("the signed version", lambda: served_version(api) == unsigned.number)
        wait_for("the end of the refusal", lambda: reason() == "")
    client.set_registered_model_alias("IrisModel", CHAMPION, "1")


def test_the_command_signs_no_file_that_reads_others(lab: Settings, problem: Problem, signed: Version) -> None:
    attack = by_hand(lab, signed.name, model_onnx=reading().SerializeToString())
    with pytest.raises(NotTrustedError, match="external data"):
        asyncio.run(sign_version(problem, lab, attack.number))


def test_the_key_is_made_once_and_its_owner_alone_can_read_it(offline: Settings) -> None:
    keys = [b""] * 8
    threads = [threading.Thread(target=lambda n=n: keys.__setitem__(n, made_key(offline))) for n in range(len(keys))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(keys)) == 1
    assert len(keys[0]) == 64
    assert stat.S_IMODE(key_path(offline).stat().st_mode) == 0o600
    assert [path.name for path in offline.state_dir.iterdir()] == ["signing.key"]
    assert made_key(with_(offline, signing_key=KEY)) == KEY.encode()


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("http://127.0.0.1:5000", True),
        ("http://localhost:5000", True),
        ("http://[::1]:5000", True),
        ("http://mlflow:5000", False),
        ("https://127.0.0.1.example.org", False),
    ],
)
def test_unsigned_versions_are_allowed_where_mlflow_is_on_this_machine(
    offline: Settings, uri: str, *, allowed: bool
) -> None:
    assert allows_unsigned(with_(offline, mlflow_uri=uri)) is allowed
    assert allows_unsigned(with_(offline, mlflow_uri=uri, allow_unsigned=not allowed)) is not allowed


def test_a_training_without_key_for_an_mlflow_elsewhere_does_not_begin(offline: Settings) -> None:
    elsewhere = with_(offline, mlflow_uri="http://mlflow:5000")
    with pytest.raises(SettingsError, match=r"no SIGNING_KEY.*openssl rand -hex 32"):
        require_key(elsewhere)
    require_key(with_(elsewhere, signing_key=KEY))
    require_key(offline)
