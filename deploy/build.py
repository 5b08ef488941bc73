"""Write the manifests that repeat other files of the project: `python -m deploy.build`."""

import json
from pathlib import Path
from typing import Any

import yaml

from common.settings import PROJECT

DEPLOY = PROJECT / "deploy"
COMPONENTS = DEPLOY / "components"
NAMESPACE = "closed-loop-lab"
JOB_SECONDS = 3600  # a job that has ended is kept for its log
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
HEADER = "# Written by `python -m deploy.build`, of {}. Change these, and run it again.\n"


def rules() -> dict[str, Any]:
    """Return the rules of Prometheus as an object of its operator: `PrometheusRule`."""
    files = [PROJECT / "prometheus" / name for name in _rule_files()]
    groups = [group for file in files for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "closed-loop-lab"},
        "spec": {"groups": groups},
    }


def job_template() -> dict[str, Any]:
    """Return the base job template of Prefect's work pool: the worker's pod, for one flow run.

    Prefect fills in what stands in `{{ }}`. It adds its command to the container, and its variables before the others.
    """
    worker, _ = yaml.safe_load_all((DEPLOY / "base" / "worker.yaml").read_text(encoding="utf-8"))
    pod = worker["spec"]["template"]["spec"]
    [container] = pod["containers"]
    for name in (*PROBES, "envFrom"):
        del container[name]
    container["name"] = "prefect-job"  # as its worker wants it
    container["env"] = [*({"name": name, "value": value} for name, value in _settings().items()), *container["env"]]
    # Prefect's worker refuses a manifest without the last two, although Kubernetes has them at another place.
    pod = {**pod, "restartPolicy": "Never", "parallelism": 1, "completions": 1}
    template = {"metadata": worker["spec"]["template"]["metadata"], "spec": pod}
    filled_in = {name: f"{{{{ {name} }}}}" for name in ("command", "env", "labels", "name", "namespace")}
    metadata = {"generateName": "finetune-", "namespace": filled_in["namespace"], "labels": filled_in["labels"]}
    spec = {"backoffLimit": 0, "ttlSecondsAfterFinished": JOB_SECONDS, "template": template}
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
    properties = {name: {"type": "object" if name in {"env", "labels"} else "string"} for name in filled_in}
    properties["namespace"]["default"] = NAMESPACE
    return {
        "job_configuration": {**filled_in, "job_manifest": manifest, "stream_output": True},
        "variables": {"type": "object", "properties": properties},
    }


def build() -> dict[Path, str]:
    """Return the content of each file by its path."""
    written = yaml.dump(rules(), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    of = " and ".join(f"prometheus/{name}" for name in _rule_files())
    files = {COMPONENTS / "prometheus-operator" / "rules.yaml": HEADER.format(of) + written}
    files[DEPLOY / "work-pool" / "base-job-template.json"] = json.dumps(job_template(), indent=2) + "\n"
    # kustomize reads no file that stands outside of its own folders.
    for file in sorted((PROJECT / "containers" / "postgres").iterdir()):
        files[COMPONENTS / "postgres" / "init" / file.name] = file.read_text(encoding="utf-8")
    return files


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as lines."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def main() -> None:
    """Write all files."""
    for path, content in build().items():
        path.write_text(content, encoding="utf-8")
        print(path.relative_to(PROJECT))


def _settings() -> dict[str, str]:
    """Return the content of the ConfigMap `lab`."""
    rendered = yaml.safe_load((DEPLOY / "base" / "kustomization.yaml").read_text(encoding="utf-8"))
    [given] = [each["literals"] for each in rendered["configMapGenerator"] if each["name"] == "lab"]
    return dict(each.split("=", 1) for each in given)


def _rule_files() -> list[str]:
    config = yaml.safe_load((PROJECT / "prometheus.yml").read_text(encoding="utf-8"))
    return [Path(name).name for name in config["rule_files"]]


if __name__ == "__main__":
    main()
