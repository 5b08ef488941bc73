"""Training: `python main.py` against the tutorial's way, and what logging adds to the fits alone."""

from statistics import median

from benchmarks.harness import lab
from benchmarks.harness.report import Claim, Report, ratio, seconds
from benchmarks.harness.timing import seconds_of
from common.problem import get_problem
from common.settings import Settings
from common.table import read_table
from scripts.parts import part

REPEATS = 5
TIMES_FASTER = 8


def measure() -> Report:
    """Time the programs, then the search within this process."""
    with lab.lab() as settings, part("mlflow", settings):
        ours, tutorial = programs(settings)
        search, fits = search_and_fits(settings)
    claim = Claim(
        "the tutorial's way to search and register", seconds(tutorial), ratio(tutorial, ours), "`python main.py`",
        f"at least {TIMES_FASTER}", met=tutorial >= TIMES_FASTER * ours,
    )  # fmt: skip
    return Report(
        "Training",
        "The first two are whole programs, from their start to their end, against the same MLflow server: the grid of "
        "15 candidates, the best one registered. The tutorial's way logs both flavours of every candidate and lets "
        "MLflow guess their requirements. The last two run in one process, imports excluded: the search with its "
        f"logging, ONNX export and registration, and the 15 fits alone. Medians of {REPEATS} "
        "(the tutorial's way: once, in their midst).",
        ("", "time", "ratio", "required"),
        (
            ("`python main.py`", seconds(ours), "1", ""),
            ("the tutorial's way", seconds(tutorial), claim.ratio, claim.verdict),
            ("15 fits alone", seconds(fits), "1", ""),
            ("the search, all in all", seconds(search), ratio(search, fits), ""),
        ),
        [claim],
    )


def programs(settings: Settings) -> tuple[float, float]:
    """Return the seconds of `main.py` and of the tutorial's way."""
    before = REPEATS // 2
    lab.say(f"python main.py, {before} times")
    ours = [lab.python(settings, "main.py") for _ in range(before)]
    lab.say("the tutorial's way, which takes minutes")
    tutorial = lab.python(settings, "-m", "benchmarks.headline.tutorial_way")
    lab.say(f"python main.py, {REPEATS - before} times")
    ours += [lab.python(settings, "main.py") for _ in range(REPEATS - before)]
    return median(ours), tutorial


def search_and_fits(settings: Settings) -> tuple[float, float]:
    """Return the seconds of the whole search in this process, and of its fits alone."""
    lab.say("the search, and the fits alone")
    from common.split import split
    from training.search import train

    problem = get_problem(settings.problem)
    fitting, _ = split(read_table(settings.data_dir / "train.csv", problem, indices=True))
    search, fits = [], []
    for _ in range(REPEATS):
        fits.append(seconds_of(lambda: [candidate.fit(fitting.X, fitting.y) for candidate in problem.candidates()]))
        search.append(seconds_of(lambda: train(problem, settings)))
    return median(search), median(fits)
