"""The job trims the audit log, and leaves it for the next run when the store is away."""

from pathlib import Path

import pytest

from common.store import Store, audit
from monitor.jobs.old_entries import OldEntries
from tests.monitor.references import away


def test_the_audit_log_is_trimmed_as_soon_as_the_store_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(f"sqlite:///{tmp_path}/lab.db")
    monkeypatch.setattr(audit, "MOST", 2)
    for number in range(4):
        store.audit.note("anna", "review", "192.0.2.1", f"POST /{number}", "200")
    with monkeypatch.context() as patched:
        patched.setattr(store.audit, "trim", away)
        OldEntries(store).run()
    assert len(store.audit.newest()) == 4
    OldEntries(store).run()
    assert [each.action for each in store.audit.newest()] == ["POST /3", "POST /2"]
    store.close()
