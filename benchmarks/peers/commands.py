"""The command that starts each peer with an ONNX file on a port, without access log and without telemetry."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.questions import MODEL
from benchmarks.peers.environment import python_of
from common.settings import PROJECT
from scripts.parts import free_port
from scripts.ports import HOST

SERVICES = "benchmarks.peers.services"
ENVIRONMENT = {
    "BENTOML_DO_NOT_TRACK": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONPATH": str(PROJECT),
    "UVICORN_ACCESS_LOG": "false",
}


@dataclass(frozen=True)
class PeerStart:
    """The arguments of a start: the peer's Python, a port, a folder for its files, and the ONNX file."""

    python: Path
    port: int
    folder: Path
    model: Path


def command_of(name: str, port: int, folder: Path, model: Path) -> tuple[Sequence[str], Mapping[str, str]]:
    """Return command and environment variables of a peer that serves the ONNX file; its files go into `folder`.

    Raises:
        PeerError: no peer has this name, or the peer cannot be installed.
    """
    python = python_of(name)
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        **ENVIRONMENT,
        "BENTOML_HOME": str(folder),
        "MODEL_FILE": str(model),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    }
    return [str(python), *COMMANDS[name](PeerStart(python, port, folder, model))], environment


def mlserver(start: PeerStart) -> Sequence[str]:
    """Serve by MLServer in one process: with parallel workers MLServer fails with its own version of uvloop."""
    settings = {
        "host": HOST, "http_port": start.port, "grpc_port": free_port(), "metrics_endpoint": None,
        "parallel_workers": 0, "debug": False,
    }  # fmt: skip
    model = {"name": MODEL, "implementation": f"{SERVICES}.mlserver_model.OnnxModel"}
    (start.folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (start.folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    return ["-m", "mlserver.cli.main", "start", str(start.folder)]


def kserve(start: PeerStart) -> Sequence[str]:
    """Serve by KServe's SDK, without its logging, which writes a line for each request."""
    quiet = ["--enable_grpc", "false", "--enable_latency_logging", "false", "--configure_logging", "false"]
    return ["-m", f"{SERVICES}.kserve_model", "--model_name", MODEL, "--http_port", str(start.port), *quiet]


def bentoml(start: PeerStart) -> Sequence[str]:
    """Serve by BentoML."""
    service = f"{SERVICES}.bentoml_service:OnnxModel"
    return ["-m", "bentoml", "serve", service, "--host", HOST, "--port", str(start.port)]


def litserve(start: PeerStart) -> Sequence[str]:
    """Serve by LitServe."""
    return ["-m", f"{SERVICES}.litserve_api", str(start.port)]


def mlflow(start: PeerStart) -> Sequence[str]:
    """Serve by `mlflow models serve`, from a model in MLflow's format."""
    import mlflow.onnx
    import onnx

    threads = {"intra_op_num_threads": 1, "inter_op_num_threads": 1}
    saved = start.folder / "model"
    mlflow.onnx.save_model(onnx.load(start.model), saved, pip_requirements=[], onnx_session_options=threads)
    local = ["--env-manager", "local", "--host", HOST, "--port", str(start.port)]
    return ["-m", "mlflow", "models", "serve", "--model-uri", str(saved), *local]


COMMANDS: Mapping[str, Callable[[PeerStart], Sequence[str]]] = {
    "mlserver": mlserver,
    "kserve": kserve,
    "bentoml": bentoml,
    "litserve": litserve,
    "mlflow": mlflow,
}
