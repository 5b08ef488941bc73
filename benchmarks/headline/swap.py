"""Swaps of models under load: failed requests, answers that mix two versions, and latency."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import httpx
import numpy as np

from benchmarks.harness import lab
from benchmarks.harness.load import CLIENTS, Load, Request
from benchmarks.harness.registering import register
from benchmarks.harness.report import Claim, Report, milliseconds, ratio
from common.bundle.model import TOLERANCE, Floats32, OnnxModel
from common.problem import Problem, get_problem
from common.registry.client import Registry, Version
from common.settings import Settings
from common.table import read_table
from scripts.parts import part
from scripts.ports import HOST

VERSIONS = 10
QUIET_SECONDS = 10.0
PATIENCE = 180.0
TEXT = (
    f"{CLIENTS} clients ask for predictions, of one row or of all test rows at once. Meanwhile {VERSIONS} versions are "
    "fitted, registered and taken into service, one after the other. The clients also ask for "
    f"{QUIET_SECONDS:.0f} s before and after, without swaps. Every answer names a version, and its probabilities are "
    "compared with the probabilities of that version. MLflow and the process that registers versions share the machine "
    "with the api, which adds to the latency."
)


def measure() -> Report:
    """Send a load to the api: first without swaps, then while ten versions are registered, then without swaps."""
    with lab.lab() as settings, part("mlflow", settings), part("api", settings):
        return asyncio.run(_measure(settings))


async def _measure(settings: Settings) -> Report:
    problem = get_problem(settings.problem)
    X = read_table(settings.data_dir / "test.csv", problem, indices=True).X
    url = f"http://{HOST}:{settings.api_port}"
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        async with httpx.AsyncClient(base_url=url, timeout=10.0) as http:
            load = Load(http, problem.columns, X)
            first = await register_and_see(pool, settings, http, seed=0)
            quiet = await quiet_load(load)
            lab.say(f"{VERSIONS} registrations under load")
            swapping, last = await swapping_load(load, pool, settings)
            quiet += await quiet_load(load)
    answers = await known_answers(settings, problem, range(first, last + 1), X.astype(np.float32))
    return _report(quiet, swapping, answers)


async def register_and_see(pool: ProcessPoolExecutor, settings: Settings, http: httpx.AsyncClient, seed: int) -> int:
    """Register a version, and return its number as soon as the api answers with this version."""
    number = await asyncio.get_running_loop().run_in_executor(pool, register, settings, seed)
    async with asyncio.timeout(PATIENCE):
        while await _served(http) != number:  # noqa: ASYNC110  # the api sends no message when it swaps
            await asyncio.sleep(0.05)
    return number


async def quiet_load(load: Load) -> list[Request]:
    """Send requests for some seconds while no version is registered; return them."""
    lab.say(f"{QUIET_SECONDS:.0f} s of load")
    over, begin = asyncio.Event(), len(load.sent)
    asyncio.get_running_loop().call_later(QUIET_SECONDS, over.set)
    await load.until(over, within=PATIENCE)
    return load.sent[begin:]


async def swapping_load(load: Load, pool: ProcessPoolExecutor, settings: Settings) -> tuple[list[Request], int]:
    """Send requests while versions are registered and served; return the requests and the last version's number."""
    over, begin = asyncio.Event(), len(load.sent)

    async def register_all() -> int:
        try:
            for seed in range(1, VERSIONS + 1):
                last = await register_and_see(pool, settings, load.http, seed)
        finally:
            over.set()
        return last

    async with asyncio.TaskGroup() as group:
        group.create_task(load.until(over, within=VERSIONS * PATIENCE))
        registering = group.create_task(register_all())
    return load.sent[begin:], registering.result()


async def known_answers(
    settings: Settings, problem: Problem, numbers: Sequence[int], X: Floats32
) -> Mapping[int, Floats32]:
    """Return the probabilities `[rows, classes]` of each version, computed here from its registered file.

    Raises:
        RuntimeError: a version gives no probabilities, or two versions answer a row too much alike to tell them apart.
    """
    answers: dict[int, Floats32] = {}
    async with Registry(settings.mlflow_uri) as registry:
        for number in numbers:
            found = OnnxModel(await registry.download(Version(problem.onnx_name, number, "", {}))).predict(X)
            if found.probabilities is None:
                raise RuntimeError(f"version {number} gives no probabilities to compare")
            answers[number] = found.probabilities
    for number, other in itertools.pairwise(numbers):
        if np.abs(answers[number] - answers[other]).max(axis=1).min() < 10 * TOLERANCE:
            raise RuntimeError(f"versions {number} and {other} answer alike: a mix of them would not be noticed")
    return answers


def is_mixed(request: Request, answers: Mapping[int, Floats32]) -> bool:
    """Return whether the answers to a request name several versions, or differ from those of the version they name."""
    if request.predictions is None:
        return False
    versions = {prediction["model_version"] for prediction in request.predictions}
    if len(versions) != 1 or not versions <= answers.keys():
        return True
    given = [list(prediction["probabilities"].values()) for prediction in request.predictions]
    expected = answers[versions.pop()][list(request.rows)]
    return not np.allclose(given, expected, rtol=0, atol=TOLERANCE)


async def _served(http: httpx.AsyncClient) -> int | None:
    response = await http.get("/predict/test")
    return int(response.json()["model_version"]) if response.is_success else None


def _report(quiet: Sequence[Request], swapping: Sequence[Request], answers: Mapping[int, Floats32]) -> Report:
    phases = (quiet, swapping)
    failed = [sum(request.predictions is None for request in requests) for requests in phases]
    mixed = [sum(is_mixed(request, answers) for request in requests) for requests in phases]
    rows, claims = [("requests", str(len(quiet)), str(len(swapping)), "", "")], []
    for what, (before, during) in (("failed", failed), ("answers that mix versions", mixed)):
        name = f"requests under load and {VERSIONS} swaps: {what}"
        claims.append(Claim(name, str(before + during), "", "", "0", met=not before + during))
        rows.append((what, str(before), str(during), "", claims[-1].verdict))
    for share in (50, 99):
        quick, slow = (float(np.percentile([request.seconds for request in requests], share)) for requests in phases)
        rows.append((f"latency, p{share}", milliseconds(quick), milliseconds(slow), ratio(slow, quick), ""))
    return Report(
        "Swaps of models under load",
        TEXT,
        ("", "no swaps", f"{VERSIONS} swaps", "ratio", "required"),
        rows,
        claims,
    )
