"""Training: `python main.py` against a tutorial's script, and the whole search against its fits alone."""

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
        "a tutorial's script that searches and registers", seconds(tutorial), ratio(tutorial, ours), "`python main.py`",
        f"at least {TIMES_FASTER}", met=tutorial >= TIMES_FASTER * ours,
    )  # fmt: skip
    return Report(
        "Training",
        "The first two rows are complete programs, from their start to their end, with the same MLflow server. Each "
        "fits a grid of 15 candidates and registers the best one. The tutorial's script logs both flavours of every "
        "candidate and lets MLflow find their requirements. The last two rows run in one process, without the time of "
        "imports: the 15 fits alone, and the search with its logging, ONNX export and registration. The figures are "
        f"medians of {REPEATS}; the tutorial's script runs once, after the first half of the runs of `main.py`.",
        ("", "time", "ratio", "required"),
        (
            ("`python main.py`", seconds(ours), "1", ""),
            ("the tutorial's script", seconds(tutorial), claim.ratio, claim.verdict),
            ("15 fits alone", seconds(fits), "1", ""),
            ("the whole search", seconds(search), ratio(search, fits), ""),
        ),
        [claim],
    )


def programs(settings: Settings) -> tuple[float, float]:
    """Return the seconds of `main.py` and of the tutorial's script."""
    before = REPEATS // 2
    lab.say(f"python main.py, {before} times")
    ours = [lab.python(settings, "main.py") for _ in range(before)]
    lab.say("the tutorial's script, which takes minutes")
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
