"""Registration of models in MLflow: both flavours are logged and registered, then the alias moves to them.

A flavour is a form in which MLflow keeps a model: ONNX for the services, scikit-learn to continue training. This module
uses the `mlflow` package; `client.py` reads the registry without it.
"""

import asyncio
import logging
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as installed
from typing import Any

import mlflow
import mlflow.onnx
import mlflow.sklearn
import skops.io
from mlflow.entities.model_registry import ModelVersion
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR, MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT
from mlflow.models import Model
from onnx import ModelProto

from common.bundle.model import OnnxModel
from common.problem import Classifier, Problem
from common.registry.client import ANCHOR, CHAMPION, Registry, Version
from common.settings import PROJECT, Settings
from common.signing.check import check_of  # room: signing
from common.signing.publishing import NotedFlavour, SignedRegistration  # room: signing
from common.signing.trusted_types import check_memory, trusted  # room: signing


def use_mlflow(uri: str, experiment: str) -> str:
    """Let this process log to `experiment` on the server at `uri`, without messages; return the experiment's id."""
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)  # type: ignore[no-untyped-call]
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)  # type: ignore[no-untyped-call]
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    mlflow.set_tracking_uri(uri)
    return mlflow.set_experiment(experiment).experiment_id


def newest(name: str, tags: Mapping[str, str] | None = None) -> Version | None:
    """Return the version of `name` with these tags and the highest number; None if there is none."""
    wanted = "".join(f" and tags.`{key}` = '{value}'" for key, value in (tags or {}).items())
    found = mlflow.MlflowClient().search_model_versions(
        f"name = '{name}'{wanted}", order_by=["version_number DESC"], max_results=1
    )
    return _version(found[0]) if found else None


def version(name: str, number: int) -> Version | None:
    """Return a version of `name` by its number; None if there is none."""
    found = mlflow.MlflowClient().search_model_versions(f"name = '{name}' and version_number = {number}")
    return _version(found[0]) if found else None


def created_at(name: str) -> datetime:
    """Return the time at which `name` was first registered; its version numbers start there."""
    return datetime.fromtimestamp(mlflow.MlflowClient().get_registered_model(name).creation_timestamp / 1000, UTC)


def load_sklearn(problem: Problem, settings: Settings, version: Version) -> Classifier:
    """Load the scikit-learn model of a version; never from a pickle, which could run any code.

    Raises:
        ModelError: the file is not the lab's own, or has types that the lab does not trust.
        RegistryError: the version has no skops file.
    """
    content = asyncio.run(_download(settings, version, "model.skops"))
    types = skops.io.get_untrusted_types(data=content)
    types = trusted(problem.name, types)  # room: signing
    model: Classifier = skops.io.loads(content, trusted=types)
    check_memory(version, model)  # room: signing
    return model


def load_bundle(settings: Settings, version: Version) -> OnnxModel:
    """Load the bundle of an ONNX version, as the services do.

    Raises:
        ModelError: the file is no model that the lab can ask.
    """
    return OnnxModel(asyncio.run(_download(settings, version, "model.onnx")))


def registered_at(version: Version) -> datetime:
    """Return the time at which a version was registered."""
    found = mlflow.MlflowClient().get_model_version(version.name, str(version.number))
    return datetime.fromtimestamp(found.creation_timestamp / 1000, UTC)


def anchor(problem: Problem, champion: Version) -> Version:
    """Return the version under the alias `anchor`; without the alias, the training's version behind the champion.

    If that one is not in the registry any more, the champion itself is the anchor.
    """
    if number := _aliases(mlflow.MlflowClient(), problem.onnx_name).get(ANCHOR):
        return version(problem.onnx_name, int(number)) or champion
    base = champion.tags.get("continued_from")
    return (newest(problem.onnx_name, {"sklearn_version": base}) if base else None) or champion


def champion(name: str) -> Version | None:
    """Return the version of `name` under the alias `champion`, or else the newest; None if there is none."""
    number = _aliases(mlflow.MlflowClient(), name).get(CHAMPION)
    return _version(mlflow.MlflowClient().get_model_version(name, number)) if number else newest(name)


def pin_champion(serving: Version) -> None:
    """Set the alias `champion` if it is not set: without it, the newest version serves, and not `serving`."""
    client = mlflow.MlflowClient()
    if CHAMPION not in _aliases(client, serving.name):
        client.set_registered_model_alias(serving.name, CHAMPION, str(serving.number))


