"""While the disk is nearly full, the log keeps one row of ten; each answer is counted, and said to be left out."""

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from api.log_sampling import sampled_log
from api.log_sampling.sampled_log import SampledLog
from api.metrics.declared import Metrics
from common.disk_space import GB, Disk
from common.settings import Settings
from common.store import Store
from common.store.retention.missing_rows import MissingRows
from common.store.statistics import Span
from tests.common.store.rows import MODEL, NOON, prediction, shadow

ROOMY, FULL = Disk(Path("/"), 0.5, 50 * GB), Disk(Path("/"), 0.93, GB)
IDS = [f"{number:04}" for number in range(400)]


@pytest.fixture
def kept(either_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(sampled_log, "LOOK_SECONDS", 0.0)
    with closing(Store(either_url)) as store:
        yield store


def answers(store: Store) -> int:
    return sum(each.predictions for each in store.statistics.volume_sums(Span("iris", MODEL)))


def test_one_row_of_ten_is_kept_while_the_disk_is_nearly_full_and_all_are_counted(
    kept: Store, caplog: pytest.LogCaptureFixture
) -> None:
    found, metrics = [ROOMY], Metrics()
    log = SampledLog(kept, Settings(disk_limit_percent=90), metrics, lambda: found)
    assert log.write([prediction(f"before {each}") for each in IDS]) == len(IDS)
    found[0] = FULL
    with caplog.at_level(logging.WARNING):
        written = log.write([prediction(each) for each in IDS])
        assert log.write([shadow(each) for each in IDS]) == written
        found[0] = ROOMY
        log.write([prediction("after")])
    assert 20 < written < 60  # about a tenth of 400
    pairs = [kept.predictions.get(each) for each in IDS]
    assert [len(pair) for pair in pairs if pair] == [2] * written  # both answers of a prediction, or none
    left_out = 2 * (len(IDS) - written)
    assert answers(kept) == 3 * len(IDS) + 1
    assert kept.retention.missing.totals(NOON.date(), NOON.date()) == [MissingRows("iris", "left_out", left_out)]
    assert f"prediction_log_left_out_total {left_out}.0" in generate_latest(metrics.registry).decode()
    began, ended = [each.getMessage() for each in caplog.records]
    assert "93% full, 1.0 GB are free: from now on the prediction log keeps one row of 10" in began
    assert "keeps every row again" in ended


def test_a_limit_of_100_keeps_every_row(kept: Store) -> None:
    log = SampledLog(kept, Settings(disk_limit_percent=100), Metrics(), lambda: [FULL])
    assert log.write([prediction(each) for each in IDS[:20]]) == 20
    assert kept.retention.missing.totals() == []
