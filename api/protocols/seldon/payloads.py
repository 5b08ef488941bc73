"""From bodies of Seldon's protocol to rows of features and to class names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from api.guards.array_limits import ArrayLimits
from api.protocols.seldon.bodies import SeldonTensor, TruthData
from api.schemas.requests import MAX_ROWS, STRICT, rows_type
from common.problem import Problem, Rows, Value

Place = tuple[str | int, ...]


class RowReader:
    """Reads the rows of one problem's requests."""

    def __init__(self, problem: Problem) -> None:
        """Take names, number and limits of the features from `problem`."""
        self._columns = problem.columns
        self._limits = ArrayLimits(problem)
        self._rows: TypeAdapter[Sequence[Sequence[Value]]] = TypeAdapter(rows_type(problem), config=STRICT)

    def rows(self, data: Any, *place: str) -> Rows | Sequence[Sequence[Value]]:
        """Return the rows of a body's `data`, whose place in the body is `place`: lists, or an array of a tensor.

        Raises:
            RequestValidationError: a tensor has another shape than `[rows, features]`, or an implausible value.
        """
        tensor: SeldonTensor | None = getattr(data, "tensor", None)
        if tensor is None:
            rows: Sequence[Sequence[Value]] = data.ndarray
            return rows
        within = (*place, "tensor")
        _check_size(tensor, within)
        match tensor.shape:
            case [int(count), width] if width == len(self._columns) and count <= MAX_ROWS:
                pass
            case shape:
                expected = f"[rows, {len(self._columns)}] with at most {MAX_ROWS} rows"
                raise invalid((*within, "shape"), f"{shape} is not {expected}")
        found = np.array(tensor.values, dtype=np.float64).reshape(tensor.shape)
        if not self._limits.hold(found):
            self._check(found, within)
        return found

    def _check(self, rows: Rows, place: Place) -> None:
        """Raise what `POST /predict` says of the first wrong value."""
        try:
            self._rows.validate_python(rows.tolist())
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[0]
            row, column = map(int, found["loc"])
            name = self._columns[column]
            at = (*place, f"values[{row * len(self._columns) + column}] ({name} of row {row})")
            raise invalid(at, found["msg"]) from error


def class_names(data: TruthData, rows: int, classes: Sequence[str]) -> list[str]:
    """Return the name of the class that each ground truth means.

    Args:
        data: the truths of the request, in any form of `TruthData`.
        rows: the number of rows that they are for.
        classes: the names of the model's classes, in order.

    Raises:
        RequestValidationError: there are more or fewer truths than rows, or a truth means no class.
    """
    place: Place = ("truth", "data", "ndarray" if data.tensor is None else "tensor")
    if (count := len(data.ndarray) if data.tensor is None else data.tensor.shape[0]) != rows:
        raise invalid(place, f"{count} truths for {rows} rows")
    truths: Sequence[Any] = data.ndarray
    if data.tensor is not None:
        _check_size(data.tensor, place)
        truths = np.array(data.tensor.values).reshape(data.tensor.shape).tolist()
    return [_class_name(truth, (*place, row), classes) for row, truth in enumerate(truths)]


def _class_name(truth: Any, place: Place, classes: Sequence[str]) -> str:
    match truth:
        case list() if _is_one_hot(truth, len(classes)):
            return classes[truth.index(1)]
        # A bool is an int for Python, but no index here.
        case [int() | float() | str() as only] | (int() | float() | str() as only) if not isinstance(only, bool):
            if isinstance(only, str):
                if only in classes:
                    return only
            elif only in range(len(classes)):
                return classes[int(only)]
    raise invalid(place, f"unknown class; known are {', '.join(classes)}, or 0 to {len(classes) - 1}")


def _is_one_hot(truth: Sequence[Any], classes: int) -> bool:
    if not 1 < len(truth) == classes or set(map(type, truth)) - {int, float}:
        return False
    return sorted(truth) == [0] * (classes - 1) + [1]


def _check_size(tensor: SeldonTensor, place: Place) -> None:
    if (size := int(np.prod(tensor.shape, dtype=object))) != len(tensor.values):
        raise invalid(place, f"the shape {tensor.shape} has {size} values, and {len(tensor.values)} are there")


def invalid(place: Place, message: str) -> RequestValidationError:
    """Return the error for a mistake at a place in the body."""
    return RequestValidationError([{"loc": ("body", *place), "msg": message}])
