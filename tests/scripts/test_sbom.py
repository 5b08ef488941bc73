"""The parts list of each image, and the question to a database of known faults, which a small server here plays."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from common.settings import PROJECT
from scripts import known_faults, pinned, sbom
from scripts.pinned import IMAGES, Pinned, PinnedError, read_pinned
from scripts.ports import HOST
from tests.test_containers import locked_packages

# The parts of CycloneDX 1.6 that the lists use (https://cyclonedx.org/docs/1.6/json/).
SERIAL = r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
KEYS = {"type", "bom-ref", "name", "version", "purl", "hashes", "licenses"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("sbom")
    assert sbom.main(["--folder", str(folder)]) == 0
    return {path.name.split(".")[0]: json.loads(path.read_text()) for path in folder.iterdir()}


def test_each_image_has_a_valid_list(written: dict[str, dict[str, Any]]) -> None:
    assert set(written) == set(IMAGES)
    for found in written.values():
        assert (found["bomFormat"], found["specVersion"], found["version"]) == ("CycloneDX", "1.6", 1)
        assert re.fullmatch(SERIAL, found["serialNumber"])
        refs = [each["bom-ref"] for each in found["components"]] + [found["metadata"]["component"]["bom-ref"]]
        assert len(set(refs)) == len(refs)
        assert {each["ref"] for each in found["dependencies"]} == set(refs)
        for each in found["components"]:
            assert set(each) <= KEYS
            assert each["type"] == "library"
            assert each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}"
            assert all(re.fullmatch("[0-9a-f]{64}", one["content"]) for one in each["hashes"])
            assert {one["alg"] for one in each["hashes"]} == {"SHA-256"}


@pytest.mark.parametrize("image", IMAGES)
def test_a_list_has_each_pinned_package_with_the_hashes_of_the_lock(
    written: dict[str, dict[str, Any]], image: str
) -> None:
    locked = {
        (name, each["version"]): {file["hash"].removeprefix("sha256:") for file in each["files"]}
        for name, versions in locked_packages().items()
        for each in versions
    }
    lines = (PROJECT / IMAGES[image]).read_text(encoding="utf-8")
    components = written[image]["components"]
    assert len(components) == len(re.findall(r"^[A-Za-z0-9]", lines, re.MULTILINE))
    for each in components:
        assert {one["content"] for one in each["hashes"]} == locked[each["name"], each["version"]]


def test_nearly_every_package_has_its_licence(written: dict[str, dict[str, Any]]) -> None:
    monitor = {each["name"]: each.get("licenses") for each in written["monitor"]["components"]}
    assert monitor["fastapi"] == [{"expression": "MIT"}]
    assert sum(1 for each in monitor.values() if each) >= 0.9 * len(monitor)
    assert {name for name, *_ in sbom.licences()} >= set(monitor)


def test_the_same_requirements_give_the_same_list_and_others_another_one() -> None:
    one, two = Pinned("a", "1", ("0" * 64,)), Pinned("a", "2", ("0" * 64,))
    assert sbom.document("api", [one]) == sbom.document("api", [one])
    assert sbom.document("api", [one])["serialNumber"] != sbom.document("api", [two])["serialNumber"]


@pytest.mark.parametrize("line", ["requests", "requests>=2", "requests==2.0", "git+https://example.org/x"])
def test_a_line_that_pins_nothing_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(pinned, "PROJECT", tmp_path)
    (tmp_path / "some.txt").write_text(f"# a comment\n{line}\n")
    with pytest.raises(PinnedError, match=re.escape(f"some.txt pins no version and hash in the line '{line}'")):
        read_pinned("some.txt")


@contextmanager
def database(answers: Any, seen: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the address of a server that answers each question by a function, or by these bytes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(question)
            body = answers if isinstance(answers, bytes) else json.dumps(answers(question)).encode()
            self.send_response(200 if self.path == "/v1/querybatch" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def faults_of_requests(question: dict[str, Any]) -> dict[str, Any]:
    """Answer as OSV does, with the second fault on a second page."""

    def result(query: dict[str, Any]) -> dict[str, Any]:
        if query["package"] != {"ecosystem": "PyPI", "name": "requests"}:
            return {}
        return {"vulns": [{"id": "B"}]} if "page_token" in query else {"vulns": [{"id": "A"}], "next_page_token": "2"}

    return {"results": [result(query) for query in question["queries"]]}


def test_known_faults_are_printed_and_are_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[dict[str, Any]] = []
    with database(faults_of_requests, seen) as address:
        assert known_faults.main(["--database", address]) == 1
    said = capsys.readouterr().out
    assert re.search(r"^requests \S+: A, B$", said, re.MULTILINE)
    asked = {(query["package"]["name"], query["version"]) for each in seen for query in each["queries"]}
    assert asked == {(each.name, each.version) for each in known_faults.pinned_everywhere()}
    assert f"{len(asked)} packages at {address}: 1 with known faults" in said


def test_without_known_faults_it_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    with database(lambda question: {"results": [{} for _ in question["queries"]]}, []) as address:
        assert known_faults.main(["--database", address]) == 0
    assert "0 with known faults" in capsys.readouterr().out


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b'{"results": []}', b"x" * (known_faults.MOST_BYTES + 1)])
def test_where_no_database_can_be_asked_it_says_so_and_is_no_failure(
    capsys: pytest.CaptureFixture[str], answer: bytes
) -> None:
    with database(answer, []) as address:
        assert known_faults.main(["--database", address]) == 0
    assert capsys.readouterr().out.startswith("no database can be reached, so nothing is known about faults of the ")


def test_a_database_that_cannot_be_reached_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert known_faults.main(["--database", f"http://{HOST}:9"]) == 0
    assert "no database can be reached" in capsys.readouterr().out


def test_pages_without_end_end() -> None:
    def forever(question: dict[str, Any]) -> dict[str, Any]:
        return {"results": [{"next_page_token": "again"} for _ in question["queries"]]}

    with (
        database(forever, []) as address,
        pytest.raises(known_faults.DatabaseError, match="more than 20 pages for one question"),
    ):
        known_faults.known_faults([Pinned("requests", "2.0")], address)
