"""The dashboard *API*: whether the service answers, how fast, and with which classes."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.frame import Section, frame
from grafana.limits import ERRORS, LATENCY_MS, LOG_LAG, OUTLIERS
from grafana.panels import BAD, GOOD, SHARE, WATCH, DashboardPanel, at_least, at_most, colored, lines, number, stacked
from grafana.queries import or_zero, per_second

# Without probes, which are many and nearly always succeed: they would hide failures of people's requests.
PEOPLE = 'handler!~"/(metrics|livez|readyz|health)"'
FAILED = per_second("http_requests_total", where=f'status="5xx", {PEOPLE}')
REFUSED = per_second("http_requests_total", where=f'status="4xx", {PEOPLE}')
ASKED = per_second("http_requests_total", where=PEOPLE)
PREDICTED = per_second("predicted_class_name_total")
OUTLIERS_NOW = 'max(window_outliers_ratio{problem="$problem"})'

PAGES = {"Monitor: overview": "/", "Monitor: predictions": "/tab/predictions"}


def dashboard() -> Dashboard:
    """Return the dashboard."""
    sections = (
        Section("Now", _now(), widths=(3, 3, 3, 3, 4, 4, 4), height=4),
        Section("Predictions", _predictions(), widths=(16, 8)),
        Section("Requests", _requests()),
        Section("Prediction log", _prediction_log()),
    )
    return frame("lab-api", "API", "Does the service answer, how fast, and with which classes?", sections, PAGES)


def _now() -> tuple[DashboardPanel, ...]:
    return (
        number("Processes", "suffix:up", {"processes": or_zero('sum(up{job="api", problem="$problem"})')}, at_least(1)),
        number(
            "Champion", "prefix:version ", {"version": 'max(served_model_version{problem="$problem", role="champion"})'}
        )
        .no_value("no model")
        .decimals(0),
        number("Requests", "reqps", {"requests": or_zero(ASKED)}),
        number("Failed requests", SHARE, {"failing": or_zero(f"{FAILED} / ({ASKED} > 0)")}, at_most(ERRORS)),
        number("Latency, p99", "s", {"99 % are faster": _percentile(0.99)}, at_most(LATENCY_MS / 1000)),
        number("Outliers now", SHARE, {"outliers": OUTLIERS_NOW}, at_most(OUTLIERS)).no_value("not enough recent rows"),
        number(
            "Alerts",
            "suffix:firing",
            {"firing": or_zero('count(ALERTS{alertstate="firing", problem=~"$problem|"})')},
            at_most(1),
        ),
    )


def _predictions() -> tuple[DashboardPanel, ...]:
    return (
        stacked(
            "Predicted classes",
            "suffix:rows/s",
            {"{{class_name}}": per_second("predicted_class_name_total", by="class_name")},
        ),
        lines(
            "Outliers",
            "percentunit",
            {
                "last 5 minutes": OUTLIERS_NOW,
                "at this time": f"{per_second('predicted_outliers_total')} / ({PREDICTED} > 0)",
            },
            at_most(OUTLIERS),
        ),
    )


def _requests() -> tuple[DashboardPanel, ...]:
    return (
        stacked(
            "Requests by route", "reqps", {"{{handler}}": per_second("http_requests_total", by="handler", where=PEOPLE)}
        ),
        lines(
            "Time to answer",
            "s",
            {f"{100 * share:.0f} % are faster": _percentile(share) for share in (0.5, 0.9, 0.99)},
            at_most(LATENCY_MS / 1000),
        ),
        colored(
            lines("Errors", "reqps", {"failed": or_zero(FAILED), "refused": or_zero(REFUSED)}),
            {"failed": BAD, "refused": WATCH},
        ),
    )


def _prediction_log() -> tuple[DashboardPanel, ...]:
    return (
        lines(
            "Delay of the log", "s", {"oldest": 'max(prediction_log_lag_seconds{problem="$problem"})'}, at_most(LOG_LAG)
        ),
        lines(
            "Rows waiting for the log",
            "suffix:rows",
            {"waiting": 'sum(prediction_log_waiting_rows{problem="$problem"})'},
        ),
        colored(
            lines(
                "Rows logged and lost",
                "suffix:rows/s",
                {"logged": per_second("prediction_log_rows_total"), "lost": per_second("prediction_log_dropped_total")},
            ),
            {"logged": GOOD, "lost": BAD},
        ),
    )


def _percentile(share: float) -> str:
    buckets = per_second("http_request_duration_highr_seconds_bucket", by="le")
    return f"histogram_quantile({share}, {buckets})"
