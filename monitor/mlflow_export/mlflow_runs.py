"""The experiment of a problem's monitoring in MLflow: a run for each day of a model, in it a step for each export."""

from collections.abc import Mapping
from datetime import date, datetime

from mlflow import MlflowClient
from mlflow.entities import Metric, Run, RunTag

from common.store.monitoring.exports import day_bounds

POINTS_AT_ONCE = 1_000  # what MLflow takes
PROFILES = "profiles"
EXPORTS = "exports"  # the metric that counts the steps
NUMBERS = "numbers_of"  # the tag that names the export whose numbers came last
MANY = 1_000  # runs of one day, or of the days asked for


class DayRuns:
    """The runs of `problem` on the MLflow server at `uri`.

    Raises:
        MlflowException: from each method, when the server does not do what it is asked.
    """

    def __init__(self, uri: str, problem: str) -> None:
        """Find the experiment, or make it."""
        self._client = MlflowClient(uri)
        name = f"{problem.title().replace('_', '')}Monitoring"
        found = self._client.get_experiment_by_name(name)
        self._experiment = found.experiment_id if found else self._client.create_experiment(name)
        self._problem = problem

    def of(self, model_name: str, day: date) -> str:
        """Return the id of a day's run, which is made if there is none."""
        begin, end = (round(moment.timestamp() * 1e3) for moment in day_bounds(day))
        found = self._search(f"tags.day = '{day}'", MANY)
        for run in found:
            if run.data.tags.get("model_name") == model_name:
                if run.info.status == "RUNNING":  # who made it was killed
                    self._client.set_terminated(run.info.run_id, end_time=end)
                return str(run.info.run_id)
        tags = {"problem": self._problem, "model_name": model_name, "day": str(day)}
        made = self._client.create_run(self._experiment, start_time=begin, tags=tags, run_name=str(day))
        # As long as the day, and never `running`: that it takes more points does not depend on it.
        self._client.set_terminated(made.info.run_id, end_time=end)
        return str(made.info.run_id)

    def get(self, run_id: str) -> Run:
        """Return a run as it is now."""
        return self._client.get_run(run_id)

    def newest(self, days: int) -> list[Run]:
        """Return the runs of the newest days."""
        return self._search("", days)

    def log(
        self, run_id: str, points: Mapping[str, float], step: int, at: datetime, tags: Mapping[str, str] | None = None
    ) -> None:
        """Log numbers as a step, and tags with the last of them.

        Numbers that are there already, with the same step, moment and value, are not logged twice.
        """
        moment = round(at.timestamp() * 1e3)
        metrics = [Metric(name, value, moment, step) for name, value in points.items()]
        for start in range(0, len(metrics), POINTS_AT_ONCE):
            is_last = start + POINTS_AT_ONCE >= len(metrics)
            told = [RunTag(*tag) for tag in (tags or {}).items()] if is_last else []
            self._client.log_batch(run_id, metrics[start : start + POINTS_AT_ONCE], tags=told)

    def put(self, run_id: str, path: str, text: str) -> None:
        """Keep a text as an artefact of a run, in place of what was there."""
        self._client.log_text(run_id, text, path)

    def profiles(self, run_id: str) -> list[str]:
        """Return the paths of a run's profiles, in order."""
        return sorted(file.path for file in self._client.list_artifacts(run_id, PROFILES))

    def _search(self, wanted: str, limit: int) -> list[Run]:
        return list(self._client.search_runs([self._experiment], wanted, max_results=limit, order_by=["tags.day DESC"]))
