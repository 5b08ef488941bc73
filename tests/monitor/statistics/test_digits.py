"""Numbers in words."""

import pytest

from monitor.statistics.digits import edge_texts


@pytest.mark.parametrize(
    ("edges", "texts"),
    [
        ([], []),
        ([4.8123, 5.0349], ["4.81", "5.03"]),
        ([0.0123456, 45230.4], ["0.0123", "45,200"]),
        # Three digits would print the same edge twice.
        ([2.0311, 2.0322, 3.1], ["2.031", "2.032", "3.1"]),
        ([2024031500.0, 2024031501.0], ["2024031500", "2024031501"]),
    ],
)
def test_edges_have_three_digits_unless_neighbours_would_look_alike(edges: list[float], texts: list[str]) -> None:
    assert edge_texts(edges) == texts
