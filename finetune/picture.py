"""The verdict as a picture in MLflow: the better candidate against champion and anchor. This file can be deleted."""

from collections.abc import Mapping
from typing import Any

import mlflow
from matplotlib.figure import Figure

from common.judgement.gate import ANCHOR, CHAMPION


def log_picture(details: Mapping[str, Any]) -> None:
    """Log the picture of a judgement's details to the active MLflow run."""
    mlflow.log_figure(verdict_picture(details), "verdict.png")


def verdict_picture(details: Mapping[str, Any]) -> Figure:
    """Draw the limits of the difference of accuracy against champion and anchor, in points, and the margin.

    The figure belongs to no window, so nothing waits for somebody to close it.
    """
    figure = Figure(figsize=(6, 2.5), layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate((CHAMPION, ANCHOR)):
        against = details["against"][name]
        low, high = 100 * against["low"], 100 * against["high"]
        axes.plot([low, high], [place, place], linewidth=6, solid_capstyle="butt")
        counts = f"gain {against['gain']}, harm {against['harm']}, unknown {against['unknown']} of {against['n']}"
        axes.annotate(counts, ((low + high) / 2, place), (0, 8), textcoords="offset points", ha="center", fontsize=8)
    axes.axvline(0, color="grey", linewidth=1)
    axes.axvline(-100 * details["rules"]["margin"], color="black", linestyle="--", label="margin")
    axes.set_yticks((0, 1), (f"champion {details[CHAMPION]}", f"anchor {details[ANCHOR]}"))
    axes.set_ylim(-0.5, 1.7)
    axes.set_xlabel("difference of accuracy in points (95 % each side)")
    axes.legend(loc="lower right", fontsize=8)
    return figure
