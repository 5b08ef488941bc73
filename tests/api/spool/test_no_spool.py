"""An api without a spool (`SPOOL_MB=0`) acknowledges nothing that only its own disk would have."""

import httpx
import pytest

from common.settings import Settings
from common.store import Store
from scripts.parts import wait_for
from tests.api.inference.test_prediction_log import SETOSA_ROW, ask, counted, log_size, store_of
from tests.api.routes.test_bad_requests import check_problem
from tests.api.spool.test_spool import CORRECTION, damage, is_open, mend, use
from tests.api.spool.test_spooled_log import rename
from tests.conftest import running_api


@pytest.fixture
def lab(with_copy: Settings) -> Settings:
    return with_copy.model_copy(update={"spool_mb": 0})


def check_refused(api: httpx.Client, prediction_id: str) -> None:
    for path, body in (
        ("/feedback", {"prediction_id": prediction_id, "class_name": "Iris-setosa"}),
        ("/suggest", CORRECTION),
    ):
        answer = api.post(path, json=body)
        check_problem(answer, 503)
        assert "nothing was stored" in answer.json()["detail"]


def kept(lab: Settings) -> list[str]:
    return [path.name for path in (lab.state_dir / "spool").glob("*")]


def test_it_starts_without_its_store_predicts_and_refuses_truths_and_corrections_until_the_store_is_back(
    lab: Settings,
) -> None:
    Store(lab.database_url).close()
    good = damage(lab)
    with running_api(lab) as api:
        sent = [answer["prediction_id"] for _ in range(50) for answer in ask(api, SETOSA_ROW)]
        check_refused(api, sent[0])
        ready = api.get("/readyz").raise_for_status().json()
        assert ready["store"] == "away"
        assert "ground truths and corrections are refused" in ready["detail"]
        assert kept(lab) == []
        mend(lab, good)
        wait_for("the store", lambda: is_open(api))
        assert api.get("/readyz").json() == {"health": "ok"}
        more, _ = use(api)
        with store_of(lab) as store:
            # Rows of the log have waited in memory.
            wait_for("the log", lambda: log_size(store) == len(sent) + len(more))
        assert counted(api, "prediction_log_dropped_total") == 0


def test_rows_of_its_log_wait_in_memory_while_the_table_does_not_take_them(lab: Settings) -> None:
    with running_api(lab) as api, store_of(lab) as store:
        rename(store, "predictions", "away")
        sent = [answer["prediction_id"] for _ in range(50) for answer in ask(api, SETOSA_ROW)]
        assert counted(api, "prediction_log_waiting_rows") > 0
        assert kept(lab) == []
        rename(store, "away", "predictions")
        wait_for("the log", lambda: log_size(store) == len(sent))


def test_it_brings_in_what_an_api_with_a_spool_has_left(with_copy: Settings, lab: Settings) -> None:
    good = damage(with_copy)
    with running_api(with_copy) as api:
        ids, correction = use(api)
    assert kept(lab) != []
    with running_api(lab) as api:
        check_refused(api, ids[0])
        mend(lab, good)
        wait_for("the store", lambda: is_open(api))
        assert api.get(f"/suggest/{correction}").json()["state"] == "received"
        assert api.get(f"/predictions/{ids[0]}").json()[0]["truth"] == "Iris-setosa"
    assert kept(lab) == []
