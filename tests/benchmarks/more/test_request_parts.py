"""The parts of a request are timed on the api itself, which really answers meanwhile."""

import time
from pathlib import Path

import pytest

from benchmarks.harness.contestants import make_model
from benchmarks.more import request_parts
from benchmarks.more.request_parts import best, parts_of_the_loop, parts_of_the_writer, seconds
from common.problem import Problem
from common.settings import Settings
from common.store import Store


def test_the_last_part_of_the_loop_is_all_of_them(
    offline: Settings, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_parts, "TIMES", 3)
    *parts, short = parts_of_the_loop(make_model(problem, offline), offline, rows=4)
    assert sum(part.seconds for part in parts) == pytest.approx(short.seconds)
    assert short.ordinary == "uvicorn's parsing, FastAPI's route"
    assert short.ordinary_seconds > short.seconds > 0


def test_the_timed_rows_go_into_a_separate_log(offline: Settings, problem: Problem, tmp_path: Path) -> None:
    own = offline.model_copy(update={"lab_home": tmp_path / "own"})
    parts = parts_of_the_writer(make_model(problem, offline), own)
    assert all(part.seconds > 0 for part in parts)
    store = Store(f"sqlite:///{tmp_path}/own.db")
    [live] = store.statistics.live(problem.name, problem.onnx_name)
    store.close()
    assert live.predictions == request_parts.BATCHES * request_parts.BATCH_ROWS


def test_only_the_time_of_this_thread_counts() -> None:
    assert seconds(lambda: time.sleep(0.01), 3) < 0.005


def test_a_part_is_timed_several_times_with_untimed_work_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_parts, "TIMES", 5)
    done: list[str] = []
    best(lambda: done.append("call"), lambda: done.append("between"))
    assert done.count("between") == 5
    assert done.count("call") == 5 * request_parts.CALLS
