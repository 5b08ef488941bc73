"""The pictures of docs/judgement.md, drawn by the functions that judge: `python -m scripts.judgement_pictures`."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from common.judgement.betting import ROLL_BACK_AT, e_worse
from common.judgement.intervals import tango
from common.settings import PROJECT

SEED = 20261128
MARGIN, ALPHA = 0.02, 0.05
FOLDER = PROJECT / "docs"


def evidence_picture(axes: Axes) -> None:
    """Draw how the lower limit rises with the number of rows, for a few rows that only the champion answers rightly."""
    axes.set(xlabel="rows of evidence", ylabel="worst difference of accuracy, in points (95 %)")
    rows = np.arange(10, 801, 5)
    for harm in range(4):
        limits = [100 * tango(0, harm, int(n), ALPHA) for n in rows]
        axes.plot(rows, limits, label=f"{harm} rows of harm")
    axes.axhline(-100 * MARGIN, color="black", linestyle="--", label="margin: 2 points")
    axes.axvline(30, color="grey", linestyle=":", label="the 30 rows of iris' test.csv")
    axes.set_ylim(-15, 0)
    axes.legend()


def drip_picture(axes: Axes) -> None:
    """Draw what many small steps down add up to, if each is compared with the champion only, and with the anchor."""
    axes.set(xlabel="versions, each 0.5 points worse than the one before", ylabel="accuracy lost, in points")
    step, rounds, rows = 0.005, 40, 500
    for name, colour in (("champion", "tab:red"), ("anchor", "tab:green")):
        lost, losses = 0.0, [0.0]
        for _ in range(rounds):
            compared = step if name == "champion" else lost + step
            if tango(0, round(compared * rows), rows, ALPHA) > -MARGIN:
                lost += step
            losses.append(-100 * lost)
        axes.step(range(rounds + 1), losses, where="post", color=colour, label=f"compared with the {name}")
    axes.legend()


def betting_picture(axes: Axes) -> None:
    """Draw the e-values of three new champions while ground truths come: equal, 5 points and 20 points worse."""
    axes.set(xlabel="ground truths since the promotion", ylabel="e-value that the new champion is worse")
    rng = np.random.default_rng(SEED)
    truths = 600
    kinds = (("as good", 0.02, 0.02), ("5 points worse", 0.01, 0.06), ("20 points worse", 0.01, 0.21))
    for name, win, loss in kinds:
        x = rng.choice([1, -1, 0], truths, p=[win, loss, 1 - win - loss])
        wins, losses = np.cumsum(x == 1), np.cumsum(x == -1)
        values = [e_worse(int(w), int(b), int(n - w - b)) for n, (w, b) in enumerate(zip(wins, losses, strict=True), 1)]
        axes.plot(range(1, truths + 1), np.clip(values, 1e-3, 1e5), label=name)
    axes.axhline(ROLL_BACK_AT, color="black", linestyle="--", label="roll back at 100")
    axes.set_yscale("log")
    axes.legend(loc="center right")


PICTURES = {"evidence": evidence_picture, "drip": drip_picture, "betting": betting_picture}


def draw(folder: Path) -> None:
    """Write the pictures as SVG files, the same at each call."""
    # Without a salt of its own, each file would get new random ids.
    with mpl.rc_context({"svg.hashsalt": "lab", "svg.fonttype": "none"}):
        for name, make in PICTURES.items():
            figure = Figure(figsize=(7, 4), layout="constrained")
            make(figure.subplots())
            figure.savefig(folder / f"judgement-{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    draw(FOLDER)
