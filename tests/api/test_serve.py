"""`api/serve.py` without the rooms that it wires."""

import sys
from pathlib import Path

import httpx

from common.settings import PROJECT, Settings
from scripts.parts import free_port, process, wait_for
from scripts.stack import process_environment


def test_without_its_marked_lines_one_process_serves(with_copy: Settings, tmp_path: Path) -> None:
    lines = (PROJECT / "api" / "serve.py").read_text(encoding="utf-8").splitlines(keepends=True)
    alone, port = tmp_path / "alone.py", free_port()
    alone.write_text("".join(line for line in lines if "# room: " not in line), encoding="utf-8")
    environment = {**process_environment(with_copy), "API_WORKERS": "2", "PYTHONPATH": str(PROJECT)}
    with process([sys.executable, str(alone), "--port", f"{port}"], tmp_path / "log", environment) as started:
        wait_for("an answer", lambda: httpx.get(f"http://127.0.0.1:{port}/readyz").is_success)
        assert started.poll() is None
