"""A store, made and read by the code of whichever version stands first in PYTHONPATH: this file is a program.

It uses only what the version before has, too. usage: python lab_of_a_version.py write|read URL PREFIX
"""

import json
import sys
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import common.store
from common.store import Store, StoreError
from common.store.feedback import ContradictionError
from common.store.judgements import JudgementRecord
from common.store.monitoring.windows import WindowRecord
from common.store.predictions import PredictionRow
from common.store.statistics import Span
from common.store.suggestions import Suggestion
from common.store.tables import Role
from common.store.trust.replays import ReplaySpan
from common.store.trust.reviews import CorrectionReview
from common.store.trust.vettings import Vetting

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PROBLEM, MODEL = "iris", "IrisModel"
CLASSES = ("Iris-setosa", "Iris-versicolor", "Iris-virginica")
DAYS = 3
ROWS = 12  # predictions of each day


def write(store: Store, prefix: str, now: datetime) -> None:
    """Write something into each table, as the services do; `prefix` begins all ids."""
    rows = [
        _row(f"{prefix}{day}-{number:02}", role, number, now - timedelta(days=day, minutes=number))
        for day in range(DAYS)
        for number in range(ROWS)
        for role in _roles(number)
    ]
    store.predictions.write(rows)
    for number in range(0, ROWS, 3):
        store.feedback.give(f"{prefix}0-{number:02}", CLASSES[number % 2], source="key", trusted=number % 2 == 0)
    store.feedback.give(f"{prefix}0-00", CLASSES[2], replace=True)
    _corrections(store, prefix)
    store.champions.note(MODEL, 1)
    store.champions.note(MODEL, 2, "promoted", f"{prefix} is better")
    _monitor(store, prefix, now)
    store.trust.erasures.erase(f"{prefix}1-01", "key")


def _roles(number: int) -> tuple[Role, ...]:
    return ("champion", "shadow") if number % 2 else ("champion",)


def _row(name: str, role: Role, number: int, at: datetime) -> PredictionRow:
    probabilities = {each: 0.8 if place == number % 3 else 0.1 for place, each in enumerate(CLASSES)}
    return {
        "id": name,
        "role": role,
        "problem": PROBLEM,
        "model_name": MODEL,
        "model_version": 1 if role == "champion" else 2,
        "predicted_at": at,
        "features": {"sepal_length": 5.1 + number, "name": 'Größe "9"\\'},
        "class_name": CLASSES[number % 3],
        "probabilities": None if number == 0 else probabilities,
        "confidence": None if number == 0 else 0.8,
        "is_outlier": None if number == 0 else number % 5 == 0,
        "outlier_score": 0.25 - number,
    }


def _corrections(store: Store, prefix: str) -> None:
    names = ("received", "delivered", "waiting", "trained", "refused", "quarantined", "approved", "withdrawn")
    ids = {name: f"{prefix}-{name}" for name in names}
    for number, each in enumerate(ids.values()):
        store.correct(
            Suggestion(each, PROBLEM, {"sepal_length": 5.1}, CLASSES[0], f"{prefix}2-{number:02}", source="key")
        )
    store.suggestions.delivered(ids["delivered"], "run")
    for number, name in enumerate(("waiting", "trained", "withdrawn")):
        found = store.suggestions.get(ids[name])
        if found is not None:
            store.suggestions.reserve_row(replace(found, row_number=number, flow_run_id="run"))
            store.suggestions.row_written(found.id)
    judgement = JudgementRecord(f"{prefix}-j", PROBLEM, datetime.now(UTC), "accepted", 2, "refitted", {"gain": 3}, None)
    store.judgements.add(judgement)
    store.trust.versions.learnt(PROBLEM, 2)
    store.suggestions.trained([ids["trained"], ids["withdrawn"]], 2, judgement.id)
    store.suggestions.refused([ids["refused"]], "it is no better", judgement.id)
    stopped = {each: Vetting(ids[each], PROBLEM, "quarantined", "far", 7.5, {"at": [1, 2]}) for each in names[5:7]}
    store.trust.vettings.record({each.suggestion_id: (each, "it is far") for each in stopped.values()}, {}, {})
    store.trust.vettings.keep_map(PROBLEM, 1, {"x": [1.5]})
    store.trust.reviews.decide(PROBLEM, [ids["approved"]], CorrectionReview("approved", "review key", "I looked"))
    store.trust.withdrawals.request(PROBLEM, [ids["withdrawn"]], f"{prefix}-request", "review key", "a mistake")


