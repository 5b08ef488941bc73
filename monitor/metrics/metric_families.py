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
    return filled(GaugeMetricFamily(name, documentation, labels=labels), samples)


def filled(family: Family, samples: Iterable[Sample]) -> Family:
    """Add the samples that have a value, and return the family."""
    for labels, value in samples:
        if value is not None:
            family.add_metric(labels, value)
    return family
