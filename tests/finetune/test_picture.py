"""The picture of a verdict shows the limits against champion and anchor, in points, and the margin."""

import numpy as np

from finetune.picture import verdict_picture

AGAINST = {"gain": 3, "harm": 1, "unknown": 2, "n": 400, "low": -0.012, "high": 0.02}
DETAILS = {
    "against": {"champion": AGAINST, "anchor": AGAINST | {"low": -0.03}},
    "rules": {"margin": 0.02},
    "champion": 4,
    "anchor": 1,
}


def test_the_picture_has_both_intervals_and_the_margin() -> None:
    [axes] = verdict_picture(DETAILS).axes
    champion, anchor, _, margin = axes.get_lines()
    assert np.asarray(champion.get_xdata()).tolist() == [-1.2, 2.0]
    assert np.asarray(anchor.get_xdata()).tolist() == [-3.0, 2.0]
    assert np.asarray(margin.get_xdata()).tolist() == [-2.0, -2.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["champion 4", "anchor 1"]
    assert [text.get_text() for text in axes.texts] == ["gain 3, harm 1, unknown 2 of 400"] * 2
