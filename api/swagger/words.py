"""The groups of the page `/docs` in the order in which people use them, and the operations in words."""

GROUPS = {
    "predict": "Ask for the class of a row. Keep the `prediction_id`.",
    "feedback": "Say which class a row really has, and look at what was answered.",
    "suggest": "Send a correction that the next version may learn from, and follow it.",
    "corrections": "For reviewers: look at corrections, decide about those in quarantine, and take corrections back.",
    "models": "See which versions serve and how good they are; move them.",
    "lineage": "Follow an answer to its version and to the corrections that this version has learnt, and back.",
    "erasure": "Erase a row that somebody wants to be forgotten.",
    "service": "Is the service well, and what does it expect?",
    "open inference protocol": "The same predictions for clients of KServe, Triton and MLServer.",
    "seldon": "The same predictions and feedback for clients of Seldon Core.",
}

_INFER, _ASK_MODEL, _ASK_READY = "Predict rows, given as tensors", "What goes in and what comes out?", "Does it answer?"
_OIP, _SELDON = "/v2/models/{name}", "/seldon/{namespace}/{deployment}"
# By path and method.
SUMMARIES = {
    "/predict": {"post": "Predict one row, or many"},
    "/predict/test": {"get": "Predict an example, without a trace"},
    "/feedback": {"post": "Tell the ground truth of a prediction"},
    "/predictions/{prediction_id}": {"get": "Show a prediction", "delete": "Erase a prediction"},
    "/labels/wanted": {"get": "Which ground truths would decide an open verdict?"},
    "/suggest": {"post": "Send a correction"},
    "/suggest/{suggestion_id}": {"get": "What became of a correction?"},
    "/corrections": {"get": "List corrections in one state"},
    "/corrections/{correction_id}": {"get": "Show a correction with its history"},
    "/corrections/review": {"post": "Approve or reject corrections in quarantine"},
    "/corrections/withdraw": {"post": "Take corrections back"},
    "/corrections/{correction_id}/withdraw": {"post": "Take one correction back"},
    "/corrections/{correction_id}/withdrawal": {"get": "What came of a withdrawal?"},
    "/corrections/withdrawals": {"get": "List withdrawals"},
    "/models": {"get": "Which versions serve, and how good are they?"},
    "/models/{version}/challenge": {"post": "Make a version the challenger"},
    "/models/{version}/promote": {"post": "Make a version the champion"},
    "/models/{version}/rollback": {"post": "Take a champion back"},
    "/lineage/{prediction_id}": {"get": "From an answer to what its version has learnt"},
    "/lineage/versions/{version}": {"get": "What has a version learnt?"},
    "/lineage/corrections/{suggestion_id}": {"get": "Which versions have learnt a correction?"},
    "/metadata": {"get": _ASK_MODEL},
    "/label": {"get": "Names of the classes, by index"},
    "/livez": {"get": "Does the process live?"},
    "/health": {"get": "Does the process live? (older name)"},
    "/readyz": {"get": "Is there a model, and does it answer?"},
    "/metrics": {"get": "Metrics for Prometheus"},
    f"{_OIP}/infer": {"post": _INFER},
    f"{_OIP}/versions/{{version}}/infer": {"post": f"{_INFER}, by one version"},
    _OIP: {"get": _ASK_MODEL},
    f"{_OIP}/versions/{{version}}": {"get": f"{_ASK_MODEL} (of one version)"},
    f"{_OIP}/ready": {"get": _ASK_READY},
    f"{_OIP}/versions/{{version}}/ready": {"get": f"{_ASK_READY} (one version)"},
    "/v2": {"get": "Name and version of the service"},
    "/v2/health/live": {"get": "Does the process live?"},
    "/v2/health/ready": {"get": "Is there a model, and does it answer?"},
    **{
        f"{gateway}/api/v1.0/{route}": {"post": f"{words}{through}"}
        for gateway, through in (("", ""), (_SELDON, " (path of Seldon's gateway)"))
        for route, words in (("predictions", "Predict rows"), ("feedback", "Predict rows whose ground truth is known"))
    },
}
