"""Vetting reads train.csv, live ground truths and the anchor before it decides, and shows a reviewer the reasons."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from common.named_rows import as_rows, indices_of
from common.problem import Ints, Problem, Rows, Table, Value
from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion
from common.table import read_table
from trust.vetting.anchor import Loaded, load_anchor, load_champion
from trust.vetting.nearness import nearest
from trust.vetting.rules import AnchorAnswer, Grounds, ask_anchor
from trust.vetting.vetting_map import Plane, map_details, plane_of

TRUTHS = 500  # live rows with ground truth, the newest
EVER = datetime(1970, 1, 1, tzinfo=UTC)
SHOWN = 5  # nearest rows that a reviewer sees


class Basis:
    """Reads each thing once, when it is needed for the first time.

    Raises:
        DataError: train.csv is missing or damaged.
        RegistryUnavailableError: MLflow does not answer; `RegistryError` if it answers with an error.
        ModelError: the anchor's file, or the champion's, is no model that the lab can ask.
        StoreError: the store does not answer.
    """

    def __init__(self, problem: Problem, settings: Settings, store: Store) -> None:
        """Read for `problem`."""
        self._problem = problem
        self._settings = settings
        self._store = store

    @cached_property
    def train(self) -> Table:
        """The rows of train.csv."""
        return read_table(self._settings.data_dir / "train.csv", self._problem, indices=True)

    @cached_property
    def grounds(self) -> Grounds:
        """The rows whose class is known."""
        return Grounds(self._problem, self.train, self._live)

    @cached_property
    def _live(self) -> Table:
        name, model, trusted = self._problem.name, self._problem.onnx_name, self._settings.has_keys
        found = self._store.evidence.live_truths(name, model, EVER, TRUTHS, trusted_only=trusted)
        # The problem may have had other features or classes.
        known = [each for each in found if self.has_columns(each.features)]
        table = Table(self.rows([each.features for each in known]), self.labels([each.truth for each in known]))
        return Table(table.X[table.y >= 0], table.y[table.y >= 0])

    @cached_property
    def anchor(self) -> Loaded | None:
        """The anchor and its bundle; None if no version is registered."""
        return load_anchor(self._problem, self._settings)

    @cached_property
    def _champion(self) -> Loaded | None:
        return load_champion(self._problem, self._settings)

    @cached_property
    def _plane(self) -> Plane:
        return plane_of(self._problem, self.grounds.space, self.train)

    def ask(self, X: Rows) -> AnchorAnswer:
        """Return what the anchor answers to rows `[rows, features]`."""
        return _ask(self.anchor, self._problem, X)

    def has_columns(self, features: Mapping[str, Value]) -> bool:
        """Return whether features by name have all features of the problem."""
        return set(self._problem.columns) <= set(features)

    def rows(self, features: Sequence[Mapping[str, Value]]) -> Rows:
        """Return rows `[rows, features]` of features by name."""
        return as_rows(self._problem, features)

    def labels(self, names: Sequence[str | None]) -> Ints:
        """Return class indices `[rows]`; -1 for a class that the problem does not have."""
        return indices_of(self._problem, names)

    def details(self, corrections: Sequence[Suggestion]) -> Mapping[str, Mapping[str, Any]]:
        """Return what a reviewer needs to see of corrections, as values that JSON has, by their ids.

        `answer` and `confidence` are the champion's, with its `champion_version`; `anchor` has the anchor's, and
        `anchor_version` names the map in which the correction is `at` a point. `nearest` has the nearest known rows.
        """
        if not corrections:
            return {}
        X = self.rows([each.features for each in corrections])
        number = self.anchor[0].number if self.anchor else 0
        self._keep_map(number)
        of_champion = self._answers(_ask(self._champion, self._problem, X))
        of_anchor = self._answers(self.ask(X))
        near = self._nearest(X)
        points = self._plane.place(X).tolist()
        champion = {"champion_version": self._champion[0].number if self._champion else None}
        return {
            each.id: answer | champion | {"anchor": anchor, "anchor_version": number, "nearest": rows, "at": point}
            for each, answer, anchor, rows, point in zip(corrections, of_champion, of_anchor, near, points, strict=True)
        }

    def _keep_map(self, anchor_version: int) -> None:
        vettings, name = self._store.trust.vettings, self._problem.name
        if vettings.map_of(name, anchor_version) is None:
            vettings.keep_map(name, anchor_version, map_details(self._problem, self._plane, self.train))

    def _answers(self, answer: AnchorAnswer) -> list[dict[str, Any]]:
        classes = self._problem.target.classes
        names = [classes[each] if each >= 0 else None for each in answer.labels.tolist()]
        if answer.probabilities is None:
            return [{"answer": name, "confidence": None} for name in names]
        most = answer.probabilities.max(axis=1).tolist()
        return [{"answer": name, "confidence": each} for name, each in zip(names, most, strict=True)]

    def _nearest(self, X: Rows) -> list[list[dict[str, Any]]]:
        grounds, columns = self.grounds, self._problem.columns
        found, distances = nearest(grounds.space.place(X), grounds.places, SHOWN)
        return [
            [
                {
                    "features": dict(zip(columns, grounds.known.X[place].tolist(), strict=True)),
                    "class_name": self._problem.target.classes[grounds.known.y[place]],
                    "distance": distance,
                }
                for place, distance in zip(places, apart, strict=True)
            ]
            for places, apart in zip(found.tolist(), distances.tolist(), strict=True)
        ]


def _ask(version: Loaded | None, problem: Problem, X: Rows) -> AnchorAnswer:
    if version is None:
        return AnchorAnswer(np.full(len(X), -1, dtype=np.int64))
    return ask_anchor(version[1], problem, X)
