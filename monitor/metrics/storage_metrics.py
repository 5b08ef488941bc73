"""Metrics of the disk and of the prediction log on it."""

from collections.abc import Iterator

from prometheus_client import Metric

from monitor.metrics.metric_families import counter, gauge
from monitor.storage import StorageFigures

DAY_SECONDS = 86_400


def storage_metrics(found: StorageFigures) -> Iterator[Metric]:
    """Return the metrics; the time that is left is absent if nobody knows it, or if retention keeps space free."""
    folders = [((str(each.folder),), each) for each in found.disks]
    used = "Share of a disk that is used, by the lab's folder on it."
    yield gauge("disk_used_ratio", used, ("folder",), ((labels, each.used) for labels, each in folders))
    free = "Bytes of that disk that are free."
    yield gauge("disk_free_bytes", free, ("folder",), ((labels, each.free) for labels, each in folders))
    left = "Seconds until the log fills its disk, if each day brings as many rows as yesterday; +Inf without rows."
    seconds = None if found.days_left is None else found.days_left * DAY_SECONDS
    yield gauge("disk_left_seconds", left, (), [((), seconds)])
    yield gauge("log_rows", "Rows of the prediction log.", (), [((), found.log.rows)])
    yield gauge("log_bytes", "Bytes that they take; SQLite: of the whole store.", (), [((), found.log.used)])
    oldest = (((problem,), at.timestamp()) for problem, at in found.oldest.items())
    yield gauge("log_oldest_timestamp_seconds", "Time of the oldest row.", ("problem",), oldest)
    missing = "Answers that are counted and whose rows are not in the log, by reason."
    yield counter("log_missing_rows", missing, ("problem", "reason"), found.missing.items())
