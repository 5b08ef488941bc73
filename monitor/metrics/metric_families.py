"""Metric families of the Prometheus client, filled with samples."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

Sample = tuple[tuple[str, ...], float | None]
Family = TypeVar("Family", CounterMetricFamily, GaugeMetricFamily)


def by_problem(name: str, documentation: str, values: Mapping[str, float | None] | Mapping[str, int]) -> Metric:
    """Return a gauge with a sample for each problem."""
    return gauge(name, documentation, ("problem",), (((problem,), value) for problem, value in values.items()))


def gauge(name: str, documentation: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    """Return a gauge with samples by the values of its labels."""
    return _filled(GaugeMetricFamily(name, documentation, labels=labels), samples)


def counter(name: str, documentation: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    """Return a counter with samples by the values of its labels."""
    return _filled(CounterMetricFamily(name, documentation, labels=labels), samples)


def _filled(family: Family, samples: Iterable[Sample]) -> Family:
    for labels, value in samples:
        if value is not None:
            family.add_metric(labels, value)
    return family
