"""The confusion matrix as a picture."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from common.problem import Ints


def log_picture(matrix: Ints, classes: Sequence[str]) -> None:
    """Log the picture of a confusion matrix to the active MLflow run."""
    import mlflow

    mlflow.log_figure(confusion_picture(matrix, classes), "confusion_matrix.png")


def confusion_picture(matrix: Ints, classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix `[classes, classes]`, true classes down, predicted ones across.

    The figure belongs to no window, so nothing waits for somebody to close it.
    """
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(matrix, cmap="Blues")
    axes.set_xticks(range(len(classes)), classes, rotation=20)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for row in range(len(classes)):
        for column in range(len(classes)):
            count = matrix[row, column]
            color = "white" if count > matrix.max() / 2 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=color)
    return figure
