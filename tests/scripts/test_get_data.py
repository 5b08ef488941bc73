"""The command that writes the raw data."""

import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from common.files import md5
from common.settings import PROJECT
from common.table import read_table, table_bytes
from problems import iris, travel_insurance
from scripts import get_data
from tests.programs import run_python


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the command writes to."""
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PROBLEM", "iris")
    return tmp_path / "home"


@pytest.fixture
def data(home: Path) -> Path:
    return home / "data" / "iris" / "data.csv"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["get_data", *arguments])
    get_data.main()


def uci_file(folder: Path) -> Path:
    """Write the file as UCI publishes it, with the two wrong rows and a blank line at the end."""
    lines = table_bytes(iris.PROBLEM.load(None), iris.PROBLEM.target.classes).decode().splitlines()
    lines[34] = lines[37] = "4.9,3.1,1.5,0.1,Iris-setosa"
    path = folder / "iris.data"
    path.write_text("\n".join([*lines, "", ""]), encoding="utf-8")
    return path


def test_the_command_runs_as_a_module_and_its_file_has_the_recorded_hash(data: Path) -> None:
    ended = run_python("-m", "scripts.get_data")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{data}: written\n", "")
    recorded = YAML(typ="safe").load(PROJECT / "data" / "iris" / "data.csv.dvc")["outs"][0]
    assert md5(data) == recorded["md5"]


def test_a_second_run_leaves_the_file_alone(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch)
    written = data.stat().st_mtime_ns
    run(monkeypatch, "iris")
    assert data.stat().st_mtime_ns == written
    assert capsys.readouterr().out == f"{data}: written\n{data}: already there\n"


def test_a_uci_file_is_taken_and_corrected(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch)
    own_copy = data.read_bytes()
    data.unlink()
    run(monkeypatch, "--from", str(uci_file(tmp_path)))
    assert data.read_bytes() == own_copy
    assert capsys.readouterr().out == f"{data}: written\n" * 2


@pytest.mark.parametrize("source", [False, True], ids=["own source", "a file"])
def test_other_data_are_kept_unless_forced(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, source: bool
) -> None:
    arguments = ["--from", str(uci_file(tmp_path))] if source else []
    run(monkeypatch)
    written = data.read_bytes()
    own = written + b"5.0,3.0,1.5,0.2,Iris-setosa\n"
    data.write_bytes(own)
    run(monkeypatch, *arguments)
    assert data.read_bytes() == own
    assert "kept" in capsys.readouterr().out.splitlines()[-1]
    run(monkeypatch, *arguments, "--force")
    assert data.read_bytes() == written


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"5.1,3.5,1.4,Iris-setosa\n", "row 1, column class: missing"),
        (b"5.1,3.5,1.4,0.2,setosa\n", "row 1, column class: unknown label 'setosa'"),
        (b"", "the file is empty"),
        (None, "is missing"),
    ],
)
def test_a_bad_file_stops_with_one_line_and_changes_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, message: str
) -> None:
    run(monkeypatch)
    before = data.read_bytes()
    source = tmp_path / "mine.data"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "--from", str(source))
    assert str(stopped.value).startswith(f"get_data: {source}")
    assert message in str(stopped.value)
    assert len(str(stopped.value).splitlines()) == 1
    assert data.read_bytes() == before


def test_an_unknown_problem_stops_with_one_line_and_makes_no_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match="get_data: unknown problem 'no_such'"):
        run(monkeypatch, "no_such")
    assert not home.exists()


@pytest.mark.parametrize(("share", "claims"), [("Yes=0.2", 0.2), ("No=0.985", 0.015)])
def test_synthetic_claims_have_the_asked_share(
    home: Path, monkeypatch: pytest.MonkeyPatch, share: str, claims: float
) -> None:
    run(monkeypatch, "travel_insurance", "--share", share)
    table = read_table(home / "data" / "travel_insurance" / "data.csv", travel_insurance.PROBLEM, indices=False)
    assert len(table.y) == travel_insurance.ROWS
    assert table.y.mean() == pytest.approx(claims, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("iris", "--share", "Iris-setosa=0.2"), "problem iris makes no synthetic rows"),
        (("travel_insurance", "--share", "Maybe=0.2"), "unknown class 'Maybe'; known are No, Yes"),
        (("travel_insurance", "--share", "Yes=1.2"), "1.2 is no share between 0 and 1"),
    ],
)
def test_a_share_that_cannot_be_made_stops_with_one_line_and_writes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit, match=f"^get_data: .*{message}"):
        run(monkeypatch, *arguments)
    assert not home.exists()
