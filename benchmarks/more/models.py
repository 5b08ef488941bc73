"""`GET /models` with a thousand to a million predictions in the log."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import httpx
import numpy as np
import sqlalchemy as sa

from benchmarks.harness import lab
from benchmarks.harness.report import Claim, Report, milliseconds, ratio
from benchmarks.harness.rows import prediction_rows
from benchmarks.harness.serving import API, CHALLENGER, CHAMPION, Service, serving
from benchmarks.harness.timing import seconds_of
from common.bundle.export import export_onnx
from common.problem import Problem, get_problem
from common.settings import Settings
from common.store import Store
from common.store.predictions import PredictionRow
from common.table import read_table
from scripts.parts import free_port

SIZES = (1_000, 100_000, 1_000_000)
BATCH = 2_000
DAYS = 30
VERSIONS = 3  # champions, each for a third of the days
LABELLED, OUTLIERS, RIGHT = 0.2, 0.02, 0.95  # shares of the rows with ground truth, of outliers, of right answers
REPEATS = 100
RECOUNTS = 3
MOST = 1.5
TEXT = (
    f"The api on SQLite, with predictions of {DAYS} days in its log: of {VERSIONS} champions, one after the other, and "
    f"of the last champion's challenger. The ground truth of {LABELLED:.0%} of the rows is known. One request at a "
    f"time, to the three apis in turn; the figures are medians of {REPEATS}. The api reads roll-ups, which the writer "
    "of the log keeps up to date. *Counting the log* is the time of SQL queries that count the same from the log "
    "itself: predictions, confusions and pairs, joined and grouped, in a process that does nothing else; medians of "
    f"{RECOUNTS}. Their counts are compared with the api's counts, and are equal."
)
VOLUMES = sa.text("""
    SELECT p.model_version, p.role, count(*) FROM predictions p
    WHERE p.problem = :problem AND p.model_name = :model_name GROUP BY 1, 2
""")
CELLS = sa.text("""
    SELECT p.model_version, p.role, f.class_name, p.class_name, count(*)
    FROM predictions p JOIN feedback f ON f.prediction_id = p.id
    WHERE p.problem = :problem AND p.model_name = :model_name GROUP BY 1, 2, 3, 4
""")
PAIRS = sa.text("""
    SELECT p.class_name = f.class_name, s.class_name = f.class_name, count(*)
    FROM feedback f
    JOIN predictions p ON p.id = f.prediction_id AND p.role = 'champion' AND p.model_version = :champion
    JOIN predictions s ON s.id = f.prediction_id AND s.role = 'shadow' AND s.model_version = :challenger
    WHERE p.problem = :problem AND p.model_name = :model_name GROUP BY 1, 2
""")


@dataclass(frozen=True)
class Sized:
    """An api whose log has `size` rows, the seconds of requests to it, and the seconds of counting its log."""

    size: int
    http: httpx.Client
    database: sa.Engine
    asked: list[float]
    counted: list[float]

    def ask(self) -> None:
        """Ask for the statistics once."""
        self.http.get("/models").raise_for_status()


def measure() -> Report:
    """Fill three logs, start an api on each, and ask the apis in turn."""
    with lab.lab() as settings, ExitStack() as stack:
        problem = get_problem(settings.problem)
        model = make_model(problem, settings)
        sized = [serve(size, model, settings, problem, stack) for size in SIZES]
        lab.say(f"ask each {REPEATS} times")
        for _ in range(REPEATS):
            for each in sized:
                each.asked.append(seconds_of(each.ask))
        for each in sized:
            lab.say(f"count {each.size} rows from the log, {RECOUNTS} times")
            for _ in range(RECOUNTS):
                each.counted.append(recount(each, problem))
    return _report(sized)


def make_model(problem: Problem, settings: Settings) -> bytes:
    """Return a model without outlier scorer; here only the numbers of the versions matter."""
    table = read_table(settings.data_dir / "train.csv", problem, indices=True)
    model = problem.candidates()[0].fit(table.X, table.y)
    return bytes(export_onnx(model, problem, table).SerializeToString())


def serve(size: int, model: bytes, settings: Settings, problem: Problem, stack: ExitStack) -> Sized:
    """Fill a log and start an api on it."""
    home = settings.lab_home / f"{size}"
    url = f"sqlite:///{home}/lab.db"
    own = settings.model_copy(update={"lab_home": home, "database_url": url, "api_port": free_port()})
    with closing(Store(url)) as store:
        fill(store, problem, size)
    service = Service(f"the api with {size} predictions", API, model, model)
    http = stack.enter_context(serving(service, own, problem)).http
    database = sa.create_engine(url)
    stack.callback(database.dispose)
    return Sized(size, http, database, [], [])


def fill(store: Store, problem: Problem, size: int) -> None:
    """Write a history of `size` rows: of three champions, and of the last champion's challenger."""
    lab.say(f"write {size} predictions")
    chance, begin, champions = np.random.default_rng(size), datetime.now(UTC) - timedelta(days=DAYS), size * 3 // 4
    for first in range(0, champions, BATCH):
        rows = prediction_rows(problem, min(BATCH, champions - first))
        for number, row in enumerate(rows, first):
            row["predicted_at"] = begin + timedelta(days=DAYS) * (number / champions)
            row["model_version"] = 1 + VERSIONS * number // champions
            row["is_outlier"] = bool(chance.random() < OUTLIERS)
        write(store, problem, rows, chance)
        if first % 150_000 > 150_000 - BATCH - 1:
            lab.say(f"  {first / champions:.0%}")


