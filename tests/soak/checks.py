"""The check after a soak: whether all that was acknowledged is there, once, and every count is right."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from common.problem import get_problem
from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion
from common.store.tables import ROLES, confusion_counts, paired_counts, prediction_counts
from common.table import csv_line
from tests.api.inference.test_prediction_log import logged, told
from tests.soak.answers import Harm
from tests.soak.load import Acknowledgements

# A killed api loses the rows that still wait (a quarter of a second; those that PostgreSQL does not take are in the
# spool). A killed PostgreSQL loses those whose transaction was not on the disk yet, for which the log does not wait
# (three times wal_writer_delay, 0.2 s). The rest is for a busy machine.
BEFORE_KILL = 2.0
Span = tuple[float, float]


def before_kills(harms: Sequence[Harm]) -> list[Span]:
    """Return the spans of time whose predictions a kill of the api or of PostgreSQL may take from the log."""
    killed = [each for each in harms if each.fault == "kill" and each.part in {"api", "postgresql"}]
    return [(each.at - BEFORE_KILL, each.over) for each in killed]


def check(store: Store, lab: Settings, seen: Sequence[Acknowledgements], harms: Sequence[Harm]) -> dict[str, Any]:
    """Return figures of what was acknowledged, and of what is lost or doubled.

    Args:
        store: of the lab, whose services have stopped.
        lab: for its finetune.csv.
        seen: the acknowledgements of each client.
        harms: the faults of all parts.
    """
    ids = {row["id"] for row in logged(store)}
    truths = told(store)
    given = {name: truth for each in seen for name, truth in each.truths.items()}
    answered = {name: at for each in seen for name, at in each.predictions.items()}
    sent = {name: correction for each in seen for name, correction in each.corrections.items()}
    missing = [at for name, at in answered.items() if name not in ids]
    last_moment = [at for at in missing if _within(at, before_kills(harms))]
    text = lab.corrections.read_text(encoding="utf-8") if lab.corrections.exists() else ""
    rows = Counter(text.splitlines(keepends=True))
    wanted = Counter(_line(each) for each in store.suggestions.rows_to_keep(lab.problem))
    return {
        "predictions": len(answered),
        "predictions_lost": len(missing) - len(last_moment),
        "predictions_lost_before_a_kill": len(last_moment),
        "truths": len(given),
        "truths_lost": sum(truths.get(name) != truth for name, truth in given.items()),
        "corrections": len(sent),
        "corrections_lost": sum(_sent(store.suggestions.get(name)) != each for name, each in sent.items()),
        "corrections_in_the_file": (rows & wanted).total(),
        "rows_lost": (wanted - rows).total(),
        "corrections_doubled": (rows - wanted).total(),
        "counts_wrong": wrong_counts(store),
        "requests": sum(len(each.requests) for each in seen),
        "refused": dict(Counter(one.outcome for each in seen for one in each.requests if not one.is_success)),
    }


def _line(correction: Suggestion) -> str:
    """Return the line of finetune.csv that a correction must have."""
    problem = get_problem(correction.problem)
    values = [correction.features[name] for name in problem.columns]
    return csv_line(values, str(problem.target.classes.index(correction.class_name)))


def _sent(kept: Suggestion | None) -> tuple[list[float | str], str] | None:
    """Return a correction as its client remembers it."""
    if kept is None:
        return None
    return [kept.features[name] for name in get_problem(kept.problem).columns], kept.class_name


def _within(at: float, spans: Sequence[Span]) -> bool:
    return any(begin < at < end for begin, end in spans)


def wrong_counts(store: Store) -> list[str]:
    """Return the roll-ups that do not have the counts of the rows: of predictions, of labels, of pairs."""
    rows, truths = logged(store), told(store)
    volumes: Counter[Any] = Counter()
    cells: Counter[Any] = Counter()
    pairs: Counter[Any] = Counter()
    by_id: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        key = row["model_version"], row["role"], row["predicted_at"].date()
        volumes[*key, row["class_name"]] += 1
        by_id.setdefault(row["id"], {})[row["role"]] = row
        if truth := truths.get(row["id"]):
            cells[*key, truth, row["class_name"]] += 1
    for name, both in by_id.items():
        if name in truths and len(both) == len(ROLES):
            champion, shadow = (both[role] for role in ("champion", "shadow"))
            versions = champion["model_version"], shadow["model_version"]
            right = (each["class_name"] == truths[name] for each in (champion, shadow))
            pairs[*versions, champion["predicted_at"].date(), *right] += 1
    key = "model_version", "role", "day"
    of_pair = "champion_version", "challenger_version", "day", "champion_right", "challenger_right"
    found = {
        "predictions": _rolled_up(store, prediction_counts, "predictions", *key, "class_name") == volumes,
        "labels": _rolled_up(store, confusion_counts, "labels", *key, "true_class", "predicted_class") == cells,
        "pairs": _rolled_up(store, paired_counts, "labels", *of_pair) == pairs,
        "labels without a prediction": truths.keys() <= by_id.keys(),
    }
    return [name for name, is_right in found.items() if not is_right]


def _rolled_up(store: Store, table: sa.Table, counts: str, *key: str) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for row in store._database.read(sa.select(table)):
        found[tuple(row[name] for name in key)] += row[counts]
    return +found
