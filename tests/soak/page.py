"""The page docs/reliability.md, made of the results of the last soak."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.soak.answers import ANSWERED, MAY_COST, WORDS, broken

PAGE = Path("docs", "reliability.md")
RESULTS = Path("tests", "soak", "results.json")
# Growth in an hour that is surely a leak. A kilobyte that each request leaves behind would be 140 MB.
LEAK = {"memory_mb": 10.0, "files": 10.0, "threads": 5.0}
MINUTES = (1, 10, 30)  # of the calm, whose memory the page shows beside that of the last one
PROMISES = {
    "api": "all that it has acknowledged is kept; the log may lose its last moment",
    "worker": "each correction gets its row once; the run goes on after the start",
    "prefect": "corrections are taken and wait, and are delivered when it is back",
    "mlflow": "the api goes on with the version that it serves",
    "monitor": "nothing else notices",
    "postgresql": "predictions go on, and their log is in the spool; other messages are refused with a 503",
}
TEMPLATE = Path(__file__).with_name("page.md")


def markdown(result: Mapping[str, Any]) -> str:
    """Return the page of a soak's results."""
    checked = result["checked"]
    refused = sum(checked["refused"].values())
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(checked["refused"].items()))
    return TEMPLATE.read_text(encoding="utf-8").format(
        **{name: result[name] for name in ("clients", "date", "kills", "seed", "machine", "memory")},
        **{name: f"{checked[name]:,}" for name in checked if isinstance(checked[name], int) and name != "requests"},
        minutes=result["seconds"] / 60,
        others=sum(each["fault"] != "kill" for each in result["faults"]),
        excused=f"{checked['predictions_lost_before_a_kill']:,}",
        counts="A recount of the rows gives other numbers than the roll-ups."
        if checked["counts_wrong"]
        else "A recount of all rows gives the numbers of the roll-ups.",
        not_run=", ".join([*(f"{fault} (without {it})" for fault, it in result["not_run"].items()), "a loss of power"]),
        faults=_faults(result),
        broken=f"Not so in this run, which therefore ended as failed: {'; '.join(cost)}."
        if (cost := broken(result["faults"]))
        else "So it was in this run.",
        **LEAK,
        leaks=f"Above it in this run, which therefore ended as failed: {'; '.join(found)}."
        if (found := leaks(result))
        else "No part was above it in this run.",
        growth=_growth(result),
        requests=f"{checked['requests']:,}",
        refused=f"{refused:,} got no answer or an error ({kinds})" if refused else "all were answered",
    )


def leaks(result: Mapping[str, Any]) -> list[str]:
    """Return the parts whose growth is surely above its limit, each with the growth in an hour."""
    return [
        f"{part} grows: {measure} {found[0]:+.1f} an hour, {found[1]:+.1f} to {found[2]:+.1f}"
        for part, growth in result["growth"].items()
        for measure, limit in LEAK.items()
        if (found := growth[measure]) and found[1] > limit
    ]


def _faults(result: Mapping[str, Any]) -> str:
    by_kind: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for each in result["faults"]:
        by_kind[each["part"], each["fault"]].append(each)
    lines = []
    for (part, fault), found in sorted(by_kind.items()):
        seconds = [each["recovery"] for each in found]
        back = f"{median(seconds):.1f} s, {max(seconds):.1f} s"
        answers = [_answers([each[kind] for each in found]) for kind in MAY_COST]
        lines.append(f"| {' | '.join([part, fault, PROMISES[part], str(len(found)), back, *answers])} |\n")
    return "".join(lines)


def _answers(found: Sequence[Mapping[str, int]]) -> str:
    counts: Counter[str] = Counter()
    for each in found:
        counts.update(each)
    all_of_them, answered = counts.total(), counts[ANSWERED]
    if answered == all_of_them:
        return f"all {answered:,}" if answered else "none was sent"
    others = [f"{counts[answer]:,} {words}" for answer, words in WORDS.items() if counts[answer]]
    return f"{answered:,} of {all_of_them:,}; {', '.join(others)}"


def _growth(result: Mapping[str, Any]) -> str:
    lines = []
    for part, growth in sorted(result["growth"].items()):
        cells = [_interval(growth[name]) for name in LEAK]
        count = next((growth[name][3] for name in LEAK if growth[name]), 0)
        sizes = ["-" if size is None else f"{size:.0f}" for size in growth["memory"]]
        lines.append(f"| {' | '.join([part, *sizes, *cells])} | {count} |\n")
    return "".join(lines)


def _interval(slope: Any) -> str:
    if slope is None:
        return "not enough data"
    return f"{_digits(slope[0])} ({_digits(slope[1])} to {_digits(slope[2])})"


def _digits(value: float) -> str:
    """Return a number with its sign and three digits, without an exponent."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:+,.0f}" if abs(rounded) >= 100 else f"{rounded:+.3g}"  # has three digits
