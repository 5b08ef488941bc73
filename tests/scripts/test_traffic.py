"""Traffic: which rows are drawn, and what the api gets of them."""

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest
from pydantic import SecretStr

from common.problem import Floats, Problem, Table
from common.settings import PROJECT, Settings
from common.table import read_table
from scripts.parts import free_port, wait_for
from scripts.stack import process_environment
from scripts.traffic import IN_FLIGHT, LATE_SECONDS, _Screen, new_client, send
from scripts.traffic_rows import Row, RowSource, Traffic, TrafficError
from scripts.traffic_tally import TrafficTally
from tests.conftest import StartApi
from tests.programs import Ended, error_line, run_python
from tests.servers import QuietHandler, in_background

DRAWS = 4000
QUIET = Traffic(noise=0.0, outliers=0.0, labels=1.0, wrong_labels=0.0, seed=1)


@pytest.fixture(scope="session")
def data(prepared_data: Path, problem: Problem) -> Table:
    return read_table(prepared_data / "data.csv", problem, indices=False)


def draw(traffic: Traffic, problem: Problem, data: Table, count: int = DRAWS) -> list[Row]:
    rows = RowSource(traffic, problem, data)
    return [rows.at(number) for number in range(count)]


def matrix(rows: list[Row]) -> Floats:
    return np.array([list(row.features.values()) for row in rows])


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(problem: Problem, data: Table) -> None:
    first = draw(Traffic(seed=1), problem, data, 50)
    assert draw(Traffic(seed=1, seconds=3.0), problem, data, 50) == first
    assert draw(Traffic(seed=2), problem, data, 50) != first
    assert draw(Traffic(), problem, data, 50) != draw(Traffic(), problem, data, 50)


def test_a_row_does_not_depend_on_those_before(problem: Problem, data: Table) -> None:
    assert RowSource(Traffic(seed=1), problem, data).at(49) == draw(Traffic(seed=1), problem, data, 50)[49]


def test_without_noise_the_rows_are_those_of_the_data_with_their_classes(problem: Problem, data: Table) -> None:
    known = {(*x, problem.target.classes[y]) for x, y in zip(data.X.tolist(), data.y, strict=True)}
    drawn = {(*row.features.values(), row.label) for row in draw(QUIET, problem, data)}
    assert drawn == known


def test_noise_has_the_asked_share_of_each_deviation_and_few_digits(problem: Problem, data: Table) -> None:
    noisy = matrix(draw(Traffic(noise=0.5, outliers=0.0, seed=1), problem, data))
    added = noisy - matrix(draw(QUIET, problem, data))
    np.testing.assert_allclose(added.std(axis=0), 0.5 * data.X.std(axis=0), rtol=0.1)
    np.testing.assert_array_equal(noisy, noisy.round(3))


def test_every_value_is_plausible_with_any_noise(problem: Problem, data: Table) -> None:
    wild = Traffic(noise=50.0, outliers=0.2, drift=("petal_width", -5.0), seed=1)
    drawn = matrix(draw(wild, problem, data))
    assert (drawn.min(), drawn.max()) == (0.0, 30.0)


def test_labels_and_wrong_labels_and_outliers_come_at_their_rates(problem: Problem, data: Table) -> None:
    rows = draw(Traffic(labels=0.7, wrong_labels=0.1, outliers=0.2, seed=1), problem, data)
    told = [row for row in rows if row.label is not None]
    assert sum(row.is_outlier for row in rows) / DRAWS == pytest.approx(0.2, abs=0.03)
    assert len(told) / sum(not row.is_outlier for row in rows) == pytest.approx(0.7, abs=0.03)
    assert sum(row.is_wrong for row in told) / len(told) == pytest.approx(0.1, abs=0.03)


