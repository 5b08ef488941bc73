"""The version that a replay asks, from MLflow's registry, without the `mlflow` package."""

import asyncio

from common.bundle.model import ModelError, OnnxModel
from common.problem import ProblemError, get_problem
from common.registry.client import CHAMPION, Registry, RegistryError
from common.settings import Settings
from common.signing.check import check_of  # room: signing
from trust.replay.replay import ReplayedVersion, ReplayError, replayed_version


def load_version(settings: Settings, problem: str, model_name: str, number: int) -> ReplayedVersion:
    """Return a registered version, ready to answer.

    Args:
        settings: have the address of MLflow, and the limits of a download.
        problem: the name of the problem whose log the version shall answer.
        model_name: the name of the problem's model in the registry.
        number: of the version.

    Raises:
        ReplayError: the registry has no such version, MLflow answers with an error, or the version cannot be loaded or
            is of another problem.
        RegistryUnavailableError: MLflow cannot be reached.
    """
    content = fetch_version(settings, model_name, number)
    try:
        known = get_problem(problem)
    except ProblemError:  # the monitor also runs without the problem's file: then the bundle must name its features
        known = None
    classes = known.target.classes if known else None
    try:
        model = OnnxModel(content, classes)
    except ModelError as error:
        raise ReplayError(f"version {number} cannot be loaded: {error}") from error
    return replayed_version(number, model, problem, known.features if known else ())


def fetch_version(settings: Settings, model_name: str, number: int) -> bytes:
    """Return the file of a registered version, whose signature is right; the arguments are those of `load_version`.

    Raises:
        ReplayError: the registry has no such version, MLflow answers with an error, or nobody should load the file.
        RegistryUnavailableError: MLflow cannot be reached.
    """
    try:
        return asyncio.run(_download(settings, model_name, number))
    except RegistryError as error:
        raise ReplayError(f"version {number} cannot be fetched: {error.args[0]}") from error
    except ModelError as error:
        raise ReplayError(f"version {number} cannot be loaded: {error}") from error


async def _download(settings: Settings, model_name: str, number: int) -> bytes:
    async with Registry(settings.mlflow_uri, settings.model_file_mb, settings.model_check_seconds) as registry:
        registry.check = check_of(settings)  # room: signing
        found = await registry.version(model_name, number)
        if found is None:
            raise ReplayError(await _unknown(registry, model_name, number))
        return await registry.download(found)


async def _unknown(registry: Registry, model_name: str, number: int) -> str:
    newest = next(iter(await registry.versions(model_name, 1)), None)
    champion = await registry.aliased(model_name, CHAMPION)
    there = f"the newest one is {newest.number}" if newest else "it has no versions"
    serving = f", and {champion.number} is the champion" if champion else ""
    return f"{model_name} has no version {number}: {there}{serving}"
