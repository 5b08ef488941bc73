"""The lab's Prefect deletes flow runs 90 days after their end, with their logs, and keeps the others."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from common.settings import Settings
from scripts.parts import wait_for
from tests import servers
from tests.test_loop import ask_prefect, prefect_runs


def finished_run(lab: Settings, flow: str) -> str:
    """Return the id of a run that has ended now, and that has a log."""
    run = str(ask_prefect(lab, "POST", "/flow_runs/", {"flow_id": flow})["id"])
    ask_prefect(lab, "POST", f"/flow_runs/{run}/set_state", {"state": {"type": "COMPLETED"}, "force": True})
    now = datetime.now(UTC).isoformat()
    line = {"name": "lab", "level": 20, "message": "learnt", "timestamp": now, "flow_run_id": run}
    ask_prefect(lab, "POST", "/logs/", [line])
    return run


def let_end(database: Path, run: str, days: int) -> None:
    """Let a run have ended so many days ago."""
    moment = datetime.now(UTC) - timedelta(days=days)
    with closing(sqlite3.connect(database, timeout=30)) as prefect, prefect:
        change = "UPDATE flow_run SET end_time = ? WHERE id = ?"
        changed = prefect.execute(change, (moment.strftime("%Y-%m-%d %H:%M:%S.%f"), str(UUID(run))))
        assert changed.rowcount == 1


def logs_of(lab: Settings) -> set[str]:
    return {each["flow_run_id"] for each in ask_prefect(lab, "POST", "/logs/filter", {})}


def test_flow_runs_go_90_days_after_their_end_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS", "2")
    with servers.prefect_server(tmp_path) as url:
        lab = Settings(lab_home=tmp_path, prefect_api_url=url)
        flow = ask_prefect(lab, "POST", "/flows/", {"name": "finetune"})["id"]
        old, kept, new = (finished_run(lab, flow) for _ in range(3))
        database = lab.state_dir / "prefect" / "prefect.db"
        let_end(database, kept, 89)
        let_end(database, old, 91)
        wait_for("the deletion", lambda: {each["id"] for each in prefect_runs(lab)} == {kept, new})
        wait_for("that of its log", lambda: logs_of(lab) == {kept, new})
