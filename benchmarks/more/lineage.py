"""The time of the questions about lineage, with few stored predictions and with a million; MLflow answers, too."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from functools import partial

import sqlalchemy as sa

from benchmarks.harness import lab
from benchmarks.harness.registering import register
from benchmarks.harness.report import Claim, Report, milliseconds
from benchmarks.more.pages import DAYS, ROUNDS, VERSIONS, fill, timed
from common.problem import Problem, get_problem
from common.registry.client import Registry
from common.store import Store
from common.store.monitoring.prediction_search import Search
from common.store.suggestions import Suggestion
from common.store.tables import prediction_counts, predictions
from scripts.parts import part
from trust.lineage.asking import Model, Page, Registered, logged, registered
from trust.lineage.tracing import is_known, of_correction, of_prediction, of_version

SIZES = (1_000, 1_000_000)
COPIES = 10  # of each row in the larger store, with ids of their own: writing all of them as the api does takes minutes
CORRECTIONS = 1_000  # the newest version has learnt so many
LATEST = 500  # predictions, which these corrections name
MOST_SECONDS = 0.05
HEADER = ("", *(f"{size:,}" for size in SIZES), "ratio", "under 50 ms")
TEXT = (
    f"The store is SQLite, with predictions of {DAYS} days and of {VERSIONS} versions, half of them the challenger's; "
    f"in the larger store each stands {COPIES} times, with ids of its own. The newest version has learnt {CORRECTIONS} "
    f"corrections, which name the newest {LATEST} predictions. Each question is asked as its route asks it: first "
    "MLflow for the tags of the versions, then the store, then the JSON is written. The columns are numbers of stored "
    f"predictions. The figures are medians of {ROUNDS}, measured in turn. The ratio is that of the larger store to the "
    "smaller."
)


def measure() -> Report:
    """Fill a small and a large store; time each question about lineage."""
    problem = get_problem("iris")
    with lab.lab() as settings, part("mlflow", settings), asyncio.Runner() as runner, ExitStack() as stack:
        lab.say(f"register {VERSIONS + 1} versions")
        for seed in range(VERSIONS + 1):
            register(settings, seed=seed)
        registry = runner.run(_open(settings.mlflow_uri))
        stack.callback(lambda: runner.run(registry.__aexit__()))
        calls = []
        for size in SIZES:
            lab.say(f"write {size:,} predictions and {CORRECTIONS:,} corrections")
            store = stack.enter_context(closing(Store(f"sqlite:///{settings.lab_home}/{size}.db")))
            fill(store, problem, min(size, SIZES[-1] // COPIES))
            if size == SIZES[-1]:
                _copy(store)
            calls.append(_calls(runner, registry, problem, store))
        lab.say(f"{ROUNDS} rounds")
        found = {name: timed([each[name] for each in calls]) for name in calls[0]}
    rows = [
        (name, *(milliseconds(each) for each in times), f"{times[-1] / times[0]:.2f}", _yes(max(times)))
        for name, times in found.items()
    ]
    slowest = max(found, key=lambda name: found[name][-1])
    most = found[slowest][-1]
    claim = Claim(
        f"the slowest question about lineage with {SIZES[-1]:,} predictions: {slowest}",
        milliseconds(most), f"{most / found[slowest][0]:.2f}", f"with {SIZES[0]:,}", HEADER[-1],
        met=max(max(times) for times in found.values()) < MOST_SECONDS,
    )  # fmt: skip
    return Report("Lineage", TEXT, HEADER, rows, [claim])


def _copy(store: Store) -> None:
    """Copy each row of the log so often that there are `COPIES` of it, and count them."""
    c = predictions.c
    kept = [column for column in c if column.name != "id"]
    # Ids have hexadecimal digits, so none ends like those of the copies.
    originals = sa.select(*kept).where(~c.id.endswith("x"))
    with store._database.writing() as connection:  # noqa: SLF001
        for number in range(1, COPIES):
            copies = originals.add_columns(sa.func.substr(c.id, 1, 34) + f"{number}x")
            connection.execute(predictions.insert().from_select([*(each.name for each in kept), "id"], copies))
        connection.execute(prediction_counts.update().values(predictions=prediction_counts.c.predictions * COPIES))
        count = connection.execute(sa.select(sa.func.count()).select_from(predictions)).scalar()
    if count != SIZES[-1]:
        raise RuntimeError(f"the larger store has {count} predictions")


async def _open(uri: str) -> Registry:
    return Registry(uri)


def _yes(seconds: float) -> str:
    return "yes" if seconds < MOST_SECONDS else "**no**"


def _calls(
    runner: asyncio.Runner, registry: Registry, problem: Problem, store: Store
) -> dict[str, Callable[[], object]]:
    model, page, now = Model(problem.name, problem.onnx_name), Page(), datetime.now(UTC)
    search = Search(problem.name, now - timedelta(days=DAYS + 1), now + timedelta(days=1), (VERSIONS,))
    found = store.prediction_search.page(search, LATEST)
    ids = [each.row["id"] for each in found.rows if each.row["role"] == "champion"]
    correction = _learn(store, problem, ids)
    answered = logged(store, ids[0])
    if answered is None:
        raise RuntimeError(f"the store does not have prediction {ids[0]}")

    def ask(versions: list[int], answer: Callable[[Registered], str]) -> str:
        asked = runner.run(registered(registry, model.name, versions))
        if not asked.answered:
            raise RuntimeError("MLflow did not answer")
        return answer(asked)

    def of_an_answer(asked: Registered) -> str:
        found = of_prediction(store, answered, asked, page)
        if found.versions[0].learnt.total != CORRECTIONS:
            raise RuntimeError("the lineage of the prediction is not complete")
        return found.model_dump_json()

    def of_a_version(asked: Registered, page: Page = page) -> str:
        found = of_version(store, model, VERSIONS, asked, page)
        if not is_known(found) or not found.learnt.corrections:
            raise RuntimeError("the lineage of the version is not complete")
        return found.model_dump_json()

    def of_a_correction() -> str:
        found = of_correction(store, model, correction)
        if not found or not found.answers.total:
            raise RuntimeError("the lineage of the correction is not complete")
        return found.model_dump_json()

    return {
        "a prediction": partial(ask, answered.versions, of_an_answer),
        "a version": partial(ask, [VERSIONS], of_a_version),
        "a version, 200 of its corrections": partial(ask, [VERSIONS], partial(of_a_version, page=Page(200))),
        "a correction": of_a_correction,
    }


def _learn(store: Store, problem: Problem, ids: list[str]) -> str:
    """Let the newest version learn corrections of these predictions; return the first correction."""
    features = {feature.name: feature.example for feature in problem.features}
    names = [f"l{number:04}" for number in range(CORRECTIONS)]
    for number, name in enumerate(names):
        named = ids[number % len(ids)]
        store.suggestions.add(Suggestion(name, problem.name, features, problem.target.classes[0], named, source="key"))
    store.suggestions.row_written(*names)
    store.trust.versions.learnt(problem.name, VERSIONS)
    store.suggestions.trained(names, VERSIONS)
    return names[0]
