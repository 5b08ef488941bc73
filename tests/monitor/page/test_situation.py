"""The overview's verdict and the next steps follow from plain numbers: no server, no store."""

from dataclasses import replace

import pytest

from common.evaluate import Estimate
from common.store.monitoring.alerts import Alert
from common.store.predictions import LoggedPrediction
from monitor.follow_registry import Unserved
from monitor.page.findings import Level
from monitor.page.next_steps import MOST_STEPS, next_steps
from monitor.page.situation import Situation, accuracy_verdict, outliers_verdict, status, worst_first
from tests.common.store.rows import NOON, prediction

TESTED = Estimate(0.97, 0.9, 0.99)
WELL = Situation(
    "iris",
    champion=3,
    predictions=900,
    outliers=9,
    labels=412,
    accuracy=Estimate(0.962, 0.931, 0.98),
    tested=TESTED,
    api="http://127.0.0.1:8000",
)
API = "http://127.0.0.1:8000"


def alert(kind: str, number: int = 1, subject: str = "") -> Alert:
    return Alert(number, "iris", kind, subject, "a message", NOON, NOON, None, None, 0, None)


def told(found: Situation) -> list[tuple[str, str]]:
    """Return the words of each step, and where it leads."""
    return [(step.words, step.url or step.command) for step in next_steps(found)]


def test_all_is_well_with_the_number_of_rows_and_the_interval() -> None:
    found = status(WELL)
    assert found.level == "good"
    assert found.text == (
        "All is well: version 3 is right in 96.2 % (93.1–98.0) of 412 ground truths, no worse than the 97.0 % of its "
        "test rows; no alert is open."
    )
    assert next_steps(WELL) == []


@pytest.mark.parametrize(
    ("labels", "accuracy", "tested", "level", "words"),
    [
        (412, Estimate(0.5, 0.4, 0.6), TESTED, "bad", "below the 97.0 % of its test rows"),
        (60, Estimate(0.88, 0.77, 0.94), TESTED, "watch", "lower than the 97.0 % of its test rows, perhaps by chance"),
        (412, Estimate(0.95, 0.9, 0.97), TESTED, "good", "no worse than the 97.0 % of its test rows"),
        (49, Estimate(0.1, 0.0, 0.2), TESTED, "unknown", "not enough data: 49 ground truths, and 50 are needed"),
        (1, Estimate(0.0, 0.0, 0.8), TESTED, "unknown", "not enough data: 1 ground truth, and 50 are needed"),
        (0, None, TESTED, "unknown", "not enough data: 0 ground truths, and 50 are needed"),
        (412, Estimate(0.5, 0.4, 0.6), None, "unknown", "not compared: its test results are not known"),
    ],
)
def test_an_accuracy_is_judged_by_the_test_rows_of_its_version(
    labels: int, accuracy: Estimate | None, tested: Estimate | None, level: Level, words: str
) -> None:
    found = replace(WELL, labels=labels, accuracy=accuracy, tested=tested)
    assert accuracy_verdict(found) == (level, words)
    assert status(found).level == level


@pytest.mark.parametrize(
    ("predictions", "outliers", "level"),
    [(100, 50, "watch"), (100, 22, "good"), (49, 49, "unknown"), (0, 0, "unknown")],
)
def test_outliers_are_judged_as_their_alert_judges_them(predictions: int, outliers: int, level: Level) -> None:
    assert outliers_verdict(replace(WELL, predictions=predictions, outliers=outliers))[0] == level


def test_the_worst_alert_decides_and_comes_first() -> None:
    alerts = worst_first([alert("drift", 1, "x"), alert("accuracy", 2, "day"), alert("outliers", 3)])
    assert [each.kind for each in alerts] == ["accuracy", "drift", "outliers"]
    found = status(replace(WELL, alerts=alerts))
    assert (found.level, found.text) == ("bad", "Something is wrong: 3 alerts are open.")
    assert status(replace(WELL, alerts=alerts[1:2])).text == "Look at this: 1 alert is open."


def test_a_refused_version_and_corrections_that_nobody_takes_are_something_to_look_at() -> None:
    found = status(replace(WELL, unsent=2, unserved=[Unserved(4, "refused: not a model")]))
    assert found.level == "watch"
    assert found.text == "Look at this: version 4 is refused; 2 corrections could not be handed to Prefect."


def test_before_the_first_row_the_steps_are_two_commands() -> None:
    empty = Situation("iris", has_history=False)
    assert (status(empty).level, told(empty)) == (
        "unknown",
        [
            ("No version serves yet. Train one:", "make train"),
            ("No traffic yet. Send rows and their ground truth for a minute:", "python -m scripts.traffic"),
        ],
    )
    assert len(next_steps(replace(empty, champion=1))) == 1


def test_each_thing_that_waits_for_a_person_is_a_step_with_its_place() -> None:
    busy = replace(WELL, wanted=7, wanted_version=4, quarantined=3, alerts=[alert("drift", 1, "petal_width")])
    assert told(busy) == [
        (
            "Label these 7 predictions: the ground truth decides whether version 4 is better",
            "/tab/corrections?problem=iris#wanted",
        ),
        (
            "Review 3 corrections in quarantine: nothing learns from them until you do",
            "/tab/corrections?problem=iris#quarantined",
        ),
        ("Look at what has changed: petal_width", "/tab/drift?problem=iris"),
    ]
    one = told(replace(WELL, wanted=1, wanted_version=4, quarantined=1))
    assert [words.partition(":")[0] for words, _ in one] == [
        "Label this prediction",
        "Review 1 correction in quarantine",
    ]


def test_a_newer_version_comes_with_the_command_that_promotes_it() -> None:
    newer = replace(
        WELL, unserved=[Unserved(7, "version 7 is newer than champion 3: to let it answer, move the alias")]
    )
    assert status(newer).level == "good"
    assert told(newer) == [
        ("Version 7 is newer than the champion. To let it answer:", f"curl -X POST {API}/models/7/promote")
    ]
    with_key = told(replace(newer, needs_key=True))[0][1]
    assert with_key == f'curl -X POST -H "X-API-Key: $API_KEY" {API}/models/7/promote'
    assert told(replace(newer, api=""))[0][0].startswith("Version 7 is newer than champion 3")


def test_with_too_few_ground_truths_a_command_sends_one_for_the_newest_row() -> None:
    row = prediction("0193") | {"class_name": "Fisher's"}
    few = replace(WELL, labels=49, unlabelled=LoggedPrediction(row, None, None, None))
    [(words, command)] = told(few)
    assert words.startswith("Send 1 more ground truth: then you know")
    body = '{"prediction_id": "0193", "class_name": "Fisher\\u0027s"}'
    assert command == f"curl -X POST -H 'Content-Type: application/json' -d '{body}' {API}/feedback"
    assert told(replace(few, api=""))[0][1] == "/tab/predictions?problem=iris&only=unlabelled"
    assert told(replace(few, predictions=0))[0][1] == "python -m scripts.traffic"


def test_there_are_never_more_steps_than_a_person_reads() -> None:
    failed = [alert("run_failed", number, f"job {number}") for number in range(9)]
    assert len(next_steps(replace(WELL, alerts=failed, wanted=1, quarantined=1))) == MOST_STEPS
