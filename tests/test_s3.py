"""Days of the log and the artefacts of versions in an S3-compatible store, as `deploy/overlays/large` keeps them.

The server is moto's: it speaks S3's protocol over HTTP. A store of a cloud was not asked.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from common.exported_days import ExportError, read_days
from common.problem import Problem
from common.settings import Settings
from common.store import Store
from monitor.jobs import retention
from monitor.jobs.day_export import DayExport
from monitor.jobs.job_alerts import JobAlerts
from monitor.jobs.retention import RetentionJob
from scripts.parts import free_port, process, wait_for
from tests.common.store.rows import NOON, SETOSA, prediction
from tests.conftest import running_api, served_version
from tests.monitor.references import Clock
from tests.servers import s3_server
from training.search import train

DAY = timedelta(days=1)
LOG_IN = {"AWS_ACCESS_KEY_ID": "lab", "AWS_SECRET_ACCESS_KEY": "no secret", "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, s3_server(tmp_path_factory.mktemp("s3"), "lab") as address:
        for name, value in LOG_IN.items():
            patch.setenv(name, value)
        yield address


def folder(address: str, bucket: str = "lab") -> str:
    return f"s3://{bucket}/days?endpoint_override={httpx.URL(address).netloc.decode()}&scheme=http&region=us-east-1"


def exporting(store: Store, to: str) -> RetentionJob:
    """Return a job of the day after tomorrow that deletes rows of yesterday once they are in a folder."""
    url = store._database._engine.url.render_as_string(hide_password=False)
    settings = Settings(database_url=url, retain_predictions="1d", export_predictions=to)
    return RetentionJob(settings, store, DayExport(settings, store, JobAlerts(store)), Clock(NOON + 2 * DAY))


@pytest.fixture
def old(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with rows that are too old, one of them with a ground truth."""
    monkeypatch.setattr(retention, "SHARE_OF_TIME", 1.0)
    with closing(Store(sqlite_url)) as store:
        store.predictions.write([prediction(name, at=NOON - DAY) for name in ("a", "b", "c")])
        store.feedback.give("b", SETOSA)
        yield store


def test_days_go_to_the_bucket_before_their_rows_are_deleted_and_are_read_from_there(old: Store, s3: str) -> None:
    assert exporting(old, folder(s3)).run().deleted == 2
    assert not old.predictions.get("a")
    rows = [row for page in read_days(folder(s3), "iris", NOON - 2 * DAY, NOON) for row in page]
    assert [(row["id"], row["ground_truth"], row["predicted_at"]) for row in rows] == [
        ("a", None, NOON - DAY),
        ("b", SETOSA, NOON - DAY),
        ("c", None, NOON - DAY),
    ]
    listed = httpx.get(f"{s3}/lab?prefix=days/").text
    assert f"days/iris/{(NOON - DAY).date()}.parquet<" in listed
    assert ".part<" not in listed


@pytest.mark.parametrize("broken", ["there is no such bucket", "no server answers"])
def test_rows_stay_and_an_alert_says_why_while_the_bucket_cannot_be_written(old: Store, s3: str, broken: str) -> None:
    to = folder(s3, "elsewhere") if "bucket" in broken else folder(f"http://127.0.0.1:{free_port()}")
    assert exporting(old, to).run().deleted == 0
    [alert] = old.alerts.open("")
    assert alert.kind == "run_failed"
    assert f"could not be exported, and stay: export: {to} cannot be written: " in alert.message
    assert old.predictions.get("a")


def test_a_bucket_that_is_not_there_cannot_be_read(s3: str) -> None:
    with pytest.raises(ExportError, match=r"elsewhere/days.* has no days of iris"):
        list(read_days(folder(s3, "elsewhere"), "iris", NOON - DAY, NOON))


def test_an_api_serves_a_version_whose_artefacts_are_in_the_bucket(
    s3: str, offline: Settings, problem: Problem, tmp_path: Path
) -> None:
    port = free_port()
    lab = offline.model_copy(update={"mlflow_port": port, "mlflow_uri": f"http://127.0.0.1:{port}"})
    # The command of deploy/overlays/large, without its log-ins.
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/mlflow.db",
        "--artifacts-destination",
        "s3://lab/artifacts",
    ]
    more = {"MLFLOW_S3_ENDPOINT_URL": s3, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with process(command, tmp_path / "mlflow.log", {**os.environ, **more}):
        wait_for("MLflow", lambda: httpx.get(f"{lab.mlflow_uri}/health").is_success)
        train(replace(problem, candidates=lambda: problem.candidates()[-1:]), lab)
        assert ".onnx<" in httpx.get(f"{s3}/lab?prefix=artifacts/").text
        with running_api(lab) as client:
            assert wait_for("the version", lambda: served_version(client)) == 1
