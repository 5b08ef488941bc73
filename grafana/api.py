"""The dashboard *API*: whether the service answers, how fast, and with which classes."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.frame import Section, frame
from grafana.limits import ERRORS, LATENCY, LOG_LAG, OUTLIERS
from grafana.panels import BAD, GOOD, WATCH, About, DashboardPanel, at_least, at_most, fixed, lines, number, stacked
from grafana.queries import PromQuery, or_zero, per_second

# Without probes, which are many and nearly always succeed: they would hide failures of people's requests.
PEOPLE = 'handler!~"/(metrics|livez|readyz|health)"'
FAILED = per_second("http_requests_total", where=f'status="5xx", {PEOPLE}')
REFUSED = per_second("http_requests_total", where=f'status="4xx", {PEOPLE}')
ASKED = per_second("http_requests_total", where=PEOPLE)
PREDICTED = per_second("predicted_class_name_total")


def dashboard() -> Dashboard:
    """Return the dashboard."""
    sections = (
        Section("Now", (_processes(), _version(), _requests(), _failing(), _slowest(), _outliers_now(), _firing())),
        Section("Predictions", (_classes(), _outliers())),
        Section("Requests", (_routes(), _latency(), _errors())),
        Section("Prediction log", (_log_lag(), _log_waiting(), _log_rows())),
    )
    return frame("lab-api", "API", "Does the service answer, how fast, and with which classes?", sections)


def _processes() -> DashboardPanel:
    about = About(
        "Processes",
        "suffix:up",
        "The number of api processes that answer Prometheus. 1 or more is good. With 0 nobody gets a prediction: see "
        "ApiDown in docs/operations.md.",
        width=3,
        height=4,
        limits=at_least(1),
    )
    return number(about, PromQuery(or_zero('sum(up{job="api", problem="$problem"})'), "processes", now=True))


def _version() -> DashboardPanel:
    about = About(
        "Champion",
        "prefix:version ",
        "The number of the version that answers; the newest one where processes differ. It should change within "
        "seconds after a registration; if not, see *Versions that could not be loaded* on the dashboard Loop.",
        width=3,
        height=4,
        decimals=0,
        empty="no model",
    )
    return number(
        about, PromQuery('max(served_model_version{problem="$problem", role="champion"})', "version", now=True)
    )


def _requests() -> DashboardPanel:
    about = About(
        "Requests",
        "reqps",
        "Requests per second, without probes and scrapes. Compare the number with a usual day at this hour; look for "
        "the cause of a large difference.",
        width=3,
        height=4,
    )
    return number(about, PromQuery(or_zero(ASKED), "requests", now=True))


def _failing() -> DashboardPanel:
    about = About(
        "Failed requests",
        "percentunit",
        f"The share of requests that the api failed to answer (5xx). 0 is good, up to {ERRORS:.0%} is tolerated. "
        "Above, read the api's log: see HighErrorRatio in docs/operations.md.",
        width=3,
        height=4,
        limits=at_most(ERRORS),
        decimals=1,
    )
    return number(about, PromQuery(or_zero(f"{FAILED} / ({ASKED} > 0)"), "failing", now=True))


def _slowest() -> DashboardPanel:
    about = About(
        "Latency, p99",
        "s",
        f"99 % of the requests are faster than this time. Up to {LATENCY * 1000:.0f} ms is good. Above, look for large "
        "batches or a busy machine: see HighLatency in docs/operations.md.",
        width=4,
        height=4,
        limits=at_most(LATENCY),
    )
    return number(about, PromQuery(_percentile(0.99), "99 % are faster", now=True))


def _outliers_now() -> DashboardPanel:
    about = About(
        "Outliers now",
        "percentunit",
        "The share of outliers, which are rows unlike the training data, among the newest predictions (five minutes, "
        f"at least 50 rows). Up to {OUTLIERS:.0%} is tolerated. Above, look at the features on the dashboard Model "
        "quality.",
        width=4,
        height=4,
        limits=at_most(OUTLIERS),
        empty="not enough recent rows",
        decimals=1,
    )
    return number(about, PromQuery('max(window_outliers_ratio{problem="$problem"})', "outliers", now=True))


def _firing() -> DashboardPanel:
    about = About(
        "Alerts",
        "suffix:firing",
        "The number of firing alerts, of this problem and of the servers that all problems share. 0 is good. Each "
        "alert has its section in docs/operations.md.",
        width=4,
        height=4,
        limits=at_most(1),
    )
    expr = or_zero('count(ALERTS{alertstate="firing", problem=~"$problem|"})')
    return number(about, PromQuery(expr, "firing", now=True))


def _classes() -> DashboardPanel:
    about = About(
        "Predicted classes",
        "suffix:rows/s",
        "Predictions per second, by predicted class. Steady shares are good. A class that grows or vanishes is a "
        "change of the data, or of the model if a new champion is marked at that time: look at the dashboard Model "
        "quality.",
        width=16,
    )
    return stacked(about, PromQuery(per_second("predicted_class_name_total", by="class_name"), "{{class_name}}"))


def _outliers() -> DashboardPanel:
    about = About(
        "Outliers",
        "percentunit",
        f"The share of predictions for outliers, which are rows unlike the training data. Up to {OUTLIERS:.0%} is "
        "tolerated. If it stays above, the model has not learnt such rows: send corrections for them, or train again "
        "with newer data.",
        limits=at_most(OUTLIERS),
    )
    now = f"{per_second('predicted_outliers_total')} / ({PREDICTED} > 0)"
    window = PromQuery('max(window_outliers_ratio{problem="$problem"})', "last 5 minutes")
    return lines(about, window, PromQuery(now, "at this time"))


def _routes() -> DashboardPanel:
    about = About(
        "Requests by route",
        "reqps",
        "Requests per second, by route. No requests while people use the service mean that they cannot reach it: check "
        "the network and the proxy.",
    )
    return stacked(about, PromQuery(per_second("http_requests_total", by="handler", where=PEOPLE), "{{handler}}"))


def _latency() -> DashboardPanel:
    about = About(
        "Time to answer",
        "s",
        "50 %, 90 % and 99 % of the requests are faster than these lines. The line of 99 % below "
        f"{LATENCY * 1000:.0f} ms (dashed) is good. If all lines rise, the machine is busy. If only the highest line "
        "rises, large batches slow some requests.",
        limits=at_most(LATENCY),
    )
    shares = ((0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"))
    return lines(about, *(PromQuery(_percentile(share), f"{name} are faster") for share, name in shares))


def _errors() -> DashboardPanel:
    about = About(
        "Errors",
        "reqps",
        "Requests per second that the api failed to answer (5xx) or refused because the request was wrong (4xx). 0 "
        "failed is good; otherwise read the api's log. Many refused requests after a release mean that it broke a "
        "client.",
    )
    panel = lines(about, PromQuery(or_zero(FAILED), "failed"), PromQuery(or_zero(REFUSED), "refused"))
    return panel.override_by_name("failed", [fixed(BAD)]).override_by_name("refused", [fixed(WATCH)])


def _log_lag() -> DashboardPanel:
    about = About(
        "Delay of the log",
        "s",
        "The age of the oldest prediction that is not yet in the store. A quarter of a second is normal. Above "
        f"{LOG_LAG:.0f} s the store is down or too slow: see PredictionLogLagging in docs/operations.md. Until the "
        "rows are written, feedback on the newest predictions waits.",
        limits=at_most(LOG_LAG),
    )
    return lines(about, PromQuery('max(prediction_log_lag_seconds{problem="$problem"})', "oldest"))


def _log_waiting() -> DashboardPanel:
    about = About(
        "Rows waiting for the log",
        "suffix:rows",
        "The number of answered predictions that are not yet in the store, of all processes. It should return to 0 "
        "again and again. A process keeps at most 20 000 rows; further predictions are answered, but never counted.",
    )
    return lines(about, PromQuery('sum(prediction_log_waiting_rows{problem="$problem"})', "waiting"))


def _log_rows() -> DashboardPanel:
    about = About(
        "Rows logged and lost",
        "suffix:rows/s",
        "Predictions per second that the api wrote to the store, and that it lost. 0 lost is good; otherwise see "
        "PredictionLogDropping in docs/operations.md.",
    )
    written = PromQuery(per_second("prediction_log_rows_total"), "logged")
    lost = PromQuery(per_second("prediction_log_dropped_total"), "lost")
    panel = lines(about, written, lost)
    return panel.override_by_name("logged", [fixed(GOOD)]).override_by_name("lost", [fixed(BAD)])


def _percentile(share: float) -> str:
    buckets = per_second("http_request_duration_highr_seconds_bucket", by="le")
    return f"histogram_quantile({share}, {buckets})"
