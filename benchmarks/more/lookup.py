"""The cost of a prediction if the api asked MLflow at each request which model to serve."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

import httpx

from benchmarks.harness import lab
from benchmarks.harness.registering import register
from benchmarks.harness.report import Report, milliseconds, ratio
from common.problem import get_problem
from common.registry.client import Registry, Version
from common.settings import Settings
from scripts.parts import answers, part, wait_for
from scripts.ports import HOST

REPEATS = 200


def measure() -> Report:
    """Time predictions, look-ups and downloads in turn, one at a time."""
    with lab.lab() as settings, part("mlflow", settings), part("api", settings):
        lab.say("register a version")
        register(settings, seed=0)
        wait_for("the first model", lambda: answers(f"http://{HOST}:{settings.api_port}/readyz"))
        lab.say(f"{REPEATS} predictions, look-ups and downloads in turn")
        prediction, question, download = asyncio.run(_measure(settings))
    asked, loaded = prediction + question, prediction + question + download
    rows = [
        ("a prediction of the api", milliseconds(prediction), "1"),
        ("asking which version, then predicting", milliseconds(asked), ratio(asked, prediction)),
        ("asking, fetching the model, then predicting", milliseconds(loaded), ratio(loaded, prediction)),
    ]
    return Report(
        "Asking MLflow at each request",
        "The api follows the registry in the background, so a prediction waits for no request to MLflow. The second "
        "row adds the time of asking MLflow which version is the champion; the third row also adds the time of "
        f"fetching its file. One request at a time, in turn; the figures are medians of {REPEATS}.",
        ("", "time", "ratio"),
        rows,
    )


async def _measure(settings: Settings) -> tuple[float, float, float]:
    problem = get_problem(settings.problem)
    examples = {feature.name: feature.example for feature in problem.features}
    prediction, question, download = [], [], []
    url = f"http://{HOST}:{settings.api_port}"
    async with Registry(settings.mlflow_uri) as registry, httpx.AsyncClient(base_url=url) as http:
        version = await registry.serving_version(problem.onnx_name)
        if version is None:
            raise RuntimeError("the registry has no version to look up")
        for _ in range(REPEATS):
            prediction.append(await _seconds(lambda: http.post("/predict", json=examples)))
            question.append(await _seconds(lambda: registry.serving_version(problem.onnx_name)))
            download.append(await _seconds(lambda: registry.download(version)))
    return median(prediction), median(question), median(download)


async def _seconds(call: Callable[[], Awaitable[httpx.Response | Version | bytes | None]]) -> float:
    start = time.perf_counter()
    await call()
    return time.perf_counter() - start
