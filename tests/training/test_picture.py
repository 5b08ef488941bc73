"""The confusion matrix as a picture."""

import io

import numpy as np
from matplotlib import pyplot as plt

from training.picture import confusion_picture


def test_every_count_and_class_stands_in_the_picture() -> None:
    figure = confusion_picture(np.array([[10, 0], [3, 7]]), ["no", "yes"])
    [axes] = figure.axes
    assert {(text.get_position(), text.get_text()) for text in axes.texts} == {
        ((0, 0), "10"), ((1, 0), "0"), ((0, 1), "3"), ((1, 1), "7"),
    }  # fmt: skip
    assert [label.get_text() for label in axes.get_yticklabels()] == ["no", "yes"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["no", "yes"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")


def test_the_picture_belongs_to_no_window() -> None:
    figure = confusion_picture(np.eye(3, dtype=np.int64), ["a", "b", "c"])
    assert plt.get_fignums() == []
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    assert stream.getvalue().startswith(b"\x89PNG")


def test_a_matrix_without_counts_can_be_drawn() -> None:
    figure = confusion_picture(np.zeros((2, 2), dtype=np.int64), ["a", "b"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["0"] * 4