def register(
    problem: Problem, settings: Settings, model: Classifier, graph: ModelProto, tags: Mapping[str, str], *aliases: str
) -> Version:
    """Log both flavours to the active run, register both, then move the aliases to them.

    If a step fails, the function deletes the versions that it has made, and sets the aliases back.

    Args:
        problem: gives the names to register under.
        settings: of the lab.
        model: the fitted scikit-learn model.
        graph: the same model as a bundle.
        tags: tags of both versions; the function adds the git commit, and the version of the scikit-learn twin.
        aliases: the aliases to move, in this order.

    Returns:
        The ONNX version, which the services follow.
    """
    sklearn_uri, onnx_uri = _log_flavours(problem, model, graph)
    client = mlflow.MlflowClient()
    tags = {**tags, "git_commit": git_commit()}
    made: list[ModelVersion] = []
    register_one: Any = partial(_register, client)
    register_one = SignedRegistration(settings, register_one)  # room: signing
    before = {name: _aliases(client, name) for name in (problem.sklearn_name, problem.onnx_name)}
    try:
        made.append(register_one(problem.sklearn_name, sklearn_uri, tags))
        tags["sklearn_version"] = str(made[0].version)
        made.append(register_one(problem.onnx_name, onnx_uri, tags))
        move_aliases(problem, _version(made[1]), *aliases)
    except BaseException:
        for version in made:
            client.delete_model_version(version.name, version.version)
            for alias in aliases:
                if number := before[version.name].get(alias):
                    client.set_registered_model_alias(version.name, alias, number)
        raise
    return _version(made[1])


def move_aliases(problem: Problem, onnx: Version, *aliases: str) -> None:
    """Move aliases to an ONNX version and to its scikit-learn twin; a second call changes nothing."""
    client = mlflow.MlflowClient()
    for alias in aliases:
        # The ONNX alias moves last: when the services see it move, the rest is complete.
        client.set_registered_model_alias(problem.sklearn_name, alias, onnx.tags["sklearn_version"])
        client.set_registered_model_alias(onnx.name, alias, str(onnx.number))


def as_tags(results: Mapping[str, float]) -> dict[str, str]:
    """Return results as tags of a version, with four digits."""
    return {name: f"{value:.4f}" for name, value in results.items()}


def git_commit() -> str:
    """Return the commit of the project's code; "unknown" outside a git repository, as in an image."""
    command = ["git", "-C", str(PROJECT), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _log_flavours(problem: Problem, model: Classifier, graph: ModelProto) -> tuple[str, str]:
    flavours: tuple[Any, Any] = (mlflow.sklearn, mlflow.onnx)
    flavours = NotedFlavour(mlflow.sklearn), NotedFlavour(mlflow.onnx)  # room: signing
    types = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    types = trusted(problem.name, types)  # room: signing
    # Without given requirements, each call starts processes that look for them, for a minute or more.
    skops_file = {"serialization_format": "skops", "skops_trusted_types": types}
    given = {"sk_model": model, "pip_requirements": _pinned("scikit-learn", "skops"), **skops_file}
    logged = Model.log(None, flavours[0], name="sklearn", **given)
    given = {"onnx_model": graph, "pip_requirements": _pinned("onnx", "onnxruntime"), "save_as_external_data": False}
    exported = Model.log(None, flavours[1], name="onnx", **given)
    return logged.model_uri, exported.model_uri


async def _download(settings: Settings, version: Version, file: str) -> bytes:
    async with Registry(settings.mlflow_uri, settings.model_file_mb, settings.model_check_seconds) as registry:
        registry.check = check_of(settings)  # room: signing
        return await registry.download(version, file)


def _register(client: mlflow.MlflowClient, name: str, uri: str, tags: Mapping[str, str]) -> ModelVersion:
    if not client.search_registered_models(f"name = '{name}'", max_results=1):
        client.create_registered_model(name)
    return client.create_model_version(name, uri, tags=dict(tags), model_id=uri.rpartition("/")[2])


def _aliases(client: mlflow.MlflowClient, name: str) -> Mapping[str, str]:
    found = client.search_registered_models(f"name = '{name}'", max_results=1)
    return found[0].aliases if found else {}


def _pinned(*packages: str) -> list[str]:
    return [f"{package}=={installed(package)}" for package in packages]


def _version(found: ModelVersion) -> Version:
    return Version(found.name, int(found.version), found.source or "", dict(found.tags))