def test_a_wrong_label_is_any_class_but_the_right_one(problem: Problem, data: Table) -> None:
    true = draw(QUIET, problem, data)
    wrong = draw(Traffic(noise=0.0, outliers=0.0, labels=1.0, wrong_labels=1.0, seed=1), problem, data)
    pairs = Counter((right.label, told.label) for right, told in zip(true, wrong, strict=True))
    assert set(pairs) == {(a, b) for a in problem.target.classes for b in problem.target.classes if a != b}
    assert all(row.is_wrong for row in wrong)


def test_outliers_are_far_from_the_data_in_each_feature_on_both_sides_and_have_no_label(
    problem: Problem, data: Table
) -> None:
    rows = draw(Traffic(outliers=1.0, labels=1.0, seed=1), problem, data)
    margin = 2.99 * data.X.std(axis=0)  # rounded
    below, above = matrix(rows) < data.X.min(axis=0) - margin, matrix(rows) > data.X.max(axis=0) + margin
    assert (below | above).all()
    assert below[:, 0].any()
    assert above.any(axis=0).all()
    assert {row.label for row in rows} == {None}


def test_outliers_are_anywhere_in_a_range_that_the_data_fill(problem: Problem) -> None:
    filling = Table(np.vstack([np.zeros(4), np.full(4, 30.0)]), np.array([0, 1]))
    drawn = matrix(draw(Traffic(outliers=1.0, seed=1), problem, filling))
    np.testing.assert_allclose(np.percentile(drawn, (0, 50, 100), axis=0).T, [[0.0, 15.0, 30.0]] * 4, atol=1.0)


def test_drift_moves_the_named_feature_only_and_from_its_second_only(problem: Problem, data: Table) -> None:
    still = draw(Traffic(rate=10.0, seed=1), problem, data, 100)
    moved = draw(Traffic(rate=10.0, seed=1, drift=("petal_length", 2.0), drift_after=4.0), problem, data, 100)
    assert moved[:40] == still[:40]
    kept = [number for number in range(40, 100) if not still[number].is_outlier]
    added = matrix([moved[number] for number in kept]) - matrix([still[number] for number in kept])
    expected = [0.0, 0.0, 2.0 * data.X[:, 2].std(), 0.0]
    np.testing.assert_allclose(added, np.tile(expected, (len(kept), 1)), atol=0.011)
    assert [row.label for row in moved] == [row.label for row in still]


def test_drift_of_an_unknown_feature_names_the_known_ones(problem: Problem, data: Table) -> None:
    with pytest.raises(TrafficError, match="unknown feature 'petals'; known are sepal_length, sepal_width, petal_l"):
        RowSource(Traffic(drift=("petals", 1.0)), problem, data)


def test_a_class_comes_at_the_asked_share_with_its_own_rows_and_all_of_them(problem: Problem, data: Table) -> None:
    known = {(*x, problem.target.classes[y]) for x, y in zip(data.X.tolist(), data.y, strict=True)}
    virginica = {row for row in known if row[-1] == "Iris-virginica"}
    for share, expected in ((0.0, known - virginica), (0.2, known), (1.0, virginica)):
        rows = draw(replace(QUIET, share=("Iris-virginica", share)), problem, data)
        assert np.mean([row.label == "Iris-virginica" for row in rows]) == pytest.approx(share, abs=0.02)
        assert {(*row.features.values(), row.label) for row in rows} == expected


def test_a_share_changes_nothing_but_the_rows_that_are_drawn(problem: Problem, data: Table) -> None:
    plain, shared = (draw(Traffic(seed=1, share=share), problem, data, 200) for share in (None, ("Iris-setosa", 0.5)))
    assert [row.is_outlier for row in plain] == [row.is_outlier for row in shared]
    assert [row.features for row in plain if row.is_outlier] == [row.features for row in shared if row.is_outlier]


