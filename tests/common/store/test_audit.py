"""The audit log is bounded by whoever trims it, and each process may begin it."""

import pytest

from common.store import Store, audit


def test_the_newest_entries_are_kept_and_shown_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.audit.newest() == []
    monkeypatch.setattr(audit, "MOST", 3)
    for number in range(5):
        store.audit.note("anna", "review", "192.0.2.1", f"POST /{number}\0" + "x" * 300, "200")
    assert len(store.audit.newest()) == 5
    for _ in range(2):
        store.audit.trim()
    found = store.audit.newest()
    assert [each.action[:7] for each in found] == ["POST /4", "POST /3", "POST /2"]
    assert all(len(each.action) == audit.LONGEST for each in found)
    assert (found[0].actor, found[0].role, found[0].client, found[0].result) == ("anna", "review", "192.0.2.1", "200")
    assert found[0].at.tzinfo
