"""The words of docs/first-hour.md: a few sentences for each scene, with the facts of the run, and its pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.pictures import SIZES, variants

FOLDER = "film"  # of the pictures, beside the page
PHONE_SHOWN = 220  # pixels of the page that the picture of a phone takes


@dataclass(frozen=True)
class Scene:
    """A scene: the name of its picture, the path of the page that it shows, and the words about it.

    `text` and `alt` may name facts of the run in braces.
    """

    name: str
    path: str
    title: str
    text: str
    alt: str


SCENES = (
    Scene(
        "fresh",
        "/",
        "Fresh",
        "`make up` has just started everything. No model exists, so nothing can answer, and the page says which "
        "command makes one.",
        "The overview of a lab without a model and without predictions.",
    ),
    Scene(
        "training",
        "/",
        "Training",
        "`make train` has fitted {candidates} candidates and registered the best one as version 1. The api took it up "
        "without a restart. Nobody has asked it yet, so the page says how to send traffic.",
        "The overview of a lab whose version has not answered anything yet.",
    ),
    Scene(
        "traffic",
        "/",
        "Traffic",
        "Clients have sent {traffic_rows} flowers, and later the true species of each one. With "
        "{traffic_truths} ground truths the accuracy is {traffic_accuracy}: the numbers in parentheses are its 95 % "
        "interval. Nobody has to do anything.",
        "The overview with {traffic_rows} predictions and their accuracy.",
    ),
    Scene(
        "drift",
        "/tab/drift",
        "Drift",
        "Somebody measures petals 25 % too long from now on. The monitor compares the newest rows with the training "
        "rows, and their answers with the ground truth. Its alert says: “{alert}”.",
        "The tab Drift while petals are measured too long.",
    ),
    Scene(
        "corrections",
        "/tab/corrections",
        "Corrections",
        "People have sent {corrections} corrections: answers that were wrong, and some that were right. "
        "{learnt} of them have been learnt, and {quarantined} wait in quarantine. The result is version {version}.",
        "The tab Corrections: what people sent, and what became of it.",
    ),
    Scene(
        "verdict",
        "/tab/comparison",
        "Verdict",
        "The gate had compared the new version with the one before, and said “{verdict}: {reason}”. So version "
        "{version} serves, and version 1 goes on answering the same rows in its shadow. Since then, version {version} "
        "alone was right on {only_new_right} rows, and version 1 alone on {only_old_right}. The accuracy of "
        "version {version} on its first {new_truths} ground truths is {new_accuracy}.",
        "The tab Champion and challenger: version {version} beside version 1.",
    ),
    Scene(
        "rolled-back",
        "/",
        "Roll-back",
        "Somebody has repaired the ruler, and petals are measured rightly again. Now the older version is right where "
        "the newer one is wrong, and each ground truth says so. At an e-value of 100, the judge takes version "
        "{version} back by itself: {because}. Version 1 serves again, and the "
        "corrections wait for a person in quarantine.",
        "The overview after the roll-back: version 1 serves again.",
    ),
)
HEAD = """\
# The first hour, as a film

Somebody starts the lab, trains, sends traffic, meets a changed world, corrects it, and sees a version taken back. Each
picture shows the monitor's page at one moment of a single run on real servers. `python -m scripts.film` plays that run
again in a few minutes, takes the pictures, and writes this page with the numbers of the run.
"""


def page(facts: Mapping[str, object]) -> str:
    """Return the page in Markdown, with the facts of a run."""
    parts = [HEAD]
    for number, scene in enumerate(SCENES, start=1):
        alt = scene.alt.format(**facts)
        wide, phone = (_shown(scene.name, width, alt) for width, _ in SIZES)
        parts.append(f"## {number}. {scene.title}\n\n{scene.text.format(**facts)}\n\n{wide}\n\n{phone}\n")
    return "\n".join(parts)


def _shown(name: str, width: int, alt: str) -> str:
    """Return a picture of one width, dark for readers whose browser is dark."""
    light, dark = (each for each in variants(name) if each.width == width)
    shown = f' width="{PHONE_SHOWN}"' if width == min(each for each, _ in SIZES) else ""
    which = f"{alt[:-1]}, on a phone." if shown else alt
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{FOLDER}/{dark.file}">'
        f'<img src="{FOLDER}/{light.file}" alt="{which}"{shown}></picture>'
    )
