"""A large store, made of a smaller one: each prediction stands in it several times, with ids of its own."""

from common.store import Store
from common.store.tables import (
    confusion_counts,
    feedback,
    label_delays,
    paired_counts,
    paired_truths,
    prediction_counts,
    predictions,
)
from common.store.timeline.tables import timeline_answers, timeline_truths

COUNTS = {
    prediction_counts: ("predictions", "outliers"),
    confusion_counts: ("labels",),
    paired_counts: ("labels",),
    paired_truths: ("labels",),
    label_delays: ("labels", "seconds"),
    timeline_answers: ("predictions", "outliers"),
    timeline_truths: ("labels",),
}
MOST_COPIES = 10


def multiply(store: Store, copies: int) -> None:
    """Have each prediction and its ground truth `copies` times in the store, and the roll-ups count all of them.

    The copies are written in the order of time, in one transaction: an index grows as it does in service.

    Raises:
        ValueError: less than one copy, or more than ten.
    """
    if not 1 <= copies <= MOST_COPIES:
        raise ValueError(f"{copies} copies: from 1 to {MOST_COPIES} are possible")
    numbers = " UNION ALL ".join(f"SELECT {number} AS number" for number in range(1, copies))
    with store._database.writing() as connection:  # noqa: SLF001
        for table, key in ((predictions, "id"), (feedback, "prediction_id")) if copies > 1 else ():
            names = ", ".join(each.name for each in table.columns if each.name != key)
            # Ids have hexadecimal digits, so that none ends like those of the copies.
            connection.exec_driver_sql(
                f"INSERT INTO {table.name} ({key}, {names}) "  # noqa: S608
                f"SELECT substr({key}, 1, 34) || n.number || 'x', {names} "
                f"FROM {table.name} CROSS JOIN ({numbers}) AS n ORDER BY {key}"
            )
        for table, columns in COUNTS.items():
            connection.execute(table.update().values({name: table.c[name] * copies for name in columns}))