def _monitor(store: Store, prefix: str, now: datetime) -> None:
    begun = now - timedelta(minutes=5)
    store.windows.write(WindowRecord(PROBLEM, MODEL, 1, begun, now, ROWS, 1, {"features": []}))
    store.alerts.settle(PROBLEM, {prefix}, {(prefix, "sepal_length"): "it has drifted"}, now)
    export = store.exports.claim(ROWS, now - timedelta(days=1))
    if export:
        store.exports.finish(export, f"{prefix}-run")
    asked = store.trust.replays.request(2, ReplaySpan(PROBLEM, begun, now))
    store.trust.replays.finish(asked, {"rows": 1}, 1)


def read(store: Store, prefix: str) -> dict[str, object]:
    """Return all that the services can read of the rows that `write` has written, and figures of all rows."""
    ids = [f"{prefix}{day}-{number:02}" for day in range(DAYS) for number in range(ROWS)]
    far = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)
    corrections = store.correction_history.newest(PROBLEM, datetime.min.replace(tzinfo=UTC), far, 10_000)
    own = sorted((each for each in corrections if each.id.startswith(prefix)), key=lambda each: each.id)
    span, names = Span(PROBLEM, MODEL), [each.id for each in own]
    return {
        "predictions": [asdict(each) for name in ids for each in store.predictions.get(name)],
        "corrections": [asdict(each) | {"state": each.state} for each in own],
        "histories": {name: [asdict(event) for event in store.trust.events.of(name)] for name in names},
        "live": [asdict(each) for each in store.statistics.live(PROBLEM, MODEL)],
        "paired": asdict(store.statistics.paired(span, 1, 2)),
        "truths": asdict(store.trials.paired_truths(PROBLEM, MODEL, 1, 2, trusted_only=True)),
        "delays": [asdict(each) for each in store.history.delays(span)],
        "champions": [asdict(each) for each in store.champions.history(MODEL)],
        "judgement": _plain(store.judgements.of(f"{prefix}-j")),
        "withdrawals": [asdict(each) for each in store.trust.withdrawals.newest(PROBLEM, 100)],
        "vettings": {name: asdict(each) for name, each in sorted(store.trust.vettings.of(names).items())},
        "map": store.trust.vettings.map_of(PROBLEM, 1),
        "learnt": {str(number): count for number, count in store.trust.versions.count(PROBLEM, [2]).items()},
        "erasure": _plain(store.trust.erasures.of(f"{prefix}1-01")),
        "window": _plain(store.windows.newest(PROBLEM)),
        "alerts": sorted((asdict(each) for each in store.alerts.open(PROBLEM)), key=str),
        "waiting": store.exports.waiting(),
        "replay": _plain(store.trust.replays.newest(PROBLEM)),
    }


def _plain(found: "DataclassInstance | None") -> dict[str, object] | None:
    return asdict(found) if found else None


def main() -> None:
    """Do what the command line says, and print as JSON what the code reads afterwards."""
    what, url, prefix = sys.argv[1:]
    try:
        with closing(Store(url)) as store:
            if what == "write":
                write(store, prefix, datetime.now(UTC))
            found = read(store, prefix)
    except (StoreError, ContradictionError) as error:
        sys.exit(f"the store: {error}")
    print(json.dumps({"code": common.store.__file__, "read": found}, default=str, ensure_ascii=False))


if __name__ == "__main__":
    main()