@pytest.mark.parametrize(
    ("share", "message"),
    [
        (("Iris-unknown", 0.5), "--share: unknown class 'Iris-unknown'; known are Iris-setosa"),
        (("Iris-versicolor", 0.5), "--share: the data have no rows of class Iris-versicolor"),
        (("Iris-setosa", 0.5), "--share: the data have only rows of class Iris-setosa"),
    ],
)
def test_a_share_that_the_data_cannot_give_is_refused(problem: Problem, share: tuple[str, float], message: str) -> None:
    setosa = Table(np.full((2, 4), 5.0), np.array([0, 0]))
    with pytest.raises(TrafficError, match=message):
        RowSource(Traffic(share=share), problem, setosa)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_of_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(TrafficError, match="share must be from 0 to 1"):
        Traffic(share=("Iris-setosa", share))


@pytest.mark.parametrize("option", ["rate", "seconds", "noise", "labels", "label_delay", "wrong_labels", "outliers"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_number_outside_its_range_is_refused(option: str, value: float) -> None:
    with pytest.raises(TrafficError, match=f"{option} must be from"):
        Traffic(**{option: value})  # type: ignore[arg-type]  # seed is none of them


def test_a_feature_that_never_varies_can_be_drawn(problem: Problem) -> None:
    constant = Table(np.full((2, 4), 5.0), np.array([0, 1]))
    assert {tuple(row.features.values()) for row in draw(QUIET, problem, constant, 20)} == {(5.0,) * 4}


def go(traffic: Traffic, problem: Problem, data: Table, client: httpx.AsyncClient) -> tuple[TrafficTally, list[float]]:
    """Send a traffic; return the tally, and the seconds that the progress has shown."""
    seen: list[float] = []

    async def all_of_it() -> TrafficTally:
        async with client:
            return await send(traffic, problem, data, client, lambda tally: seen.append(tally.seconds))

    return asyncio.run(all_of_it()), seen


def live_statistics(api: httpx.Client) -> dict[str, int]:
    """Return the predictions, outliers, labels and wrong answers that the store counts, over all versions."""
    versions = api.get("/models").raise_for_status().json()["versions"]
    return {name: sum(version[name] for version in versions) for name in ("predictions", "outliers", "labels")}


def test_predictions_and_labels_arrive_and_are_tallied(
    with_copy: Settings, start_api: StartApi, problem: Problem, data: Table
) -> None:
    traffic = Traffic(rate=50.0, seconds=2.0, labels=0.7, label_delay=0.1, wrong_labels=0.2, outliers=0.1, seed=3)
    rows = draw(traffic, problem, data, 100)
    with start_api(with_copy) as api:
        tally, seen = go(traffic, problem, data, new_client(str(api.base_url), with_copy))
        found = wait_for("the log", lambda: f if (f := live_statistics(api))["predictions"] == tally.sent else None)
    assert (tally.sent, tally.answered, tally.skipped, tally.failed) == (100, 100, 0, Counter())
    assert tally.labels == found["labels"] == sum(row.label is not None for row in rows)
    assert tally.wrong_labels == sum(row.is_wrong for row in rows) > 0
    assert tally.outliers == sum(row.is_outlier for row in rows) <= found["outliers"]
    assert len(tally.latencies) == 100
    assert seen == sorted(seen)
    assert seen[-1] == tally.seconds


def test_the_api_gets_true_labels_but_for_the_wrong_ones(
    with_copy: Settings, start_api: StartApi, problem: Problem, data: Table
) -> None:
    traffic = Traffic(rate=50.0, seconds=2.0, noise=0.0, labels=1.0, label_delay=0.0, wrong_labels=0.3, seed=3)
    expected = Counter(row.label for row in draw(traffic, problem, data, 100) if row.label)
    with start_api(with_copy) as api:
        go(traffic, problem, data, new_client(str(api.base_url), with_copy))
        (version,) = api.get("/models").raise_for_status().json()["versions"]
    assert dict(zip(problem.target.classes, map(sum, version["confusion"]), strict=True)) == expected


def test_labels_due_after_the_last_row_are_still_sent(
    lone_api: httpx.Client, offline: Settings, problem: Problem, data: Table
) -> None:
    traffic = Traffic(rate=20.0, seconds=0.2, labels=1.0, label_delay=0.7, outliers=0.0)
    tally, _ = go(traffic, problem, data, new_client(str(lone_api.base_url), offline))
    assert (tally.answered, tally.labels) == (4, 4)
    assert tally.seconds > 0.7


def test_with_the_key_labels_are_taken_and_without_it_the_tally_says_401(
    with_copy: Settings, start_api: StartApi, problem: Problem, data: Table
) -> None:
    closed = with_copy.model_copy(update={"api_key": SecretStr("secret")})
    traffic = Traffic(rate=20.0, seconds=0.2, labels=1.0, label_delay=0.0, outliers=0.0)
    with start_api(closed) as api:
        refused, _ = go(traffic, problem, data, new_client(str(api.base_url), with_copy))
        taken, _ = go(traffic, problem, data, new_client(str(api.base_url), closed))
    assert (refused.answered, refused.labels, refused.failed) == (4, 0, Counter({"/feedback 401": 4}))
    assert (taken.labels, taken.failed) == (4, Counter())


class Mute(ThreadingHTTPServer):
    """A server that lives, but answers no POST: it waits until `over` is set, and hangs up."""

    request_queue_size = 2 * IN_FLIGHT

    def __init__(self) -> None:
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), MuteHandler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class MuteHandler(QuietHandler, BaseHTTPRequestHandler):
    server: Mute

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        self.server.over.wait()


@pytest.fixture
def mute() -> Iterator[Mute]:
    with in_background(Mute()) as server:
        yield server
        server.over.set()


def test_rows_beyond_the_limit_of_a_slow_api_are_skipped(mute: Mute, problem: Problem, data: Table) -> None:
    client = httpx.AsyncClient(base_url=mute.url, timeout=3.0)
    tally, _ = go(Traffic(rate=100.0, seconds=1.0), problem, data, client)
    assert (tally.sent, tally.skipped, tally.answered) == (IN_FLIGHT, 100 - IN_FLIGHT, 0)
    assert tally.failed == Counter({"/predict no answer": IN_FLIGHT})


def test_rows_due_while_nothing_could_be_sent_are_skipped(
    lone_api: httpx.Client, offline: Settings, problem: Problem, data: Table
) -> None:
    def nap(tally: TrafficTally) -> None:
        if not tally.sent and not tally.skipped:
            time.sleep(LATE_SECONDS + 0.5)

    async def napping() -> TrafficTally:
        async with new_client(str(lone_api.base_url), offline) as client:
            return await send(Traffic(rate=20.0, seconds=2.0, labels=0.0), problem, data, client, nap)

    tally = asyncio.run(napping())
    assert tally.skipped >= 10
    assert tally.sent + tally.skipped == 40
    assert tally.answered == tally.sent > 0


def test_a_traffic_that_is_cut_short_has_shown_its_last_tally(
    lone_api: httpx.Client, offline: Settings, problem: Problem, data: Table
) -> None:
    seen: list[TrafficTally] = []

    async def cut() -> None:
        async with new_client(str(lone_api.base_url), offline) as client, asyncio.timeout(0.6):
            await send(Traffic(rate=50.0), problem, data, client, seen.append)

    with pytest.raises(TimeoutError):
        asyncio.run(cut())
    assert seen[-1].answered > 0
    assert seen[-1].seconds >= seen[-1].latencies[-1][0]


def command(settings: Settings, *arguments: str) -> Ended:
    return run_python("-m", "scripts.traffic", *arguments, environment=process_environment(settings))


def test_the_command_ends_by_itself_with_a_table_and_no_colours(lone_api: httpx.Client, offline: Settings) -> None:
    ended = command(
        offline, "--url", str(lone_api.base_url), "--seconds", "0.5", "--labels", "1", "--outliers", "0",
        "--label-delay", "0.1", "--drift", "petal_width=1", "--drift-after", "0.2", "--seed", "1",
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"requests +│ 10 ", ended.stdout)
    assert re.search(r"skipped +│ 0 ", ended.stdout)
    assert re.search(r"labels +│ 10, ", ended.stdout)
    assert re.search(r"failed +│ 0 ", ended.stdout)
    assert "\x1b" not in ended.stdout


def test_without_a_terminal_there_is_a_line_every_five_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    screen = _Screen()
    for second in (0.0, 4.9, 5.0, 5.2, 10.1):
        screen.show(TrafficTally(sent=9, answered=7, failed=Counter({"/predict 503": 2}), labels=3, seconds=second))
    expected = "s: 7 answers, 3 labels, 2 failed, 0 skipped\n"
    assert capsys.readouterr().out == f"5 {expected}10 {expected}"


def test_on_a_terminal_a_table_follows_the_tally(lone_api: httpx.Client, offline: Settings) -> None:
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.traffic", "--url", str(lone_api.base_url), "--seconds", "1", "--labels", "0"],
        cwd=PROJECT, env=process_environment(offline) | {"TERM": "xterm"}, stdout=slave, stderr=slave,
    ) as started:  # fmt: skip
        os.close(slave)
        output = b"".join(iter(lambda: read_some(master), b"")).decode()
    os.close(master)
    assert started.returncode == 0
    assert output.count("requests") > 2


