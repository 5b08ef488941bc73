"""KServe's inference client: `python kserve_client.py URL MODEL`, with rows as JSON on its standard input."""

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import InferResponse, RequestedOutput

OUTPUTS = ("label", "probabilities", "class_name")


async def main(url: str, model: str) -> None:
    """Ask in all the ways that the client knows, and print what it understands of the answers."""
    client, rows = InferenceRESTClient(RESTConfig(protocol="v2")), json.load(sys.stdin)
    found: dict[str, Any] = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model_ready": await client.is_model_ready(url, model),
        "unknown_ready": await client.is_model_ready(url, f"{model}x"),
    }
    for binary in (False, True):
        sent = InferInput("input", [len(rows), len(rows[0])], "FP32")
        sent.set_data_from_numpy(np.array(rows, np.float32), binary_data=binary)
        wanted = [RequestedOutput(name, {"binary_data": binary}) for name in OUTPUTS]
        request = InferRequest(model, [sent], request_id="42", request_outputs=wanted)
        found["binary" if binary else "json"] = understood(await client.infer(url, request, model_name=model))
    found["by_dict"] = understood(await client.infer(url, as_dict(rows), model_name=model))
    try:
        await client.infer(url, as_dict([rows[0][:-1]]), model_name=model)
    except httpx.HTTPStatusError as error:
        found["refused"] = f"{error}"
    await client.close()
    print(json.dumps(found))


def as_dict(rows: list[list[float]]) -> dict[str, Any]:
    """Return a request as those write it who do without the client's own types."""
    return {"inputs": [{"name": "input", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": rows}]}


def understood(response: InferResponse) -> dict[str, Any]:
    """Return what the client makes of an answer."""
    outputs = {output.name: output.as_numpy().tolist() for output in response.outputs}
    return {"id": response.id, "model_name": response.model_name, "outputs": outputs}


asyncio.run(main(*sys.argv[1:]))
