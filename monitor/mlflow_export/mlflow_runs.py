"""A problem's monitoring experiment in MLflow: one run for each day of a model, with one step for each export."""

from collections.abc import Mapping
from datetime import date, datetime

from mlflow import MlflowClient
from mlflow.entities import Metric, Run, RunTag

from common.store.monitoring.exports import day_bounds

METRICS_AT_ONCE = 1_000  # the most that MLflow accepts
PROFILES = "profiles"
EXPORTS = "exports"  # the metric that counts the steps
LAST_EXPORT = "numbers_of"  # the tag with the name of the last export whose metrics are logged
MOST_RUNS = 1_000  # of one day


class DayRuns:
    """The runs of `problem` on the MLflow server at `uri`.

    Raises:
        MlflowException: from each method, when the server answers with an error.
    """

    def __init__(self, uri: str, problem: str) -> None:
        """Find the experiment, or create it."""
        self._client = MlflowClient(uri)
        name = f"{problem.title().replace('_', '')}Monitoring"
        found = self._client.get_experiment_by_name(name)
        self._experiment = found.experiment_id if found else self._client.create_experiment(name)
        self._problem = problem

    def of(self, model_name: str, day: date) -> str:
        """Return the id of a day's run; create the run if there is none."""
        begin, end = (round(moment.timestamp() * 1e3) for moment in day_bounds(day))
        found = self._search(f"tags.day = '{day}'", MOST_RUNS)
        for run in found:
            if run.data.tags.get("model_name") == model_name:
                if run.info.status == "RUNNING":  # its creator was killed
                    self._client.set_terminated(run.info.run_id, end_time=end)
                return str(run.info.run_id)
        tags = {"problem": self._problem, "model_name": model_name, "day": str(day)}
        made = self._client.create_run(self._experiment, start_time=begin, tags=tags, run_name=str(day))
        # The run spans its day and is closed at once. MLflow accepts more metrics for a closed run, so no run stays
        # RUNNING.
        self._client.set_terminated(made.info.run_id, end_time=end)
        return str(made.info.run_id)

    def get(self, run_id: str) -> Run:
        """Return the present state of a run."""
        return self._client.get_run(run_id)

    def newest(self, days: int) -> list[Run]:
        """Return the runs of the newest days."""
        return self._search("", days)

    def log(
        self, run_id: str, metrics: Mapping[str, float], step: int, at: datetime, tags: Mapping[str, str] | None = None
    ) -> None:
        """Log metrics as a step; the last batch carries the tags.

        MLflow ignores a metric that it already has with the same step, timestamp and value.
        """
        moment = round(at.timestamp() * 1e3)
        entries = [Metric(name, value, moment, step) for name, value in metrics.items()]
        for start in range(0, len(entries), METRICS_AT_ONCE):
            is_last = start + METRICS_AT_ONCE >= len(entries)
            last = [RunTag(*tag) for tag in (tags or {}).items()] if is_last else []
            self._client.log_batch(run_id, entries[start : start + METRICS_AT_ONCE], tags=last)

    def put(self, run_id: str, path: str, text: str) -> None:
        """Write a text as an artefact of a run, in place of an earlier one."""
        self._client.log_text(run_id, text, path)

    def profiles(self, run_id: str) -> list[str]:
        """Return the paths of a run's profiles, in order."""
        return sorted(file.path for file in self._client.list_artifacts(run_id, PROFILES))

    def _search(self, wanted: str, limit: int) -> list[Run]:
        return list(self._client.search_runs([self._experiment], wanted, max_results=limit, order_by=["tags.day DESC"]))
