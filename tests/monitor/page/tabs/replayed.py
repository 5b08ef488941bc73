"""Results of replays in a store, without a registry."""

from datetime import timedelta

from common.bundle.model import OnnxModel
from common.features import Number
from common.store import Store
from common.store.trust.replays import LoggedAnswer, ReplaySpan
from tests.common.store.rows import CLASSES, NOON, prediction
from tests.trust.replay.replayed import CLASSES as NAMES
from tests.trust.replay.replayed import COLUMNS, graph, logged_rows
from trust.replay.figures import summary_of
from trust.replay.replay import Replay, replayed_version
from trust.replay.summary import PageReplay

VERSION = 4
SPAN = ReplaySpan("iris", NOON.replace(hour=0, minute=0, second=0, microsecond=0), NOON + timedelta(days=1))


def iris_rows(count: int) -> list[LoggedAnswer]:
    """Return rows with iris' classes."""
    names = dict(zip(NAMES, CLASSES, strict=True))
    return [
        row._replace(class_name=names[row.class_name], truth=names[row.truth] if row.truth else None)
        for row in logged_rows(count)
    ]


def page_replay(rows: list[LoggedAnswer], model: OnnxModel | None = None, kept: int = 1000) -> PageReplay:
    """Return the result of a replay of rows."""
    features = [Number(name, "cm", "a number", -10, 10, 0) for name in COLUMNS]
    replay = Replay(replayed_version(VERSION, model or OnnxModel(graph(classes=CLASSES)), "iris", features))
    changed = replay.add(rows)
    listed = [(each.logged.id, each.class_name, each.confidence) for each in changed[:kept]]
    return PageReplay(figures=summary_of(replay), columns=list(replay.version.columns), changed=listed)


def finish_replay(store: Store, result: PageReplay) -> str:
    """Write the result of a replay; return its id."""
    name = store.trust.replays.request(VERSION, SPAN)
    store.trust.replays.start(name)
    store.trust.replays.finish(name, result.model_dump(mode="json"), result.figures.rows)
    return name


def log_rows(store: Store, rows: list[LoggedAnswer]) -> None:
    """Write rows into the log, with their ground truths."""
    store.predictions.write(
        [
            prediction(row.id, row.class_name, version=row.version, at=row.predicted_at)
            | {"features": row.features, "confidence": row.confidence}
            for row in rows
        ]
    )
    for row in rows:
        if row.truth:
            store.feedback.give(row.id, row.truth)
