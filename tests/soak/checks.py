"""The check after a soak: whether all that was acknowledged is there, once, and every count is right."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from common.settings import Settings
from common.store import Store
from tests.api.inference.test_prediction_log import logged, told
from tests.soak.load import Acknowledgements
from tests.test_breaking import check_whole

# A killed api loses the rows that still wait (a quarter of a second); a killed PostgreSQL those whose transaction was
# not on the disk yet, for which the log does not wait (three times wal_writer_delay, 0.2 s). The rest is for a busy
# machine.
BEFORE_KILL = 2.0


def check(
    store: Store, lab: Settings, seen: Sequence[Acknowledgements], kills: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    """Return figures of what was acknowledged, and of what is lost or doubled.

    Args:
        store: of the lab, whose services have stopped.
        lab: for its finetune.csv.
        seen: the acknowledgements of each client.
        kills: when harm was done to the api or to the database: beginning and end.
    """
    there = Counter((row["id"], row["role"]) for row in logged(store))
    ids = {prediction_id for prediction_id, _ in there}
    truths = told(store)
    given = {name: truth for each in seen for name, truth in each.truths.items()}
    answered = {name: at for each in seen for name, at in each.predictions.items()}
    corrections = [name for each in seen for name in each.corrections]
    missing = [at for name, at in answered.items() if name not in ids]
    excused = [at for at in missing if any(begin - BEFORE_KILL < at < end for begin, end in kills)]
    rows = lab.corrections.read_text(encoding="utf-8").splitlines() if lab.corrections.exists() else []
    kept = store.suggestions.rows_to_keep(lab.problem)
    return {
        "predictions": len(answered),
        "predictions_lost": len(missing) - len(excused),
        "predictions_lost_before_a_kill": len(excused),
        "predictions_doubled": sum(count > 1 for count in there.values()),
        "truths": len(given),
        "truths_lost": sum(truths.get(name) != truth for name, truth in given.items()),
        "corrections": len(corrections),
        "corrections_lost": sum(store.suggestions.get(name) is None for name in corrections),
        "corrections_in_the_file": len(kept),
        "corrections_doubled": len(rows) - len(kept),
        "counts_wrong": _counts_wrong(store),
        "requests": sum(each.requests for each in seen),
        "refused": dict(sum((each.refused for each in seen), Counter[str]())),
    }


def _counts_wrong(store: Store) -> int:
    try:
        check_whole(store)
    except AssertionError:
        return 1
    return 0
