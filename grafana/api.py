"""The dashboard *API*: whether the service answers, how fast, and with which classes."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.frame import Section, frame
from grafana.limits import ERRORS, LATENCY, LOG_LAG, OUTLIERS
from grafana.panels import BAD, GOOD, SHARE, WATCH, DashboardPanel, at_least, at_most, colored, lines, number, stacked
from grafana.queries import or_zero, per_second

# Without probes, which are many and nearly always succeed: they would hide failures of people's requests.
PEOPLE = 'handler!~"/(metrics|livez|readyz|health)"'
FAILED = per_second("http_requests_total", where=f'status="5xx", {PEOPLE}')
REFUSED = per_second("http_requests_total", where=f'status="4xx", {PEOPLE}')
ASKED = per_second("http_requests_total", where=PEOPLE)
PREDICTED = per_second("predicted_class_name_total")
OUTLIERS_NOW = 'max(window_outliers_ratio{problem="$problem"})'


def dashboard() -> Dashboard:
    """Return the dashboard."""
    sections = (
        Section("Now", _now(), widths=(3, 3, 3, 3, 4, 4, 4), height=4),
        Section("Predictions", _predictions(), widths=(16, 8)),
        Section("Requests", _requests()),
        Section("Prediction log", _prediction_log()),
    )
    return frame("lab-api", "API", "Does the service answer, how fast, and with which classes?", sections)


def _now() -> tuple[DashboardPanel, ...]:
    return (
        number(
            "Processes",
            "suffix:up",
            "The number of api processes that answer Prometheus. 1 or more is good. With 0 nobody gets a prediction: "
            "see ApiDown in docs/operations.md.",
            {"processes": or_zero('sum(up{job="api", problem="$problem"})')},
            at_least(1),
        ),
        number(
            "Champion",
            "prefix:version ",
            "The number of the version that answers; the newest one where processes differ. It should change within "
            "seconds after a registration; if not, see *Versions that could not be loaded* on the dashboard Loop.",
            {"version": 'max(served_model_version{problem="$problem", role="champion"})'},
        )
        .no_value("no model")
        .decimals(0),
        number(
            "Requests",
            "reqps",
            "Requests per second, without probes and scrapes. Compare the number with a usual day at this hour; look "
            "for the cause of a large difference.",
            {"requests": or_zero(ASKED)},
        ),
        number(
            "Failed requests",
            SHARE,
            f"The share of requests that the api failed to answer (5xx). 0 is good, up to {ERRORS:.0%} is tolerated. "
            "Above, read the api's log: see HighErrorRatio in docs/operations.md.",
            {"failing": or_zero(f"{FAILED} / ({ASKED} > 0)")},
            at_most(ERRORS),
        ),
        number(
            "Latency, p99",
            "s",
            f"99 % of the requests are faster than this time. Up to {LATENCY * 1000:.0f} ms is good. Above, look for "
            "large batches or a busy machine: see HighLatency in docs/operations.md.",
            {"99 % are faster": _percentile(0.99)},
            at_most(LATENCY),
        ),
        number(
            "Outliers now",
            SHARE,
            "The share of outliers, which are rows unlike the training data, among the newest predictions (five "
            f"minutes, at least 50 rows). Up to {OUTLIERS:.0%} is tolerated. Above, look at the features on the "
            "dashboard Model quality.",
            {"outliers": OUTLIERS_NOW},
            at_most(OUTLIERS),
        ).no_value("not enough recent rows"),
        number(
            "Alerts",
            "suffix:firing",
            "The number of firing alerts, of this problem and of the servers that all problems share. 0 is good. Each "
            "alert has its section in docs/operations.md.",
            {"firing": or_zero('count(ALERTS{alertstate="firing", problem=~"$problem|"})')},
            at_most(1),
        ),
    )


def _predictions() -> tuple[DashboardPanel, ...]:
    return (
        stacked(
            "Predicted classes",
            "suffix:rows/s",
            "Predictions per second, by predicted class. Steady shares are good. A class that grows or vanishes is a "
            "change of the data, or of the model if a new champion is marked at that time: look at the dashboard Model "
            "quality.",
            {"{{class_name}}": per_second("predicted_class_name_total", by="class_name")},
        ),
        lines(
            "Outliers",
            "percentunit",
            f"The share of predictions for outliers, which are rows unlike the training data. Up to {OUTLIERS:.0%} is "
            "tolerated. If it stays above, the model has not learnt such rows: send corrections for them, or train "
            "again with newer data.",
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
            "Requests by route",
            "reqps",
            "Requests per second, by route. No requests while people use the service mean that they cannot reach it: "
            "check the network and the proxy.",
            {"{{handler}}": per_second("http_requests_total", by="handler", where=PEOPLE)},
        ),
        lines(
            "Time to answer",
            "s",
            "50 %, 90 % and 99 % of the requests are faster than these lines. The line of 99 % below "
            f"{LATENCY * 1000:.0f} ms (dashed) is good. If all lines rise, the machine is busy. If only the highest "
            "line rises, large batches slow some requests.",
            {f"{100 * share:.0f} % are faster": _percentile(share) for share in (0.5, 0.9, 0.99)},
            at_most(LATENCY),
        ),
        colored(
            lines(
                "Errors",
                "reqps",
                "Requests per second that the api failed to answer (5xx) or refused because the request was wrong "
                "(4xx). 0 failed is good; otherwise read the api's log. Many refused requests after a release mean "
                "that it broke a client.",
                {"failed": or_zero(FAILED), "refused": or_zero(REFUSED)},
            ),
            {"failed": BAD, "refused": WATCH},
        ),
    )


def _prediction_log() -> tuple[DashboardPanel, ...]:
    return (
        lines(
            "Delay of the log",
            "s",
            "The age of the oldest prediction that is not yet in the store. A quarter of a second is normal. Above "
            f"{LOG_LAG:.0f} s the store is down or too slow: see PredictionLogLagging in docs/operations.md. Until the "
            "rows are written, feedback on the newest predictions waits.",
            {"oldest": 'max(prediction_log_lag_seconds{problem="$problem"})'},
            at_most(LOG_LAG),
        ),
        lines(
            "Rows waiting for the log",
            "suffix:rows",
            "The number of answered predictions that are not yet in the store, of all processes. It should return to 0 "
            "again and again. A process keeps at most 20 000 rows; further predictions are answered, but never "
            "counted.",
            {"waiting": 'sum(prediction_log_waiting_rows{problem="$problem"})'},
        ),
        colored(
            lines(
                "Rows logged and lost",
                "suffix:rows/s",
                "Predictions per second that the api wrote to the store, and that it lost. 0 lost is good; otherwise "
                "see PredictionLogDropping in docs/operations.md.",
                {
                    "logged": per_second("prediction_log_rows_total"),
                    "lost": per_second("prediction_log_dropped_total"),
                },
            ),
            {"logged": GOOD, "lost": BAD},
        ),
    )


def _percentile(share: float) -> str:
    buckets = per_second("http_request_duration_highr_seconds_bucket", by="le")
    return f"histogram_quantile({share}, {buckets})"
