"""Requests built from MLServer's types: `python mlserver_types.py URL MODEL`, with tensors as JSON on standard input.

The tensors are by name: texts as a list, numbers in rows.
"""

import json
import sys
import urllib.request
from typing import Any

import numpy as np
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse, MetadataModelResponse, RequestInput, RequestOutput


def main(url: str, model: str) -> None:
    """Ask, and print what MLServer's codecs understand of the answer."""
    base, tensors = f"{url}/v2/models/{model}", json.load(sys.stdin)
    with urllib.request.urlopen(base) as response:  # noqa: S310  # the api of the test
        described = MetadataModelResponse.model_validate_json(response.read())
    inputs = [encoded(name, data) for name, data in tensors.items()]
    outputs = [RequestOutput(name="class_name"), RequestOutput(name="label"), RequestOutput(name="outlier_score")]
    answer = infer(base, InferenceRequest(id="42", inputs=inputs, outputs=outputs))
    found: dict[str, Any] = {
        "inputs": [tensor.name for tensor in described.inputs or []],
        "version": answer.model_version,
        "id": answer.id,
        "class_names": StringCodec.decode_output(answer.outputs[0]),
        "labels": NumpyCodec.decode_output(answer.outputs[1]).tolist(),
        "scores": NumpyCodec.decode_output(answer.outputs[2]).tolist(),
        "of_all": [output.name for output in infer(base, InferenceRequest(inputs=inputs)).outputs],
    }
    print(json.dumps(found))


def encoded(name: str, data: list[Any]) -> RequestInput:
    """Return a tensor as MLServer's codecs encode it."""
    if isinstance(data[0], str):
        return StringCodec.encode_input(name, data, use_bytes=False)
    return NumpyCodec.encode_input(name, np.array(data, np.float32))


def infer(base: str, request: InferenceRequest) -> InferenceResponse:
    """Send a request with all that its type has, null where nothing is said."""
    content = json.dumps({name: request.model_dump().get(name) for name in InferenceRequest.model_fields}).encode()
    asked = urllib.request.Request(f"{base}/infer", content, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(asked) as response:  # noqa: S310
        return InferenceResponse.model_validate_json(response.read())


main(*sys.argv[1:])
