"""The facts and the tables below the picture of a lineage."""

from datetime import datetime
from urllib.parse import quote

from monitor.page.lineage_picture import Kind, link
from monitor.page.panels import Panel, PanelTable, PanelText
from monitor.page.tabs.cells import CLASS
from monitor.page.view import ROLE_NAMES
from monitor.statistics.digits import number_text
from trust.lineage.documents import AnswersGiven, CorrectionLineage, PredictionLineage, TracedPage, VersionLineage

Facts = list[tuple[str, str]]  # a name and its value: a text, or "text|url"


def corrections(name: str, title: str, problem: str, page: TracedPage) -> Panel:
    """Return the table of corrections."""
    text = PanelText(name, title, "There are none.", f"{page.total} in all, oldest first.")
    return (
        PanelTable(text, page.corrections)
        .add("moment", "received", "Received", lambda each: each.received_at)
        .column(CLASS, lambda each: each.class_name)
        .add("text", "state", "State", lambda each: each.state)
        .add("text", "source", "From", lambda each: each.source)
        .add("text", "vetting", "Vetting", lambda each: each.outcome)
        .add("text", "reviewer", "Reviewer", lambda each: each.reviewer)
        .add("text", "answered", "Answer that it corrects", lambda each: each.answered)
        .add("link", "prediction", "Prediction", lambda each: _to("prediction", problem, each.prediction_id))
        .add(
            "link",
            "lineage",
            "Correction",
            lambda each: f"{each.suggestion_id}|{link('correction', problem, each.suggestion_id)}",
        )
        .panel()
    )


def answers(given: AnswersGiven) -> Panel:
    """Return the table of answers by day."""
    text = PanelText(
        "answers", "Answers by day", "There are none yet.", "The newest days first. Erased ones count, too."
    )
    return (
        PanelTable(text, given.newest)
        .add("day", "day", "Day", lambda each: each.day)
        .add("integer", "version", "Version", lambda each: each.model_version)
        .add("text", "role", "Role", lambda each: ROLE_NAMES[each.role])
        .add("integer", "predictions", "Answers", lambda each: each.predictions)
        .panel()
    )


def facts_of_prediction(found: PredictionLineage) -> Facts:
    """Return the features and the ground truth of a prediction."""
    truth = found.truth
    facts = [(name, f"{value}") for name, value in found.features.items()]
    facts.append(("Predicted", _moment(found.answers[0].predicted_at)))
    if truth:
        facts.append(("Ground truth", f"{truth.class_name}, from {truth.source or 'an unknown sender'}"))
    return facts


def facts_of_version(found: VersionLineage, mlflow_url: str, prefect_url: str) -> Facts:
    """Return the origin of a version: its page in MLflow, run, commit, data and judgement."""
    page = f"{mlflow_url}/#/models/{quote(found.model_name)}/versions/{found.model_version}"
    facts = [("In MLflow", f"{found.model_name} version {found.model_version}|{page}")]
    if registry := found.registry:
        facts += [
            ("Run in MLflow", registry.run_id or ""),
            ("Commit of the code", registry.git_commit or ""),
            *((f"MD5 of the {kind} data", value) for kind, value in registry.data_md5.items()),
            ("Started from", f"scikit-learn version {registry.continued_from}" if registry.continued_from else ""),
        ]
    if judgement := found.judgement:
        facts += [
            ("Verdict", _because(judgement.verdict, judgement.because)),
            ("Candidates", ", ".join(judgement.candidates) or judgement.candidate),
            ("Registered candidate", judgement.candidate),
            ("Compared with", _compared(judgement.champion, judgement.anchor)),
            ("Decided since", judgement.outcome or ""),
            ("Flow run in Prefect", _flow_run(prefect_url, judgement.flow_run_id)),
        ]
    facts += [
        (
            "Champion since",
            f"{each.since:%Y-%m-%d %H:%M:%S} UTC, {each.how}{f': {each.because}' if each.because else ''}",
        )
        for each in found.champion
    ]
    return [(name, value) for name, value in facts if value]


def facts_of_correction(found: CorrectionLineage) -> Facts:
    """Return the history of a correction, its vetting and its withdrawal."""
    facts = [
        (
            each.state.capitalize(),
            f"{each.at:%Y-%m-%d %H:%M:%S} UTC by {each.actor}{f': {each.reason}' if each.reason else ''}",
        )
        for each in found.history
    ]
    if vetting := found.vetting:
        number = "" if vetting.number is None else f", {number_text(vetting.number)}"
        facts.append(("Vetting", f"{vetting.outcome} by the rule {vetting.rule}{number}"))
        if vetting.reviewer:
            facts.append(("Review", _because(f"with the {vetting.reviewer}", vetting.note)))
    if withdrawal := found.withdrawal:
        facts.append(("Withdrawal", withdrawal.outcome or "it is not finished yet"))
    return facts


def _compared(champion: int | None, anchor: int | None) -> str:
    pairs = (("champion", champion), ("anchor", anchor))
    return ", ".join(f"{name} {number}" for name, number in pairs if number is not None)


def _flow_run(prefect_url: str, flow_run_id: str | None) -> str:
    return f"flow run|{prefect_url}/runs/flow-run/{quote(flow_run_id)}" if flow_run_id else ""


def _to(kind: Kind, problem: str, name: str | None) -> str | None:
    return f"{name}|{link(kind, problem, name)}" if name else None


def _because(words: str, reason: str | None) -> str:
    return f"{words}: {reason}" if reason else words


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
