"""A flow run that still has work to do is found by the corrections that it has in hand."""

from dataclasses import replace

from api.lost_runs.lost_runs import in_hand
from common.store import Store
from common.store.suggestions import TRAIN_AT
from tests.common.store.rows import suggestion


def test_a_run_has_work_as_long_as_rows_are_to_be_written_or_five_wait(store: Store) -> None:
    store.suggestions.add(suggestion("received"))
    assert in_hand(store, "iris") is None
    for row, name in enumerate("abcdef"):
        store.suggestions.add(suggestion(name))
        store.suggestions.delivered(name, f"run of {name}")
        assert in_hand(store, "iris") == store.suggestions.get(name)
        store.suggestions.reserve_row(replace(suggestion(name), row_number=row))
        store.suggestions.row_written(name)
        assert in_hand(store, "iris") == (store.suggestions.get(name) if row >= TRAIN_AT - 1 else None)
    store.suggestions.trained(list("abcdef"), 2)
    assert in_hand(store, "iris") is None


def test_judged_corrections_wait_without_a_run_until_five_new_ones_have_come(store: Store) -> None:
    for row, name in enumerate("abcdefghij"):
        assert in_hand(store, "iris") is None
        store.suggestions.add(suggestion(name))
        store.suggestions.reserve_row(replace(suggestion(name), row_number=row))
        store.suggestions.row_written(name)
        if name == "e":
            assert in_hand(store, "iris") == store.suggestions.get("e")
            store.suggestions.judged(list("abcde"), "judgement")
    assert in_hand(store, "iris") == store.suggestions.get("j")
