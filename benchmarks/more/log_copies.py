"""A large store, made of a smaller one: each prediction stands in it several times, with ids of its own."""

import sqlalchemy as sa

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
AT_ONCE = 20_000  # ids whose rows are copied in one transaction, so that SQLite's write-ahead log stays small


def multiply(store: Store, copies: int, turn: int = 0) -> None:
    """Have each prediction and its ground truth `copies` times in the store, and the roll-ups count all of them.

    The copies are written in the order of time: an index grows as it does in service. A second call on the same store
    needs the `turn` 1, so that the ids of its copies are new.

    Raises:
        ValueError: less than one copy, or more than ten.
    """
    if not 1 <= copies <= MOST_COPIES:
        raise ValueError(f"{copies} copies: from 1 to {MOST_COPIES} are possible")
    database, c = store._database, predictions.c  # noqa: SLF001
    ids = [row["id"] for row in database.read(sa.select(c.id).where(c.role == "champion").order_by(c.id))]
    for start in range(0, len(ids) if copies > 1 else 0, AT_ONCE):
        some = ids[start : start + AT_ONCE]
        with database.writing(durable=False) as connection:
            for table, key in ((predictions, "id"), (feedback, "prediction_id")):
                _copy(connection, table.c[key], copies, (some[0], some[-1]), turn)
    with database.writing() as connection:
        for table, columns in COUNTS.items():
            connection.execute(table.update().values({name: table.c[name] * copies for name in columns}))


def _copy(connection: sa.Connection, key: sa.Column[str], copies: int, span: tuple[str, str], turn: int) -> None:
    table = key.table
    others = [column for column in table.c if column is not key]
    numbers = sa.union_all(*(sa.select(sa.literal(str(number)).label("number")) for number in range(1, copies)))
    counted = numbers.subquery()
    # Ids have hexadecimal digits, so that none ends like those of the copies.
    place = 34 - 2 * turn
    made = sa.func.substr(key, 1, place) + counted.c.number + "x" + sa.func.substr(key, place + 3)
    copied = sa.select(made, *others)
    copied = copied.select_from(sa.join(table, counted, sa.true())).where(key.between(*span)).order_by(key)
    names = [key.name, *(column.name for column in others)]
    connection.execute(table.insert().from_select(names, copied))
