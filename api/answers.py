"""What a version has answered: made once per request, then shown to the client, logged, and shown to the challenger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from api.schemas import Prediction
from api.serving import Served
from common.onnx_io import Answer
from common.problem import Problem, Rows, Value
from common.store.predictions import PredictionRow
from common.store.tables import Role


@dataclass(frozen=True)
class Answered:
    """Rows that one version has answered together.

    Attributes:
        ids: one per row.
        at: the moment, in UTC.
        rows: the features, as the client gave them, in order.
        X: the same as an array `[rows, features]`, as the model took them.
    """

    ids: Sequence[UUID]
    at: datetime
    role: Role
    served: Served
    rows: Sequence[Sequence[Value]]
    X: Rows
    answer: Answer

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.ids)

    @cached_property
    def class_names(self) -> list[str]:
        """The predicted class of each row."""
        classes = self.served.model.classes
        return [classes[label] for label in self.answer.labels.tolist()]

    def predictions(self) -> list[Prediction]:
        """Return them as answers to a client."""
        classes, version = self.served.model.classes, self.served.version
        return [
            Prediction(
                class_name=class_name,
                probabilities=dict(zip(classes, shares, strict=True)) if shares is not None else None,
                prediction_id=prediction_id,
                model_name=version.name,
                model_version=version.number,
                is_outlier=is_outlier,
                outlier_score=score,
            )
            for prediction_id, class_name, shares, is_outlier, score in zip(*self._columns(), strict=True)
        ]

    def log_rows(self, problem: Problem) -> list[PredictionRow]:
        """Return them as rows of the log."""
        classes, version, columns = self.served.model.classes, self.served.version, problem.columns
        return [
            PredictionRow(
                id=str(prediction_id),
                role=self.role,
                problem=problem.name,
                model_name=version.name,
                model_version=version.number,
                predicted_at=self.at,
                features=dict(zip(columns, row, strict=True)),
                class_name=class_name,
                probabilities=dict(zip(classes, shares, strict=True)) if shares is not None else None,
                confidence=max(shares) if shares is not None else None,
                is_outlier=is_outlier,
                outlier_score=score,
            )
            for row, (prediction_id, class_name, shares, is_outlier, score) in zip(
                self.rows, zip(*self._columns(), strict=True), strict=True
            )
        ]

    def _columns(
        self,
    ) -> tuple[Sequence[UUID], list[str], Sequence[list[float] | None], Sequence[bool | None], Sequence[float | None]]:
        nothing = [None] * len(self)
        answer, flags = self.answer, self.served.model.is_outlier(self.answer)
        return (
            self.ids,
            self.class_names,
            answer.probabilities.tolist() if answer.probabilities is not None else nothing,
            flags.tolist() if flags is not None else nothing,
            answer.outlier_scores.tolist() if answer.outlier_scores is not None else nothing,
        )
