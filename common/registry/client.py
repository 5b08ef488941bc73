"""MLflow's model registry over its REST API, for the services: it reads versions, and moves aliases and tags.

It does without the `mlflow` package, whose import takes seconds and more memory than the rest of a service.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from common.lean_httpx import httpx
from common.settings import LogIns

CHAMPION = "champion"
CHALLENGER = "challenger"
# The last version that somebody vouched for: training, a person, or the gate on fresh ground truths. The gate judges
# against it, because many small steps down, each too small to see, would add up.
ANCHOR = "anchor"
# The tag of a version that fine-tuning made; its value is the gate's verdict.
VERDICT = "verdict"
API, FILE = "/api/2.0/mlflow", "/model-versions/get-artifact"
NOT_MLFLOW = "another program than MLflow answers"
LOG_IN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
# With log-ins, MLflow does not tell a model that is not there from one that a log-in may not read.
HINTS = {401: f": {LOG_IN}", 403: ": nothing is registered under this name yet, or this log-in may not read it"}
MAX_ANSWER = 16 * 2**20  # bytes of an answer that is not a file
ANSWER_SECONDS = 20.0
# The tag of a version that a service could not load; its value is the reason.
REFUSED = "serving_refused"
# Error codes, with status 404 or 400, for a model without versions and for an alias that is not set.
ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}


class RegistryUnavailableError(ConnectionError):
    """No MLflow answers at the configured address."""


class RegistryError(RuntimeError):
    """MLflow answers with an error, or another program answers."""


@dataclass(frozen=True)
class Version:
    """One registered version."""

    name: str
    number: int
    source: str
    tags: Mapping[str, str]

    @property
    def identity(self) -> tuple[int, str]:
        """Number and source. Versions with the same number on two servers have different sources."""
        return self.number, self.source


class Registry:
    """The registry of the MLflow server at `uri`; an asynchronous context manager.

    Attributes:
        check: is called with each downloaded file, its version and its name, and raises an error for one that must not
            be used.

    Raises:
        RegistryUnavailableError: each method raises it if the server cannot be reached.
        RegistryError: each method raises it if the server answers with an error.
    """

    def __init__(self, uri: str, file_mb: int = 256, file_seconds: float = 60.0) -> None:
        """Prepare the connection; the first request opens it.

        Args:
            uri: the server's address.
            file_mb: the largest model file to download, in MB.
            file_seconds: how long a download may take.
        """
        self.uri = uri
        self.check: Callable[[Version, str, bytes], None] = lambda *_: None
        self._file_bytes = file_mb * 2**20
        self._file_seconds = file_seconds
        # Without https, the client need not load certificates, which take 4 MB of memory.
        self._http = httpx.AsyncClient(
            base_url=uri,
            headers=LogIns().mlflow_headers(),
            timeout=httpx.Timeout(10.0, connect=5.0),
            verify=uri.startswith("https:"),
        )

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def serving_version(self, name: str) -> Version | None:
        """Return the version to serve: the alias `champion` if it is set, else the newest; None without versions."""
        return await self.aliased(name, CHAMPION) or next(iter(await self.versions(name, 1)), None)

    async def aliased(self, name: str, alias: str) -> Version | None:
        """Return the version under an alias; None if it is not set."""
        found = await self._ask(f"{API}/registered-models/alias", {"name": name, "alias": alias})
        return _version(found.get("model_version", {})) if found else None

    async def version(self, name: str, number: int) -> Version | None:
        """Return a version by its number; None if there is none."""
        found = await self._ask(f"{API}/model-versions/get", {"name": name, "version": str(number)})
        return _version(found.get("model_version", {})) if found else None

    async def versions(self, name: str, limit: int) -> list[Version]:
        """Return at most `limit` versions, newest first."""
        wanted = {"filter": f"name='{name}'", "order_by": "version_number DESC", "max_results": str(limit)}
        return [
            _version(each)
            for each in (await self._ask(f"{API}/model-versions/search", wanted)).get("model_versions", [])
        ]

    async def set_alias(self, name: str, alias: str, number: int | None) -> None:
        """Move an alias to a version; None removes the alias, which may be absent."""
        method, version = ("DELETE", {}) if number is None else ("POST", {"version": str(number)})
        await self._send(method, f"{API}/registered-models/alias", json={"name": name, "alias": alias, **version})

    async def download(self, version: Version, file: str = "model.onnx") -> bytes:
        """Return a file of a version. MLflow names the ONNX file model.onnx."""
        query = {"name": version.name, "version": str(version.number), "path": file}
        answer = await self._send("GET", FILE, self._file_bytes, self._file_seconds, params=query)
        await asyncio.to_thread(self.check, version, file, answer.content)
        return answer.content

    async def set_tag(self, version: Version, key: str, value: str | None) -> None:
        """Set a tag of a version; None removes the tag, which may be absent."""
        tag = {"name": version.name, "version": str(version.number), "key": key}
        if value is None:
            await self._send("DELETE", f"{API}/model-versions/delete-tag", json=tag)
        else:
            await self._send("POST", f"{API}/model-versions/set-tag", json={**tag, "value": value})

    async def _ask(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        try:
            return _object(await self._send("GET", path, params=dict(query)))
        except RegistryError as error:
            if error.args[1:] and error.args[1] in ABSENT:
                return {}
            raise

    async def _send(
        self, method: str, path: str, most: int | None = None, within: float = ANSWER_SECONDS, **content: Any
    ) -> httpx.Response:
        """Send a request and return the answer; stop reading at `most` bytes, and after `within` seconds."""
        most = most or MAX_ANSWER
        try:
            async with asyncio.timeout(within), self._http.stream(method, path, **content) as response:
                read = bytearray()
                async for part in response.aiter_bytes():
                    read += part
                    if len(read) > most:
                        raise RegistryError(f"MLflow's answer to {path} is larger than {most / 2**20:g} MB")
        except TimeoutError as error:
            raise RegistryUnavailableError(f"MLflow at {self.uri} did not answer {path} within {within:g} s") from error
        except httpx.HTTPError as error:
            raise RegistryUnavailableError(f"no MLflow at {self.uri}: {error!r}") from error
        whole = httpx.Response(response.status_code, content=bytes(read), request=response.request)
        if whole.is_success:
            return whole
        hint = HINTS.get(whole.status_code, "")
        raise RegistryError(f"MLflow at {self.uri} answered {whole.status_code} to {path}{hint}", _error_code(whole))


def check_mlflow(uri: str) -> None:
    """Check that an MLflow server answers; this takes at most 4 seconds.

    Raises:
        RegistryUnavailableError: no server answers; the message is one line that says what to do.
    """
    cause: Exception | None = None
    try:
        # MLflow answers /health even if it refuses other requests under this host name.
        asked = f"{uri}{API}/experiments/get"
        answer = httpx.get(asked, params={"experiment_id": "0"}, headers=LogIns().mlflow_headers(), timeout=2.0)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise RegistryUnavailableError(f"MLflow at {uri} needs a log-in: {LOG_IN}")
        if answer.is_success and "experiment" in _object(answer):
            return
        reason = NOT_MLFLOW if answer.is_success else f"status {answer.status_code}"
    except (httpx.HTTPError, RegistryError) as error:
        cause, reason = error, str(error)
    raise RegistryUnavailableError(
        f"no MLflow at {uri} ({reason}): start it with `make up`, or set MLFLOW_URI"
    ) from cause


def _version(found: Mapping[str, Any]) -> Version:
    try:
        tags = {tag["key"]: tag["value"] for tag in found.get("tags", [])}
        return Version(found["name"], int(found["version"]), found.get("source", ""), tags)
    except (KeyError, TypeError, ValueError) as error:
        raise RegistryError(NOT_MLFLOW) from error


def _object(response: httpx.Response) -> dict[str, Any]:
    with suppress(ValueError):
        if isinstance(answer := response.json(), dict):
            return answer
    raise RegistryError(NOT_MLFLOW)


def _error_code(response: httpx.Response) -> str:
    with suppress(RegistryError):
        return str(_object(response).get("error_code", ""))
    return ""