def write(store: Store, problem: Problem, rows: list[PredictionRow], chance: np.random.Generator) -> None:
    """Write champions' rows, ground truth about some of them, and the challenger's answers to the last champion's."""
    labelled = chance.random(len(rows)) < LABELLED
    labelled_rows = [row for row, known in zip(rows, labelled, strict=True) if known]
    store.known_rows.write(
        labelled_rows, [_perhaps_another(row["class_name"], problem, chance) for row in labelled_rows]
    )
    store.predictions.write([row for row, known in zip(rows, labelled, strict=True) if not known])
    store.predictions.write([_shadow(row, problem, chance) for row in rows if row["model_version"] == CHAMPION])


def recount(sized: Sized, problem: Problem) -> float:
    """Count the log by SQL; return the seconds that it took.

    Raises:
        RuntimeError: the api gives other counts.
    """
    names = {"problem": problem.name, "model_name": problem.onnx_name, "champion": CHAMPION, "challenger": CHALLENGER}
    start = time.perf_counter()
    with sized.database.connect() as connection:
        found = {(*row[:-1],): row[-1] for query in (VOLUMES, CELLS, PAIRS) for row in connection.execute(query, names)}
    took = time.perf_counter() - start
    answer = sized.http.get("/models").raise_for_status().json()
    if given(answer) != found:
        differ = sorted(given(answer).items() ^ found.items(), key=str)
        raise RuntimeError(f"the api and the {sized.size} rows of its log differ: {differ}")
    return took


def given(answer: dict[str, Any]) -> dict[tuple[Any, ...], int]:
    """Return the counts of the api's answer, with the same keys as the rows of the SQL queries."""
    found: dict[tuple[Any, ...], int] = {}
    for version in answer["versions"]:
        key, names = (version["model_version"], version["role"]), [each["class_name"] for each in version["classes"]]
        found[key] = version["predictions"]
        for true, counts in zip(names, version["confusion"], strict=True):
            found |= {(*key, true, name): count for name, count in zip(names, counts, strict=True)}
    pairs = ("both_wrong", "only_challenger_right", "only_champion_right", "both_right")
    found |= {divmod(place, 2): answer["comparison"][name] for place, name in enumerate(pairs)}
    return {key: count for key, count in found.items() if count}


def _shadow(row: PredictionRow, problem: Problem, chance: np.random.Generator) -> PredictionRow:
    class_name = _perhaps_another(row["class_name"], problem, chance)
    return {**row, "role": "shadow", "model_version": CHALLENGER, "class_name": class_name}


def _perhaps_another(class_name: str, problem: Problem, chance: np.random.Generator) -> str:
    return class_name if chance.random() < RIGHT else str(chance.choice(problem.target.classes))


def _report(sized: Sequence[Sized]) -> Report:
    unit = median(sized[0].asked)
    rows, claims = [], []
    for each in sized:
        asked, counted = median(each.asked), median(each.counted)
        what, against = f"`GET /models` with {each.size:,} predictions in the log", f"with {SIZES[0]:,}"
        shown, compared = milliseconds(asked), ratio(asked, unit)
        claim = Claim(what, shown, compared, against, f"< {MOST}", met=asked < MOST * unit)
        times = (claim.verdict if each is not sized[0] else "", milliseconds(counted), ratio(counted, asked))
        rows.append((f"{each.size:,} predictions", shown, compared, *times))
        claims.append(claim)
    header = ("", "`GET /models`", "ratio to the first", "required", "counting the log", "ratio to `GET /models`")
    return Report("Statistics of a large log", TEXT, header, rows, claims[-1:])
