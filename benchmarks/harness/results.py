"""The newest result of each benchmark in `benchmarks/results.json`, and the page that is made of them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.harness.report import Claim, Report, seconds, table
from common.files import write_atomic
from common.settings import PROJECT

RESULTS = Path("benchmarks", "results.json")
PAGE = Path("docs", "benchmarks.md")
# These take minutes and 8 GB of disk each, and run only when somebody names them.
ON_REQUEST = ("ten_million_sqlite", "ten_million_postgresql")
HEADER = ("claim", "measured", "ratio", "to", "extrapolated", "required", "met", "details")
INTRODUCTION = """# Benchmarks

`make bench` writes this page. It takes about {minutes:.0f} minutes on the machine below, which must do nothing else
meanwhile. Seconds and megabytes depend on the machine. The ratios depend on it much less: both numbers of a ratio are
measured in the same run. `python -m benchmarks.run NAME …` measures some of the benchmarks again and writes them into
this page; with `--print` it writes no file. The names are: {names}.
Those that begin with `ten_million` run only when they are named.
`make bench-quick` takes a minute and writes no file.

{machine}
"""


@dataclass(frozen=True)
class Result:
    """A report with the date of its measurement (UTC), the seconds that it took, and the machine."""

    date: str
    seconds: float
    machine: str
    report: Report


def read(folder: Path = PROJECT) -> dict[str, Result]:
    """Return the results of a folder that is laid out as the project, by the names of the benchmarks."""
    path = folder / RESULTS
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: Result(**{**result, "report": _report(result["report"])}) for name, result in found.items()}


def keep(name: str, result: Result, order: Sequence[str], folder: Path = PROJECT) -> None:
    """Replace the result of one benchmark and write the page again; the results of the others stay.

    Args:
        name: the benchmark.
        result: its new result.
        order: the names of all benchmarks; results under any other name are deleted.
        folder: the folder that holds the results and the page, as the project does.
    """
    known = {**read(folder), name: result}
    results = {each: known[each] for each in order if each in known}
    content = json.dumps({each: asdict(found) for each, found in results.items()}, indent=1, ensure_ascii=False)
    write_atomic(folder / RESULTS, f"{content}\n".encode())
    write_atomic(folder / PAGE, markdown(results).encode())


def markdown(results: Mapping[str, Result]) -> str:
    """Return the page: all claims in one table, then each report, with its machine if that is not the newest one."""
    newest = max(results.values(), key=lambda result: result.date).machine
    taken = sum(result.seconds for name, result in results.items() if name not in ON_REQUEST)
    introduction = INTRODUCTION.format(minutes=taken / 60, names=", ".join(results), machine=newest)
    claims = [_row(claim, result.report.title) for result in results.values() for claim in result.report.claims]
    summary = [f"## Claims\n\n{table(HEADER, claims)}\n"] if claims else []
    return "\n".join([introduction, *summary, *(_section(result, newest) for result in results.values())])


def _row(claim: Claim, title: str) -> Sequence[str]:
    met = "yes" if claim.met else "**no**"
    anchor = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
    compared = (claim.measured, claim.ratio, claim.against, claim.extrapolated)
    return (claim.what, *compared, claim.required, met, f"[{title}](#{anchor})")


def _section(result: Result, newest: str) -> str:
    elsewhere = "" if result.machine == newest else f" On: {result.machine}"
    return f"{result.report.markdown()}\n*Measured {result.date} UTC, in {seconds(result.seconds)}.{elsewhere}*\n"


def _report(found: Mapping[str, object]) -> Report:
    fields: dict[str, object] = {**found}
    fields["claims"] = [Claim(**claim) for claim in fields["claims"]]  # type: ignore[attr-defined]  # a list, in JSON
    return Report(**fields)  # type: ignore[arg-type]  # as it was written
