"""The dashboard *API*: does the service answer, how fast, and what."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.frame import Section, frame
from grafana.limits import ERRORS, LATENCY, LOG_LAG, OUTLIERS
from grafana.panels import BAD, GOOD, WATCH, About, Panel, at_least, at_most, fixed, lines, number, stacked
from grafana.queries import Query, or_zero, per_second

# Probes come often, hardly ever fail, and would hide what people see.
PEOPLE = 'handler!~"/(metrics|livez|readyz|health)"'
FAILED = per_second("http_requests_total", where=f'status="5xx", {PEOPLE}')
REFUSED = per_second("http_requests_total", where=f'status="4xx", {PEOPLE}')
ASKED = per_second("http_requests_total", where=PEOPLE)
PREDICTED = per_second("predicted_class_name_total")


def dashboard() -> Dashboard:
    """Return it."""
    sections = (
        Section("Now", (_processes(), _version(), _requests(), _failing(), _slowest(), _outliers_now(), _firing())),
        Section("Predictions", (_classes(), _outliers())),
        Section("Requests", (_routes(), _latency(), _errors())),
        Section("Prediction log", (_log_lag(), _log_waiting(), _log_rows())),
    )
    return frame("lab-api", "API", "Does the service answer, how fast, and what?", sections)


def _processes() -> Panel:
    about = About(
        "Processes",
        "suffix:up",
        "Api processes that answer Prometheus. At least one has to; with 0 nobody gets a prediction: see ApiDown in "
        "docs/operations.md.",
        width=3,
        height=4,
        limits=at_least(1),
    )
    return number(about, Query(or_zero('sum(up{job="api", problem="$problem"})'), "processes", now=True))


def _version() -> Panel:
    about = About(
        "Champion",
        "prefix:version ",
        "The version that answers. After a registration it follows within seconds. When processes differ, it is the "
        "newest of theirs.",
        width=3,
        height=4,
        decimals=0,
        empty="no model",
    )
    return number(about, Query('max(served_model_version{problem="$problem", role="champion"})', "version", now=True))


def _requests() -> Panel:
    about = About(
        "Requests",
        "reqps",
        "Requests per second, probes and scrapes left out. Compare it with what you expect at this hour.",
        width=3,
        height=4,
    )
    return number(about, Query(or_zero(ASKED), "requests", now=True))


def _failing() -> Panel:
    about = About(
        "Failing",
        "percentunit",
        f"Share of requests that the api failed to answer (5xx). Up to {ERRORS:.0%} is tolerated; above, read the "
        "api's log: see HighErrorRatio in docs/operations.md.",
        width=3,
        height=4,
        limits=at_most(ERRORS),
        decimals=1,
    )
    return number(about, Query(or_zero(f"{FAILED} / ({ASKED} > 0)"), "failing", now=True))


def _slowest() -> Panel:
    about = About(
        "Slowest in a hundred",
        "s",
        f"One request in a hundred took so long or longer. Above {LATENCY * 1000:.0f} ms people notice: look for "
        "large batches, or a machine that is too busy. See HighLatency in docs/operations.md.",
        width=4,
        height=4,
        limits=at_most(LATENCY),
    )
    return number(about, Query(_percentile(0.99), "99 % are faster", now=True))


def _outliers_now() -> Panel:
    about = About(
        "Outliers now",
        "percentunit",
        "Share of the newest predictions (five minutes, 50 rows at least) for rows unlike the training data. "
        f"Up to {OUTLIERS:.0%} is tolerated; above, look at the features on the dashboard Model quality.",
        width=4,
        height=4,
        limits=at_most(OUTLIERS),
        empty="not enough recent rows",
        decimals=1,
    )
    return number(about, Query('max(window_outliers_ratio{problem="$problem"})', "outliers", now=True))


def _firing() -> Panel:
    about = About(
        "Alerts",
        "suffix:firing",
        "Alerts that fire for this problem or for what all problems share. 0 is good; each has its section in "
        "docs/operations.md.",
        width=4,
        height=4,
        limits=at_most(1),
    )
    expr = or_zero('count(ALERTS{alertstate="firing", problem=~"$problem|"})')
    return number(about, Query(expr, "firing", now=True))


def _classes() -> Panel:
    about = About(
        "Predicted classes",
        "suffix:rows/s",
        "Answered rows per second, by the class that was answered. The mix should stay about as it is: a class that "
        "takes over or vanishes is a change of the data, or of the model where a version is marked.",
        width=16,
    )
    return stacked(about, Query(per_second("predicted_class_name_total", by="class_name"), "{{class_name}}"))


def _outliers() -> Panel:
    about = About(
        "Outliers",
        "percentunit",
        f"Share of predictions for rows unlike the training data. Above {OUTLIERS:.0%} for long, the model is asked "
        "what it has not learnt: correct it on such rows, or train again with newer data.",
        limits=at_most(OUTLIERS),
    )
    now = f"{per_second('predicted_outliers_total')} / ({PREDICTED} > 0)"
    window = Query('max(window_outliers_ratio{problem="$problem"})', "newest rows, up to 5 minutes")
    return lines(about, window, Query(now, "this moment"))


def _routes() -> Panel:
    about = About(
        "Requests by route",
        "reqps",
        "Requests per second, by the route that answered. None at all while people use the service: they do not "
        "reach it.",
    )
    return stacked(about, Query(per_second("http_requests_total", by="handler", where=PEOPLE), "{{handler}}"))


def _latency() -> Panel:
    about = About(
        "Time to answer",
        "s",
        "Half of the requests, 90 % and 99 % are faster than these lines. The slowest should stay below "
        f"{LATENCY * 1000:.0f} ms (dashed). All of them rising: the machine is busy. Only the slowest: large batches.",
        limits=at_most(LATENCY),
    )
    shares = ((0.5, "half"), (0.9, "90 %"), (0.99, "99 %"))
    return lines(about, *(Query(_percentile(share), f"{name} are faster") for share, name in shares))


def _errors() -> Panel:
    about = About(
        "Errors",
        "reqps",
        "Requests without a useful answer. Failed: the api's own fault (5xx), should be 0; read its log. Refused: "
        "what the clients sent was wrong (4xx); many after a release mean that it broke them.",
    )
    panel = lines(about, Query(or_zero(FAILED), "failed"), Query(or_zero(REFUSED), "refused"))
    return panel.override_by_name("failed", [fixed(BAD)]).override_by_name("refused", [fixed(WATCH)])


def _log_lag() -> Panel:
    about = About(
        "Log behind by",
        "s",
        "Age of the oldest prediction that is not in the store yet. A quarter of a second is usual; above "
        f"{LOG_LAG:.0f} s the store is away or too slow. Until it is back, feedback on the newest predictions has to "
        "wait.",
        limits=at_most(LOG_LAG),
    )
    return lines(about, Query('max(prediction_log_lag_seconds{problem="$problem"})', "oldest"))


def _log_waiting() -> Panel:
    about = About(
        "Rows waiting for the log",
        "suffix:rows",
        "Predictions answered, but not in the store yet, of all processes. Should keep falling back to 0. A process "
        "holds 20 000; what comes on top is lost for statistics.",
    )
    return lines(about, Query('sum(prediction_log_waiting_rows{problem="$problem"})', "waiting"))


def _log_rows() -> Panel:
    about = About(
        "Rows logged and lost",
        "suffix:rows/s",
        "Predictions written to the store, and those that were lost, which should be 0: see PredictionLogDropping in "
        "docs/operations.md.",
    )
    written = Query(per_second("prediction_log_rows_total"), "logged")
    lost = Query(per_second("prediction_log_dropped_total"), "lost")
    panel = lines(about, written, lost)
    return panel.override_by_name("logged", [fixed(GOOD)]).override_by_name("lost", [fixed(BAD)])


def _percentile(share: float) -> str:
    buckets = per_second("http_request_duration_highr_seconds_bucket", by="le")
    return f"histogram_quantile({share}, {buckets})"
