"""Traces of a problem in the store, read from a copy, because opening a store creates or upgrades its tables."""

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from common.problem import Problem
from common.store import Store, StoreError
from common.store.champions import ChampionPeriod
from common.store.trust.review_figures import WERE_QUARANTINED
from common.store.trust.reviews import ROLL_BACK
from common.store.trust.withdrawals import UNLEARNT, Withdrawal

READ_ONLY = "-c default_transaction_read_only=on"  # an option of PostgreSQL's
WITHDRAWALS = 1_000  # the newest, at most


@dataclass(frozen=True)
class StoreTraces:
    """Counts of a problem's rows in the store.

    Attributes:
        predictions: answers of champions.
        outliers: rows among them that are unlike the training rows.
        truths: ground truths of champions' answers.
        shadows: answers of challengers.
        shadow_truths: ground truths of challengers' answers.
        champions: each time that a version became champion, oldest first.
        corrections: corrections in whatever state.
        learnt: versions that learnt corrections, oldest first.
        verdicts: the number of judgements by the gate's verdict.
        stopped: corrections that vetting put into quarantine, by rule, whatever a reviewer decided since.
        known: corrections that vetting refused, because the lab knew row and class.
        reviewed: corrections by what was decided in a review, "approved" or "rejected".
        rolled_back: corrections in quarantine because their version was taken back.
        alerts: alerts of the monitor by kind.
        replayed: whether somebody has started a replay on the page.
        withdrawals: the newest withdrawals of corrections, newest first.
        erasures: predictions that were erased.
    """

    predictions: int
    outliers: int
    truths: int
    shadows: int
    shadow_truths: int
    champions: Sequence[ChampionPeriod]
    corrections: int
    learnt: Sequence[int]
    verdicts: Mapping[str, int]
    stopped: Mapping[str, int]
    known: int
    reviewed: Mapping[str, int]
    rolled_back: int
    alerts: Mapping[str, int]
    replayed: bool
    withdrawals: Sequence[Withdrawal]
    erasures: int

    @property
    def taken_back_by_hand(self) -> bool:
        """Whether somebody has moved the alias back to an older version without the api."""
        numbers = [each.model_version for each in self.champions]
        return any(
            period.how == "registered" and period.model_version < max(numbers[:index], default=0)
            for index, period in enumerate(self.champions)
        )

    def moved(self, how: str) -> bool:
        """Return whether a person has moved the alias with the api so: "promoted" or "rolled back"."""
        return any(each.how == how and each.because is None for each in self.champions)

    @property
    def rebuilt(self) -> int | None:
        """The newest version that serves instead of one that had learnt a withdrawn correction; None without one."""
        done = (each for each in self.withdrawals if each.closed_at and each.outcome != UNLEARNT)
        return next((each.version for each in done if each.version), None)


@contextmanager
def read_only(url: str) -> Iterator[Store]:
    """Open the store at a SQLAlchemy URL so that nothing in it changes.

    The caller gets a copy of SQLite's file, or sessions of PostgreSQL that may only read. Without a file, the copy is
    an empty store.

    Raises:
        StoreError: the store cannot be read.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        options = parsed.update_query_dict({"options": READ_ONLY}, append=True)
        with closing(Store(options.render_as_string(hide_password=False))) as store:
            yield store
        return
    with tempfile.TemporaryDirectory(prefix="check_lab") as folder:
        copy = Path(folder) / "lab.db"
        if parsed.database and Path(parsed.database).exists():
            _copy(Path(parsed.database), copy)
        with closing(Store(f"sqlite:///{copy}")) as store:
            yield store


def traces(store: Store, problem: Problem) -> StoreTraces:
    """Return the traces of a problem in an open store.

    Raises:
        StoreError: the store cannot be read.
    """
    name, model = problem.name, problem.onnx_name
    live = store.statistics.live(name, model)
    champions, shadows = ([each for each in live if each.role == role] for role in ("champion", "shadow"))
    stopped: Counter[str] = Counter()
    decided: Counter[str] = Counter()
    for each in store.trust.review_figures.outcomes():
        if each.problem == name:
            decided[each.outcome] += each.corrections
            stopped[each.rule] += each.corrections * (each.outcome in WERE_QUARANTINED)
    in_quarantine = store.trust.queue.by_rule(name, store.trust.queue.total(name))
    return StoreTraces(
        predictions=sum(each.predictions for each in champions),
        outliers=sum(each.outliers for each in champions),
        truths=sum(label.labels for each in champions for label in each.labels),
        shadows=sum(each.predictions for each in shadows),
        shadow_truths=sum(label.labels for each in shadows for label in each.labels),
        champions=store.champions.history(model),
        corrections=sum(each.suggestions for each in store.correction_history.by_state() if each.problem == name),
        learnt=[each.model_version for each in store.correction_history.versions() if each.problem == name],
        verdicts={
            each.verdict: each.judgements for each in store.correction_history.verdicts() if each.problem == name
        },
        stopped=stopped,
        known=decided["known"],
        reviewed=decided,
        rolled_back=in_quarantine.get(ROLL_BACK, 0),
        alerts={kind: number for (of, kind), number in store.alerts.counts().items() if of == name},
        replayed=store.trust.replays.newest(name) is not None,
        withdrawals=store.trust.withdrawals.newest(name, WITHDRAWALS),
        erasures=store.trust.erasures.count(name),
    )


def _copy(database: Path, copy: Path) -> None:
    """Copy a SQLite file as it is at one moment, also while others write to it."""
    # With the log of a running or killed lab beside it, SQLite reads that too. Without the log nobody has the file
    # open, and "immutable" keeps SQLite from making a new log.
    alone = not database.with_name(f"{database.name}-wal").exists()
    address = f"file:{quote(str(database.resolve()))}?mode=ro{'&immutable=1' * alone}"
    try:
        with closing(sqlite3.connect(address, uri=True)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        raise StoreError(f"the store at {database} cannot be read: {error}") from error
