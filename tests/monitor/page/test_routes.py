"""The page's routes, as programs and old browsers see them."""

import csv
import io
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.monitor.page.samples import Shown

HTML = {"Accept": "text/html,application/xhtml+xml"}


def today() -> datetime:
    return datetime.now(UTC)


def test_without_a_query_a_tab_shows_all_versions_of_the_last_30_days(client: httpx.Client, shown: Shown) -> None:
    before = today().date()
    data = client.get("/api/overview").raise_for_status().json()
    assert (data["tab"], data["title"], data["problem"], data["versions"]) == ("overview", "Overview", "iris", [])
    assert datetime.fromisoformat(data["until"]).date() in {before, today().date()}
    assert shown.asked[-1].until - shown.asked[-1].since == timedelta(days=29)
    assert today() - datetime.fromisoformat(data["updated_at"]) < timedelta(minutes=1)


def test_champion_and_challenger_are_named_for_every_selection(client: httpx.Client) -> None:
    served = client.get("/api/overview", params={"version": 1}).json()["served"]
    assert served == {"champion": 3, "challenger": 4}


def test_a_query_is_handed_to_the_tab(client: httpx.Client, shown: Shown) -> None:
    client.get(
        "/api/metrics?problem=iris&since=2026-11-01&until=2026-11-02&version=4&version=1&id=01&rule=outlier&page=3&correction=c&only=wrong&of_class=x&below=50"
    )
    selection = shown.asked[-1].model_dump(mode="json")
    assert selection == {
        "problem": "iris",
        "since": "2026-11-01",
        "until": "2026-11-02",
        "span": "",
        "begins": None,
        "ends": None,
        "versions": [1, 4],
        "id": "01",
        "rule": "outlier",
        "page": 3,
        "correction": "c",
        "filter": {"only": "wrong", "of_class": "x", "below": 50.0, "after": ""},
    }


def test_fields_that_a_form_left_empty_count_as_not_given(client: httpx.Client, shown: Shown) -> None:
    client.get("/?since=&until=&id=&problem=").raise_for_status()
    assert shown.asked[-1].until - shown.asked[-1].since == timedelta(days=29)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/nothing", 404, "overview, metrics"),
        ("/api/overview/none.csv", 404, "figures, volumes"),
        ("/api/overview?problem=mushrooms", 404, "mushrooms"),
        ("/api/overview?since=2026-11-02&until=2026-11-01", 422, "after the last one"),
        ("/api/overview?since=2026-11-02T10:00&until=2026-11-02T09:58", 422, "after the last one"),
        ("/api/overview?since=yesterday", 422, "since"),
        ("/api/overview?since=2026-11-02T25:00", 422, "since"),
        ("/api/overview?until=0001-01-01T00:00%2B05:00", 422, "until"),
        ("/api/overview?span=2h", 422, "span"),
        ("/timeline.json?span=2h", 422, "span"),
        ("/nothing.csv", 404, "timeline-accuracy, timeline, timeline-events"),
        ("/api/overview?until=9999-12-31", 422, "until"),
        ("/api/overview?version=two", 422, "version"),
    ],
)
def test_a_bad_request_is_answered_with_a_problem(client: httpx.Client, path: str, status: int, words: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert response.json()["status"] == status
    assert words in response.json()["detail"]


def test_a_bad_request_of_a_browser_is_answered_in_escaped_html(client: httpx.Client) -> None:
    response = client.get("/", params={"problem": "<script>alert(1)</script>"}, headers=HTML)
    assert response.status_code == 404
    assert "text/html" in response.headers["content-type"]
    assert "the problem &lt;script&gt;" in response.text.lower()
    assert 'data-live="false"' in response.text


def test_while_the_store_is_away_it_is_a_503_for_both(client: httpx.Client, shown: Shown) -> None:
    shown.fails = True
    problem = client.get("/api/overview")
    assert (problem.status_code, problem.headers["content-type"]) == (503, "application/problem+json")
    assert problem.json()["detail"] == "the monitor cannot read the store"
    page = client.get("/", headers=HTML)
    assert page.status_code == 503
    assert "The monitor cannot read the store" in page.text
    shown.fails = False
    assert client.get("/api/overview").is_success


def test_an_unknown_version_is_selected_and_one_of_another_problem_is_not(client: httpx.Client, shown: Shown) -> None:
    for asked, versions in (("version=99", [99]), ("version=2", []), ("version=3&version=2", [3])):
        assert client.get(f"/api/overview?{asked}").json()["versions"] == versions
        assert shown.asked[-1].versions == versions


def test_an_id_is_taken_without_the_spaces_around_it(client: httpx.Client, shown: Shown) -> None:
    client.get("/api/predictions", params={"id": " 0a1b\n"}).raise_for_status()
    assert shown.asked[-1].id == "0a1b"
    assert client.get("/api/predictions", params={"id": "a\x00"}).status_code == 422


def test_problems_are_listed_with_models_versions_and_days(client: httpx.Client) -> None:
    problems = client.get("/api/problems").raise_for_status().json()
    assert [(each["name"], [model["versions"] for model in each["models"]]) for each in problems] == [
        ("breast_cancer", [[2]]),
        ("iris", [[1, 3, 4]]),
    ]
    days = [datetime.fromisoformat(problems[1]["models"][0][day]) for day in ("first_day", "last_day")]
    assert days[1] - days[0] == timedelta(days=3)


def test_a_page_may_load_nothing_from_elsewhere_and_is_not_kept(client: httpx.Client) -> None:
    headers = client.get("/").headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_csv_has_all_columns_under_their_labels_and_all_digits(client: httpx.Client) -> None:
    response = client.get("/api/overview/figures.csv").raise_for_status()
    assert response.headers["content-disposition"] == 'attachment; filename="iris-overview-figures.csv"'
    header, first, *_ = csv.reader(io.StringIO(response.text))
    assert header == ["Figure", "Value", "Value low", "Value high", "Text"]
    assert first == ["Accuracy", "0.967", "0.937", "0.982", "of 412 labelled"]


def test_formulas_are_harmless_in_csv(client: httpx.Client) -> None:
    rows = list(csv.DictReader(io.StringIO(client.get("/api/predictions/rows.csv?id=@x").text)))
    assert rows[0]["Remark"] == "'=1+1"
    assert rows[0]["Id"].startswith("'@x-0000")
    assert rows[0]["Score"] == "-0.25"
    assert rows[0]["Run"] == "run 0 http://127.0.0.1:5000/#/runs/0"


def test_only_the_routes_of_the_json_are_described(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    assert described["paths"].keys() == {
        "/api/problems",
        "/api/{tab}",
        "/api/{tab}/{panel}.csv",
        "/timeline.json",
        "/{panel}.csv",
    }
    answer = described["paths"]["/api/{tab}"]["get"]["responses"]["200"]["content"]["application/json"]
    assert answer == {"schema": {"$ref": "#/components/schemas/TabData"}}
    names = {each["name"] for each in described["paths"]["/api/{tab}"]["get"]["parameters"]}
    assert names == {
        "tab",
        "problem",
        "span",
        "since",
        "until",
        "version",
        "id",
        "rule",
        "page",
        "correction",
        "only",
        "of_class",
        "below",
        "after",
    }


def test_scripts_and_styles_are_revalidated(client: httpx.Client) -> None:
    response = client.get("/static/monitor.js").raise_for_status()
    assert response.headers["cache-control"] == "no-cache"
    again = client.get("/static/monitor.js", headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")
