"""On a full disk a write fails whole, with an error in one line; with space again, writes succeed."""

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from common.store import Store, StoreError
from tests.common.refusals import refused
from tests.common.store.recount import assert_counted
from tests.common.store.rows import MODEL, SETOSA, VERSICOLOR, prediction, suggestion

ROWS = 100
MANY = 1000  # batches, far more than there is space for
Full = Callable[[Store], AbstractContextManager[None]]


@contextmanager
def no_more_pages(store: Store) -> Iterator[None]:
    """SQLite finds no space for another page, as it does when the disk has none."""
    engine = store._database._engine

    def limit(connection: Any, _: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {max(pages, 100)}")

    engine.dispose()
    sa.event.listen(engine, "connect", limit)
    try:
        yield
    finally:
        sa.event.remove(engine, "connect", limit)
        engine.dispose()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system refuses this process to write more than so many bytes into any file, in the middle of a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def no_larger_files(_: Store) -> AbstractContextManager[None]:
    return files_of_at_most(600_000)


def write(store: Store, batch: int) -> None:
    store.predictions.write([prediction(f"{batch}-{number}") for number in range(ROWS)])


def write_on(store: Store, written: list[int]) -> None:
    """Write one batch after the other, noting each that is acknowledged."""
    for batch in range(MANY):
        write(store, batch)
        written.append(batch)


def fill(store: Store) -> int:
    """Write until it is refused; return how many batches were not."""
    written: list[int] = []
    refusal = r"^the store cannot be written: (database or disk is full|disk I/O error)$"
    with pytest.raises(StoreError, match=refusal):
        write_on(store, written)
    return len(written)


@pytest.fixture(params=[no_more_pages, no_larger_files])
def full(request: pytest.FixtureRequest) -> Full:
    return request.param  # type: ignore[no-any-return]


def test_a_full_disk_takes_no_half_batch_and_all_of_them_again_later(sqlite_store: Store, full: Full) -> None:
    store = sqlite_store
    with full(store):
        written = fill(store)
        assert 0 < written < MANY
        assert [live.predictions for live in store.statistics.live("iris", MODEL)] == [written * ROWS]
        assert store.predictions.get(f"{written}-0") == []
        assert len(store.predictions.get(f"{written - 1}-{ROWS - 1}")) == 1
    for batch in (written, written + 1):
        write(store, batch)
    assert assert_counted(store).predictions.total() == (written + 2) * ROWS


def correct_until_refused(store: Store) -> int:
    """Correct one prediction again and again; return how often that was acknowledged."""
    for number in range(MANY):
        try:
            store.correct(suggestion(f"s{number}", prediction_id="known"))
        except StoreError:
            return number
    pytest.fail("the disk is not full")


def test_a_correction_that_finds_no_space_is_not_acknowledged(sqlite_store: Store, full: Full) -> None:
    store = sqlite_store
    store.predictions.write([prediction("known", VERSICOLOR)])
    with full(store):
        fill(store)
        # The last page may have space for some corrections.
        kept = correct_until_refused(store)
    there = [store.suggestions.get(f"s{number}") is not None for number in range(kept + 1)]
    assert there == [True] * kept + [False]
    store.correct(suggestion(f"s{kept}", prediction_id="known"))
    [found] = store.predictions.get("known")
    assert found.truth == SETOSA
    assert_counted(store)


def test_a_store_on_a_full_disk_is_not_opened_and_leaves_nothing_in_the_way(sqlite_url: str) -> None:
    with files_of_at_most(20_000), refused(StoreError, "cannot be opened: disk I/O error"):
        Store(sqlite_url)
    with closing(Store(sqlite_url)) as store:
        write(store, 0)
        assert_counted(store)
