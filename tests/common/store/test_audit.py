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


def test_entries_of_strangers_push_out_and_hide_no_entry_of_a_key(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, most in (("MOST", 3), ("MOST_OF_STRANGERS", 2), ("MOST_SHOWN", 3), ("MOST_SHOWN_OF_STRANGERS", 1)):
        monkeypatch.setattr(audit, name, most)
    for number in range(3):
        store.audit.note("anna", "review", "192.0.2.1", f"POST /{number}", "200")
    for number in range(9):
        store.audit.note(audit.NOBODY, "", f"192.0.2.{number}", "log-in", "wrong key")
    store.audit.trim()
    assert [each.client for each in store.audit.newest()] == ["192.0.2.8", *["192.0.2.1"] * 3]
    store.audit.note("anna", "review", "192.0.2.1", "POST /3", "200")
    assert [each.action for each in store.audit.newest()] == ["POST /3", "log-in", "POST /2", "POST /1"]
    monkeypatch.setattr(audit, "MOST_SHOWN_OF_STRANGERS", 9)
    assert [each.client for each in store.audit.newest() if not each.role] == ["192.0.2.8", "192.0.2.7"]
