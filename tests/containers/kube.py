"""The manifests of `deploy/overlays/small` on `podman kube play`, in place of a cluster.

Podman 4.3 starts pods, with ConfigMaps, Secrets, volumes, init containers, users, limits and read-only roots. It knows
no Services, probes, jobs, autoscalers or NetworkPolicies: each pod gets the name of its Service, and `Cluster.ready`
asks the readiness probes.
"""

import base64
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml

from scripts.parts import wait_for
from tests.containers.stack import ROLES, ended_well, engine, make_secrets
from tests.deploy.rendering import Manifest, rendered

OVERLAY = "overlays/small"
NETWORK = "closed-loop-lab-kube"
SERVERS = ("postgres", "mlflow", "prefect", "worker", "monitor", "api")
WORKLOADS = ("Deployment", "StatefulSet")
PATIENCE = 180.0


@dataclass(frozen=True)
class Cluster:
    """The pods by name, and the objects that they use.

    Attributes:
        pods: the pods as the manifests have them.
        configurations: the ConfigMaps that they read.
        claims: the volumes that outlive them.
    """

    pods: dict[str, Manifest]
    configurations: Sequence[Manifest]
    claims: Sequence[Manifest]

    def start(self, name: str) -> None:
        """Start a pod; podman returns when its init containers have ended well."""
        _play([*self.configurations, playable(self.pods[name])])

    def ready(self, name: str) -> None:
        """Return when the readiness probes of a pod succeed."""
        for container in self.pods[name]["spec"]["containers"]:
            wait_for(f"the readiness of {name}", partial(self._is_ready, name, container), PATIENCE, 0.5)

    def once(self, name: str) -> None:
        """Start a pod that ends by itself; fail if its exit code is not 0."""
        self.start(name)
        ended_well(f"{name}-{name}")

    def address(self, name: str) -> str:
        """Return the address of a pod's first port; podman publishes the ports of all containers."""
        return f"http://127.0.0.1:{self.pods[name]['spec']['containers'][0]['ports'][0]['containerPort']}"

    def _is_ready(self, name: str, container: Manifest) -> bool:
        probe = container["readinessProbe"]
        if "httpGet" not in probe:
            return _succeeds("exec", f"{name}-{container['name']}", *probe["exec"]["command"])
        return httpx.get(f"{self.address(name)}{probe['httpGet']['path']}", timeout=10.0).is_success


@contextmanager
def running_cluster(folder: Path, password: str) -> Iterator[Cluster]:
    """Yield the small overlay with its secrets, and start nothing yet; stop and delete everything at the end.

    An error in the meantime gets the last lines of the containers as a note.
    """
    cluster = small_overlay()
    secrets = folder / "secrets"
    make_secrets(secrets, prefect_password=password, **{f"postgres_{role}": password for role in ROLES})
    engine("network", "create", NETWORK)
    try:
        _keep_secrets(folder, {each.name: each.read_text() for each in secrets.iterdir()})
        _play(cluster.claims)
        yield cluster
    except BaseException as error:
        error.add_note("\n".join(map(logs, cluster.pods)))
        raise
    finally:
        engine("pod", "rm", "--all", "--force", "--time", "0")
        engine("volume", "prune", "--force")
        engine("secret", "rm", "--all")
        engine("network", "rm", NETWORK)


def small_overlay() -> Cluster:
    """Return the pods of the overlay, and of the job that trains."""
    objects = rendered(OVERLAY)
    pods = {
        each["metadata"]["name"]: _pod(each, each["spec"]["template"]) for each in objects if each["kind"] in WORKLOADS
    }
    jobs = [each for each in objects if each["kind"] == "CronJob"]
    pods |= {each["metadata"]["name"]: _pod(each, each["spec"]["jobTemplate"]["spec"]["template"]) for each in jobs}
    claims = [
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **claim, "metadata": {"name": _claim(each, claim)}}
        for each in objects
        if each["kind"] == "StatefulSet"
        for claim in each["spec"]["volumeClaimTemplates"]
    ]
    claims += [each for each in objects if each["kind"] == "PersistentVolumeClaim"]
    return Cluster(pods, [each for each in objects if each["kind"] == "ConfigMap"], claims)


def playable(pod: Manifest) -> Manifest:
    """Return a pod as podman 4.3 can start it."""
    played: Manifest = json.loads(json.dumps(pod))
    name, spec = played["metadata"]["name"], played["spec"]
    # Podman would also start an init container again that has ended well.
    spec.setdefault("restartPolicy", "OnFailure")
    for container in [*spec["containers"], *spec.get("initContainers", ())]:
        for unknown in ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle"):
            container.pop(unknown, None)
        if container["image"].startswith("postgres:"):
            # Debian's PostgreSQL, because no image registry can be reached; its user has another number.
            container |= {"image": "closed-loop-lab/stand-ins", "command": ["docker-entrypoint.sh"]}
            spec["securityContext"] |= dict.fromkeys(("runAsUser", "runAsGroup"), _user("stand-ins", "postgres"))
        container["image"] = f"docker.io/{container['image']}"
    for volume in spec["volumes"]:
        if "emptyDir" in volume:
            # Podman makes it a volume, whose name all pods would share.
            _rename(spec, volume, f"{name}-{volume['name']}")
        if "secret" in volume:
            volume["secret"] |= {"secretName": f"{volume['secret']['secretName']}-files", "optional": False}
    return played


def logs(name: str) -> str:
    """Return the last lines of a pod's containers."""
    ended = subprocess.run(
        ["podman", "pod", "logs", "--tail", "25", name],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    return f"{name}:\n{ended.stdout}{ended.stderr}"


def _play(objects: Sequence[Manifest]) -> None:
    ended = subprocess.run(
        ["podman", "kube", "play", "--network", NETWORK, "-"],
        input=yaml.safe_dump_all(objects), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}"


def _pod(workload: Manifest, template: Manifest) -> Manifest:
    name = workload["metadata"]["name"]
    claims: list[dict[str, Any]] = [
        {"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": _claim(workload, claim)}}
        for claim in workload["spec"].get("volumeClaimTemplates", ())
    ]
    spec = {**template["spec"], "volumes": [*template["spec"].get("volumes", ()), *claims]}
    metadata = {"name": name, "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _claim(workload: Manifest, claim: Manifest) -> str:
    return f"{claim['metadata']['name']}-{workload['metadata']['name']}-0"


def _rename(spec: Manifest, volume: Manifest, name: str) -> None:
    for container in [*spec["containers"], *spec.get("initContainers", ())]:
        for mount in container["volumeMounts"]:
            if mount["name"] == volume["name"]:
                mount["name"] = name
    volume["name"] = name


def _keep_secrets(folder: Path, secrets: dict[str, str]) -> None:
    """Keep the Secret `lab` twice: podman 4.3 reads it in one form for variables and in another for files."""
    variables = {name: base64.b64encode(each.encode()).decode() for name, each in secrets.items()}
    forms = {
        "lab": json.dumps(variables),
        "lab-files": yaml.safe_dump(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "lab"}, "data": secrets}
        ),
    }
    for name, text in forms.items():
        (folder / name).write_text(text)
        engine("secret", "create", name, str(folder / name))


def _user(image: str, name: str) -> int:
    return int(engine("run", "--rm", "--network", "none", f"docker.io/closed-loop-lab/{image}", "id", "-u", name))


def _succeeds(*arguments: str) -> bool:
    ended = subprocess.run(["podman", *arguments], capture_output=True, check=False, timeout=60)
    return ended.returncode == 0