def read_some(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that nobody has it open any more
        return b""


def test_ctrl_c_ends_it_early_with_the_table(with_copy: Settings, start_api: StartApi) -> None:
    with start_api(with_copy) as api, subprocess.Popen(
        [sys.executable, "-m", "scripts.traffic", "--url", str(api.base_url), "--label-delay", "600"],
        cwd=PROJECT, env=process_environment(with_copy), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as started:  # fmt: skip
        wait_for("predictions", lambda: live_statistics(api)["predictions"])
        started.send_signal(signal.SIGINT)
        output, errors = started.communicate(timeout=30)
    assert (started.returncode, errors) == (0, "")
    assert output.startswith("traffic: stopped early\n")
    assert re.search(r"requests +│ [1-9]", output)


def test_without_an_api_there_is_one_line_and_exit_code_1(offline: Settings) -> None:
    line = error_line(command(offline, "--url", f"http://127.0.0.1:{free_port()}"))
    assert re.fullmatch(r"traffic: no api answers at http://127.0.0.1:\d+: start it .*`make up`.*", line)


def test_an_api_that_answers_nothing_is_exit_code_1(mute: Mute, offline: Settings) -> None:
    mute.over.set()
    ended = command(offline, "--url", mute.url, "--seconds", "0.5")
    assert ended.returncode == 1
    assert re.search(r"/predict no answer: 10", ended.stdout)
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--drift", "petals=1"], "--drift: unknown feature 'petals'; known are sepal_length, sepal_width"),
        (["--rate", "0"], "rate must be from 0.001 to 10000"),
        (["--url", "http://127.0.0.1:http"], "Invalid port"),
        (["--url", "127.0.0.1:1"], "no api answers at"),
    ],
)
def test_invalid_arguments_are_an_error_of_one_line(offline: Settings, arguments: list[str], message: str) -> None:
    line = error_line(command(offline, *arguments))
    assert line.startswith("traffic: ")
    assert message in line


@pytest.mark.parametrize("drift", ["petal_width", "petal_width=far", "petal_width=nan"])
def test_a_drift_without_a_number_is_a_mistake_in_the_command(offline: Settings, drift: str) -> None:
    ended = command(offline, "--drift", drift)
    assert ended.returncode == 2
    assert "argument --drift: invalid" in ended.stderr


def test_missing_data_stop_with_one_line_that_says_make_data(offline: Settings) -> None:
    (offline.data_dir / "data.csv").unlink()
    assert re.fullmatch(r"traffic: .*data\.csv is missing: run `make data`.*", error_line(command(offline)))
