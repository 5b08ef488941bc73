"""Gauges of several workers as one service's."""

import json
from pathlib import Path

from api.metrics.declared import Metrics
from api.workers.gauges import RULES, Gauges, together
from common.registry.client import Version
from common.store.tables import Role


class Worker:
    """The gauges of a worker that has been told of versions."""

    def __init__(self, folder: Path, slot: int) -> None:
        self.metrics = Metrics()
        self._gauges = Gauges(folder / f"{slot}.gauges")

    def serves(self, number: int, role: Role = "champion") -> None:
        self.metrics.serves(Version("M", number, "", {"test_f1": f"0.{number}"}), role)
        self.publish()

    def serves_none(self, role: Role) -> None:
        self.metrics.serves_none("M", role)
        self.publish()

    def publish(self) -> None:
        self._gauges.publish([family for family in self.metrics.registry.collect() if family.type == "gauge"])


def shown(folder: Path, name: str) -> dict[str, float]:
    return {sample.labels.get("role", ""): sample.value for sample in together(folder).get(name, [])}


def infos(folder: Path) -> list[tuple[str, str]]:
    return sorted((s.labels["role"], s.labels["model_version"]) for s in together(folder)["model_info"])


def test_what_changed_last_is_shown_forward_and_back(tmp_path: Path) -> None:
    one, other = Worker(tmp_path, 0), Worker(tmp_path, 1)
    for version in (2, 3, 1):
        for worker in (one, other):
            worker.serves(version)
            for each in (one, other):  # the other is behind, and goes on saying so
                each.publish()
            assert shown(tmp_path, "served_model_version") == {"champion": version}
            assert shown(tmp_path, "model_test_f1_ratio") == {"champion": version / 10}
            assert infos(tmp_path) == [("champion", f"{version}")]


def test_a_challenger_that_one_has_let_go_is_gone(tmp_path: Path) -> None:
    one, other = Worker(tmp_path, 0), Worker(tmp_path, 1)
    for worker in (one, other):
        worker.serves(1)
        worker.serves(2, "shadow")
    assert infos(tmp_path) == [("champion", "1"), ("shadow", "2")]
    one.serves_none("shadow")
    other.publish()
    assert infos(tmp_path) == [("champion", "1")]
    other.serves(3)
    assert infos(tmp_path) == [("champion", "3")]


def test_a_worker_without_a_model_hides_nobody_s(tmp_path: Path) -> None:
    Worker(tmp_path, 0).serves(1)
    Worker(tmp_path, 1).publish()
    assert infos(tmp_path) == [("champion", "1")]


def test_numbers_are_put_together_by_their_rule(tmp_path: Path) -> None:
    for slot, number in enumerate((3.0, 5.0, 4.0)):
        gauges = {name: [[{}, number]] for name in RULES}
        (tmp_path / f"{slot}.gauges").write_text(json.dumps({"changed": {}, "gauges": gauges}))
    assert shown(tmp_path, "prediction_log_waiting_rows") == {"": 12}
    assert shown(tmp_path, "prediction_log_lag_seconds") == {"": 5}
    assert shown(tmp_path, "process_start_time_seconds") == {"": 3}
    assert shown(tmp_path, "process_resident_memory_bytes") == {"": 12}


def test_every_gauge_of_the_api_has_a_rule_or_tells_a_version() -> None:
    metrics = Metrics()
    tested = {f"test_{name}": "1" for name in ("accuracy", "precision", "recall", "f1")}
    metrics.serves(Version("M", 1, "", tested), "champion")
    gauges = [family for family in metrics.registry.collect() if family.type == "gauge"]
    of_versions = {family.name for family in gauges if any("role" in sample.labels for sample in family.samples)}
    assert {family.name for family in gauges} == of_versions | RULES.keys()
