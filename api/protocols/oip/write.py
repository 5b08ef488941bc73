"""Responses of the Open Inference Protocol: from predictions to a body."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy.typing as npt
import orjson

from api.inference.prediction_batch import PredictionBatch
from api.inference.prediction_ids import ends
from api.protocols.oip.errors import OipRequestError
from api.protocols.oip.tensors import LENGTH_BYTES, NUMBERS, pack_text
from api.protocols.oip.types import (
    CLASS_NAME,
    DATATYPES,
    LABEL,
    PREDICTION_ID,
    PROBABILITIES,
    InferRequest,
    RequestOutput,
    output_names,
)
from common.bundle.model import OUTLIER_SCORE, OnnxModel

ID_LENGTH = 36  # of a UUID


class WantedOutput(NamedTuple):
    """An output that the client wants; `binary` if it is to follow the JSON in binary."""

    name: str
    binary: bool


def wanted_of(request: InferRequest, model: OnnxModel) -> list[WantedOutput]:
    """Return the outputs that a request wants; all outputs of the model, if it names none.

    Raises:
        OipRequestError: it names an output that the model does not have, or one twice, or wants a classification.
    """
    known = output_names(model)
    binary = bool(request.parameters and request.parameters.binary_data_output)
    if not request.outputs:
        return [WantedOutput(name, binary) for name in known]
    seen = set[str]()
    for index, output in enumerate(request.outputs):
        if output.name not in known:
            raise OipRequestError(f"outputs[{index}].name: {output.name!r} is none of {', '.join(known)}")
        # Without this check, a request of 200 kB for the same ids a thousand times would get a response of 400 MB.
        if output.name in seen:
            raise OipRequestError(f"outputs[{index}].name: {output.name!r} is there twice")
        seen.add(output.name)
        if output.parameters and output.parameters.classification:
            raise OipRequestError(
                f"outputs[{index}].parameters: this service has no classification; ask for the output {CLASS_NAME}"
            )
    return [WantedOutput(output.name, _is_binary(output, otherwise=binary)) for output in request.outputs]


def _is_binary(output: RequestOutput, *, otherwise: bool) -> bool:
    own = output.parameters.binary_data if output.parameters else None
    return otherwise if own is None else own


def encode(
    answered: PredictionBatch, wanted: Sequence[WantedOutput], request_id: str | None
) -> tuple[bytes, int | None]:
    """Return the body of a response, and the length of its JSON if binary outputs follow; else None."""
    outputs: list[dict[str, Any]] = []
    behind: list[bytes] = []
    for name, binary in wanted:
        array = _array(answered, name)
        shape = (len(answered),) if array is None else array.shape
        described: dict[str, Any] = {"name": name, "datatype": DATATYPES[name], "shape": shape}
        if binary:
            behind.append(array.tobytes() if array is not None else _texts_in_binary(answered, name))
            described["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            described["data"] = array.ravel() if array is not None else orjson.Fragment(_texts_in_json(answered, name))
        outputs.append(described)
    version = answered.served.version
    named = {"model_name": version.name, "model_version": str(version.number)}
    # A response to a request without an id has no id, rather than null: clients take null for another type.
    named |= {"id": request_id} if request_id is not None else {}
    head = orjson.dumps(named | {"outputs": outputs}, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"".join([head, *behind]), len(head) if behind else None


def _array(answered: PredictionBatch, name: str) -> npt.NDArray[Any] | None:
    """Return an output of numbers; None for an output of texts."""
    answer = answered.answer
    arrays = {LABEL: answer.labels, PROBABILITIES: answer.probabilities, OUTLIER_SCORE: answer.outlier_scores}
    array = arrays.get(name)
    return None if array is None else array.astype(NUMBERS[DATATYPES[name]], copy=False)


# The parts of texts that all rows share are made once. Made for each row, texts would take longer than all numbers.


def _texts_in_json(answered: PredictionBatch, name: str) -> bytes:
    if name == PREDICTION_ID:
        return _ids(answered, '["', '","', '"]')
    return b"[" + b",".join(_class_names(answered, orjson.dumps)) + b"]"


def _texts_in_binary(answered: PredictionBatch, name: str) -> bytes:
    if name == PREDICTION_ID:
        length = ID_LENGTH.to_bytes(LENGTH_BYTES, "little").decode()
        return _ids(answered, length, length, "")
    return b"".join(_class_names(answered, pack_text))


def _class_names(answered: PredictionBatch, encoded: Callable[[str], bytes]) -> Iterable[bytes]:
    names = [encoded(name) for name in answered.served.model.classes]
    return map(names.__getitem__, answered.labels)


def _ids(answered: PredictionBatch, first: str, between: str, last: str) -> bytes:
    """Return the ids with `first` before them, `between` each two, and `last` after them."""
    start = answered.start
    return f"{first}{start}{(between + start).join(ends(len(answered)))}{last}".encode()
