"""The cost of an answer for each problem: requests per second of one core, against an empty FastAPI endpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.harness import lab
from benchmarks.harness.http_load import CONNECTIONS
from benchmarks.harness.report import Report, latencies, ratio, spread
from benchmarks.harness.serving import EMPTY, Service, own_home, whole
from benchmarks.headline.answering import ROUNDS, SECONDS, Start, start
from common.bundle.export import export_onnx
from common.bundle.outliers import outlier_scorer_for
from common.problem import Problem, get_problem
from common.settings import Settings
from common.split import split
from common.table import read_table

PROBLEMS = ("iris", "breast_cancer", "travel_insurance")
TEXT = (
    f"As above, each of {CONNECTIONS} connections sends one `POST /predict` of one row at a time. The api serves the "
    "model that training would make champion, with outlier scores, with the log in SQLite, and without a challenger. "
    "The unit is for each problem an empty FastAPI endpoint that takes the same body and does nothing with it. "
    f"Each service was started {ROUNDS} times, in turn, and measured for {SECONDS:.0f} s. The figures are medians; "
    "brackets hold the slowest and the fastest start. Core per request is the time of all threads of the process. "
)
HEADER = (
    *("problem", "columns", "empty endpoint, requests/s", "the api, requests/s", "ratio"),
    *("core per request", "p50", "p99"),
)


@dataclass(frozen=True)
class Measured:
    """All starts of the empty endpoint and of the api for one problem."""

    empty: list[Start] = field(default_factory=list)
    api: list[Start] = field(default_factory=list)

    @property
    def unit(self) -> float:
        """Requests per second of the empty endpoint."""
        return median(each.load.rate for each in self.empty)


def measure() -> Report:
    """Start the empty endpoint and the api for every problem in turn, several times, and send the load to each."""
    with lab.lab() as settings:
        problems = [get_problem(name) for name in PROBLEMS]
        services = {problem.name: make_services(problem, of(problem, settings)) for problem in problems}
        found = {problem.name: Measured() for problem in problems}
        for turn in range(ROUNDS):
            lab.say(f"turn {turn + 1} of {ROUNDS}: {len(problems)} problems")
            for problem in problems:
                empty, api = services[problem.name]
                found[problem.name].empty.append(once(empty, problem, settings, turn))
                found[problem.name].api.append(once(api, problem, settings, turn))
    return _report(problems, found)


def of(problem: Problem, settings: Settings) -> Settings:
    """Return the settings of the same lab for another problem."""
    return settings.model_copy(update={"problem": problem.name})


def make_services(problem: Problem, settings: Settings) -> tuple[Service, Service]:
    """Return the empty endpoint, and the api with the champion of the problem."""
    lab.say(f"{problem.name}: the data, the model")
    lab.python(settings, "-m", "scripts.get_data")
    lab.python(settings, "preprocess.py")
    return EMPTY, whole(champion_of(problem, settings))


def champion_of(problem: Problem, settings: Settings) -> bytes:
    """Return the bundle of the candidate that training would register."""
    from training.executors import fit_on_all_cores
    from training.search import Result, ranked

    fitting, validation = split(read_table(settings.data_dir / "train.csv", problem, indices=True))
    candidates = problem.candidates()
    fits = zip(candidates, fit_on_all_cores(candidates, fitting, validation), strict=True)
    best, *_ = ranked([Result(candidate, fitted.model, fitted.metrics) for candidate, fitted in fits])
    scorer = outlier_scorer_for(problem, fitting, validation)
    return bytes(export_onnx(best.model, problem, fitting, scorer).SerializeToString())


def once(service: Service, problem: Problem, settings: Settings, turn: int) -> Start:
    """Start a service in a home of its own, and send the load to it."""
    own = own_home(settings, f"{turn} {problem.name} {service.name}")
    return start(service, of(problem, own), problem)


def _report(problems: Sequence[Problem], found: Mapping[str, Measured]) -> Report:
    busiest = max(start.load.busy for each in found.values() for start in (*each.empty, *each.api))
    answers = sum(start.load.answers for each in found.values() for start in each.api)
    checked = (
        f"All requests were answered with 200. The api's counters agree with the {answers} answers that wrk got. "
        f"wrk was busy for at most {busiest:.0%} of the time."
    )
    rows = [_row(problem, found[problem.name]) for problem in problems]
    return Report("The cost of an answer, by problem", TEXT + checked, HEADER, rows)


def _row(problem: Problem, measured: Measured) -> Sequence[str]:
    rates = [each.load.rate for each in measured.api]
    core = median(each.core / each.load.answers for each in measured.api)
    categories = sum(feature.kind == "category" for feature in problem.features)
    return (
        problem.name,
        f"{len(problem.features) - categories} numbers" + (f", {categories} categories" if categories else ""),
        f"{measured.unit:.0f}",
        spread(rates),
        ratio(median(rates), measured.unit),
        f"{core * 1e6:.0f} µs",
        *latencies([each.load for each in measured.api]),
    )
