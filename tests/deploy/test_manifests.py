"""The manifests of `deploy/`: what Kubernetes' schemas cannot know, checked on what kubectl renders."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import pytest
import yaml

from api.inference.prediction_log import FLUSH_SECONDS
from api.serve import OPTIONS
from common.room_settings.retention import bytes_of
from common.settings import PROJECT, Settings
from deploy.build import build, rules
from tests.deploy.rendering import Manifest, rendered, schemas
from tests.test_containers import services

OVERLAYS = ("overlays/small", "overlays/large")
FOLDERS = (*OVERLAYS, "dask", "work-pool")
ASKS_KUBERNETES = {"prefect-worker"}
WITHOUT_SCHEMA = {"Cluster", "PrometheusRule", "ServiceMonitor"}
RESTRICTED = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
NAME = "app.kubernetes.io/name"
# The names of the objects by kind, one list for each folder and component. Loops below find nothing wrong with none.
BASE = {
    "Namespace": "closed-loop-lab",
    "ConfigMap": "lab",
    "Deployment": "api mlflow monitor prefect worker",
    "CronJob": "train",
    "Service": "api mlflow monitor prefect",
    "HorizontalPodAutoscaler": "api",
    "PodDisruptionBudget": "api",
    "PersistentVolumeClaim": "artifacts data exported",
    "NetworkPolicy": "api deny-all mlflow monitor names postgres prefect train worker",
}
POSTGRES = {"StatefulSet": "postgres", "Service": "postgres", "ConfigMap": "postgres-init"}
PROMETHEUS_OPERATOR = {"ServiceMonitor": "api monitor prefect", "PrometheusRule": "closed-loop-lab"}
LARGE = {
    "Cluster": "lab",
    "Service": "postgres",
    "Ingress": "api",
    "NetworkPolicy": "mlflow-s3 monitor-s3 postgres-cluster",
}
DASK = {
    "Deployment": "dask-scheduler dask-worker",
    "Service": "dask-scheduler",
    "NetworkPolicy": "dask dask-scheduler train-on-dask",
}
WORK_POOL = {
    "Deployment": "prefect-worker",
    "ServiceAccount": "prefect-worker",
    "Role": "prefect-worker",
    "RoleBinding": "prefect-worker",
    "NetworkPolicy": "prefect-from-worker prefect-worker",
}
# MLflow's artefacts are in a bucket there.
LARGE_BASE = BASE | {"PersistentVolumeClaim": "data exported"}
PARTS = {
    "base": [BASE],
    "overlays/small": [BASE, POSTGRES],
    "overlays/large": [LARGE_BASE, PROMETHEUS_OPERATOR, LARGE],
    "components/prometheus-operator": [PROMETHEUS_OPERATOR],
    "dask": [DASK],
    "work-pool": [WORK_POOL],
}
API_MB = 250  # memory of an api beside the check of a version: docs/benchmarks.md has 133 MB after 1 000 predictions


@pytest.fixture(params=FOLDERS)
def objects(request: pytest.FixtureRequest) -> list[Manifest]:
    return rendered(request.param)


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> list[Manifest]:
    return rendered(request.param)


def of_kind(objects: list[Manifest], *kinds: str) -> list[Manifest]:
    return [each for each in objects if each["kind"] in kinds]


def templates(objects: list[Manifest]) -> dict[str, Manifest]:
    """Return the templates of all pods by the names of their objects."""
    jobs = {each["metadata"]["name"]: each["spec"]["jobTemplate"]["spec"] for each in of_kind(objects, "CronJob")}
    others = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "Deployment", "StatefulSet")}
    return {name: spec["template"] for name, spec in (others | jobs).items()}


def containers(objects: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for name, template in templates(objects).items():
        for container in (*template["spec"]["containers"], *template["spec"].get("initContainers", ())):
            yield name, container


def matching(objects: list[Manifest], labels: dict[str, str]) -> set[str]:
    """Return the names of the objects whose pods have all these labels."""
    found = templates(objects).items()
    return {name for name, each in found if labels.items() <= each["metadata"]["labels"].items()}


def megabytes(quantity: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()  # type: ignore[union-attr]  # else the test fails
    return int(number) * (1024 if unit == "Gi" else 1)


def names(*parts: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the names of all parts by kind."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for part in parts:
        for kind, some in part.items():
            found[kind] = sorted([*found[kind], *some.split()])
    return found


@pytest.mark.parametrize("folder", PARTS)
def test_a_folder_has_all_of_its_objects_and_no_others(folder: str) -> None:
    # kustomize ends the name of a ConfigMap with a hash of its content.
    whole = [(each["kind"], each["metadata"]["name"]) for each in rendered(folder)]
    plain = ({kind: re.sub(r"-[a-z0-9]{10}$", "", name) if kind == "ConfigMap" else name} for kind, name in whole)
    assert names(*plain) == names(*PARTS[folder])


def test_every_object_fits_the_schema_of_its_kind(objects: list[Manifest]) -> None:
    validate = schemas()
    assert {each["kind"] for each in objects if "." in each["apiVersion"] and "k8s.io" not in each["apiVersion"]} <= (
        WITHOUT_SCHEMA
    )
    for each in objects:
        if each["kind"] not in WITHOUT_SCHEMA:
            validate(each, "1.37", strict=True)


def test_every_pod_is_one_that_the_namespace_lets_in(objects: list[Manifest]) -> None:
    for name, template in templates(objects).items():
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["automountServiceAccountToken"] == (name in ASKS_KUBERNETES), name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not pod["enableServiceLinks"], name
    assert [name for name, each in containers(objects) if each["securityContext"] != RESTRICTED] == []
    for namespace in of_kind(objects, "Namespace"):
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_container_that_stays_has_probes_and_each_has_limits(objects: list[Manifest]) -> None:
    staying = {each["metadata"]["name"] for each in of_kind(objects, "Deployment", "StatefulSet")}
    for name, template in templates(objects).items():
        [container] = template["spec"]["containers"]
        assert name not in staying or {"readinessProbe", "livenessProbe"} <= set(container), name
    for name, container in containers(objects):
        for which in ("requests", "limits"):
            assert set(container["resources"][which]) == {"cpu", "memory"}, name


def test_every_volume_is_there_is_used_and_has_an_end(objects: list[Manifest]) -> None:
    claims = {each["metadata"]["name"] for each in of_kind(objects, "PersistentVolumeClaim")}
    own = {
        each["metadata"]["name"]: {claim["metadata"]["name"] for claim in each["spec"]["volumeClaimTemplates"]}
        for each in of_kind(objects, "StatefulSet")
    }
    used = set()
    for name, template in templates(objects).items():
        volumes = {each["name"]: each for each in template["spec"].get("volumes", [])}
        mounted = {mount["name"] for each in template["spec"]["containers"] for mount in each["volumeMounts"]}
        assert mounted == set(volumes) | own.get(name, set()), name
        assert [each for each in volumes.values() if "emptyDir" in each and "sizeLimit" not in each["emptyDir"]] == []
        used |= {
            each["persistentVolumeClaim"]["claimName"] for each in volumes.values() if "persistentVolumeClaim" in each
        }
    assert used == claims


def test_every_selector_finds_pods_and_every_port_of_a_service_is_one_of_theirs(objects: list[Manifest]) -> None:
    for each in of_kind(objects, "Deployment", "StatefulSet"):
        assert matching(objects, each["spec"]["selector"]["matchLabels"]) == {each["metadata"]["name"]}
    for service in (each for each in of_kind(objects, "Service") if each["spec"].get("type") != "ExternalName"):
        [pod] = matching(objects, service["spec"]["selector"])
        [container] = templates(objects)[pod]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
    for budget in of_kind(objects, "PodDisruptionBudget"):
        assert matching(objects, budget["spec"]["selector"]["matchLabels"])
    for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
        [scaled] = [e for e in of_kind(objects, "Deployment") if e["metadata"]["name"] == scaler["metadata"]["name"]]
        assert scaler["spec"]["scaleTargetRef"]["name"] == scaled["metadata"]["name"]
        # A number here would be set again each time that somebody applies the manifests.
        assert "replicas" not in scaled["spec"]


def replicas(folder: str) -> tuple[int, int, int]:
    """Return the least and the largest number of apis, and how many of them may be stopped at a time."""
    [scaler] = of_kind(rendered(folder), "HorizontalPodAutoscaler")
    [budget] = of_kind(rendered(folder), "PodDisruptionBudget")
    return scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"], budget["spec"]["maxUnavailable"]


def test_an_api_stays_when_machines_are_emptied_and_the_large_overlay_has_more_of_them() -> None:
    small, large = map(replicas, OVERLAYS)
    for least, most, stopped in (small, large):
        assert 0 < stopped < least < most
    assert all(more > fewer for fewer, more in zip(small, large, strict=True))


def test_the_operator_of_prometheus_gets_every_rule_of_the_lab() -> None:
    [found] = of_kind(rendered("overlays/large"), "PrometheusRule")
    assert found["spec"] == rules()["spec"]
    assert {each["name"] for each in found["spec"]["groups"]} >= {"confusion", "service"}


def test_every_monitor_of_prometheus_finds_a_service_and_names_the_job_of_the_rules() -> None:
    objects = rendered("overlays/large")
    jobs = {job["job_name"] for job in yaml.safe_load((PROJECT / "prometheus.yml").read_text())["scrape_configs"]}
    found = of_kind(objects, "ServiceMonitor")
    for monitor in found:
        wanted = monitor["spec"]["selector"]["matchLabels"]
        [service] = [e for e in of_kind(objects, "Service") if wanted.items() <= e["metadata"]["labels"].items()]
        [endpoint] = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == monitor["metadata"]["name"]
    assert {each["metadata"]["name"] for each in found} == jobs - {"prometheus"}


@pytest.mark.parametrize("path", build(), ids=lambda path: path.name)
def test_a_file_that_repeats_others_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == build()[path], "run `python -m deploy.build`"


def peers(objects: list[Manifest], each: Manifest) -> set[str]:
    """Return the pods, or the namespace or the addresses, that an entry of a NetworkPolicy names."""
    if "podSelector" in each and "namespaceSelector" not in each:
        labels = each["podSelector"].get("matchLabels", {})
        # The pods of an operator's object are not among the manifests.
        return matching(objects, labels) or {labels.get(NAME, "postgres-cluster")}
    if "ipBlock" in each:
        return {"outside"}
    return {each["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]}


def arrows(objects: list[Manifest], direction: str, side: str) -> set[tuple[str, str, int]]:
    """Return who may reach whom on which port, as the policies of one direction say."""
    found = set()
    for policy in (each for each in of_kind(objects, "NetworkPolicy") if each["spec"]["podSelector"]):
        own = peers(objects, {"podSelector": policy["spec"]["podSelector"]})
        for rule in policy["spec"].get(direction.lower(), []):
            others = set(chain.from_iterable(peers(objects, each) for each in rule[side]))
            for port in rule["ports"]:
                pairs = [(one, other) if direction == "Egress" else (other, one) for one in own for other in others]
                found |= {(*pair, port["port"]) for pair in pairs}
    return found


def documented() -> set[tuple[str, str, int]]:
    """Return the arrows of the table in docs/security.md."""
    text = (PROJECT / "docs" / "security.md").read_text(encoding="utf-8").partition("## In Kubernetes")[2]
    rows = re.findall(r"^\| `([\w-]+)` \| (.+?) \|$", text.partition("\n## ")[0], re.MULTILINE)
    return {
        (client, server, int(port))
        for client, servers in rows
        for server, port in re.findall(r"`([\w-]+):(\d+)`", servers)
    }


def test_the_policies_of_the_small_overlay_allow_exactly_the_documented_arrows() -> None:
    objects = rendered("overlays/small")
    inside = set(templates(objects))
    into, out_of = arrows(objects, "Ingress", "from"), arrows(objects, "Egress", "to")
    # A packet passes if the policies of both ends let it pass.
    assert {arrow for arrow in into if arrow[0] in inside} == out_of
    assert into == documented()


def test_everything_else_is_denied_but_the_look_up_of_names(overlay: list[Manifest]) -> None:
    for_all = {
        e["metadata"]["name"]: e["spec"] for e in of_kind(overlay, "NetworkPolicy") if not e["spec"]["podSelector"]
    }
    assert for_all.pop("deny-all") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    [look_up] = for_all.pop("names")["egress"]
    assert {each["port"] for each in look_up["ports"]} == {53}
    assert for_all == {}


def test_no_policy_allows_an_arrow_that_no_address_in_the_environment_needs(overlay: list[Manifest]) -> None:
    known = set()
    for name, template in templates(overlay).items():
        [container] = template["spec"]["containers"]
        texts = [str(each.get("value", "")) for each in container.get("env", [])]
        if "envFrom" in container:
            texts += [
                v
                for e in of_kind(overlay, "ConfigMap")
                if e["metadata"]["name"].startswith("lab-")
                for v in e["data"].values()
            ]
        known |= {(name, host, int(port)) for text in texts for host, port in re.findall(r"[/@](\w+):(\d+)", text)}
    allowed = {arrow for arrow in arrows(overlay, "Egress", "to") if arrow[0] in templates(overlay)}
    assert {arrow for arrow in allowed if arrow[1] != "outside"} - known == set()
    outside = {arrow for arrow in allowed if arrow[1] == "outside"}
    # Each of them has the log-in of a bucket, which may be in a Secret that nobody has made.
    assert outside in (set(), {("mlflow", "outside", 443), ("monitor", "outside", 443)})
    reads = {name for name, each in containers(overlay) if any("AWS_" in one["name"] for one in each.get("env", ()))}
    assert {name for name, *_ in outside} <= reads


def test_images_and_settings_are_those_of_docker_compose(overlay: list[Manifest]) -> None:
    composed = services()
    assert {each["image"] for _, each in containers(overlay)} <= {each["image"] for each in composed.values()}
    [settings] = [each["data"] for each in of_kind(overlay, "ConfigMap") if each["metadata"]["name"].startswith("lab-")]
    environment = composed["api"]["environment"]
    differing = {name for name, value in settings.items() if environment.get(name) != value}
    assert differing <= {"ALLOW_UNSIGNED", "ALLOWED_HOSTS", "FORWARDED_ALLOW_IPS", "STORE_DISK"}
    assert set(settings) <= set(environment)


def test_the_size_of_postgresqls_disk_is_that_of_its_volume_rounded_down(overlay: list[Manifest]) -> None:
    [settings] = [each["data"] for each in of_kind(overlay, "ConfigMap") if each["metadata"]["name"].startswith("lab-")]
    claims = [
        claim["spec"]["resources"]["requests"]["storage"]
        for each in of_kind(overlay, "StatefulSet")
        for claim in each["spec"].get("volumeClaimTemplates", [])
    ]
    [volume] = claims or [each["spec"]["storage"]["size"] for each in of_kind(overlay, "Cluster")]
    size = int(volume[:-2]) * {"Gi": 2**30, "Ti": 2**40}[volume[-2:]]
    assert 0.9 * size < (bytes_of(settings["STORE_DISK"]) or 0) <= size


def test_an_api_that_ends_has_the_time_to_answer_and_to_write_its_log(overlay: list[Manifest]) -> None:
    pod = templates(overlay)["api"]["spec"]
    [container] = pod["containers"]
    [draining] = [int(each["value"]) for each in container["env"] if each["name"] == "DRAIN_SECONDS"]
    assert draining >= 5  # until no proxy sends it requests any more
    assert pod["terminationGracePeriodSeconds"] > draining + OPTIONS["timeout_graceful_shutdown"] + FLUSH_SECONDS


def test_a_version_that_needs_too_much_memory_fails_its_check_before_the_container_fails(
    overlay: list[Manifest],
) -> None:
    [container] = templates(overlay)["api"]["spec"]["containers"]
    [check] = [int(each["value"]) for each in container["env"] if each["name"] == "MODEL_MEMORY_MB"]
    assert check + API_MB <= megabytes(container["resources"]["limits"]["memory"])


def test_the_monitor_can_export_days_before_it_deletes_them(overlay: list[Manifest]) -> None:
    [settings] = [each["data"] for each in of_kind(overlay, "ConfigMap") if each["metadata"]["name"].startswith("lab-")]
    assert {"RETAIN_PREDICTIONS", "RETAIN_GROUND_TRUTHS", "EXPORT_PREDICTIONS"} <= set(settings)
    Settings.model_validate({name.lower(): value for name, value in settings.items() if value})
    pod = templates(overlay)["monitor"]["spec"]
    [container] = pod["containers"]
    given = {each["name"]: each.get("valueFrom", {}).get("secretKeyRef", {}) for each in container["env"]}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert given[name] == {"name": "s3-days", "key": name, "optional": True}
    [mount] = [each["name"] for each in container["volumeMounts"] if each["mountPath"] == "/lab/exported"]
    # As in docker compose, a place that outlives the pod; and in the large overlay the way to a bucket.
    assert {"name": mount, "persistentVolumeClaim": {"claimName": "exported"}} in pod["volumes"]


def test_an_api_whose_disk_goes_with_its_pod_acknowledges_nothing_that_only_this_disk_has(
    overlay: list[Manifest],
) -> None:
    pod = templates(overlay)["api"]["spec"]
    [container] = pod["containers"]
    [mount] = [each["name"] for each in container["volumeMounts"] if each["mountPath"] == "/lab/.lab"]
    assert [each["name"] for each in pod["volumes"] if "emptyDir" in each and each["name"] == mount] == [mount]
    [spool] = [each["value"] for each in container["env"] if each["name"] == "SPOOL_MB"]
    assert Settings(spool_mb=int(spool)).spool_mb == 0


def secrets(objects: list[Manifest]) -> set[tuple[str, str]]:
    """Return the names and keys of the Secrets that pods read."""
    read = {
        (each["valueFrom"]["secretKeyRef"]["name"], each["valueFrom"]["secretKeyRef"]["key"])
        for _, container in containers(objects)
        for each in container.get("env", [])
        if "valueFrom" in each
    }
    volumes = [each for template in templates(objects).values() for each in template["spec"].get("volumes", [])]
    whole = {(each["secret"]["secretName"], "") for each in volumes if "items" not in each.get("secret", {"items": []})}
    mounted = [each["secret"] for each in volumes if "items" in each.get("secret", {})]
    return read | whole | {(each["secretName"], item["key"]) for each in mounted for item in each["items"]}


def test_no_secret_is_in_the_manifests_and_the_page_says_how_to_make_each(overlay: list[Manifest]) -> None:
    assert of_kind(overlay, "Secret") == []
    page = (PROJECT / "docs" / "deploy.md").read_text(encoding="utf-8")
    script = (PROJECT / "containers" / "make_secrets.sh").read_text(encoding="utf-8")
    in_files = set(re.findall(r"^(?:keep|take_over) (\w+)", script, re.MULTILINE))
    for kind, names in re.findall(r"^for (role|user) in ([\w ]+);", script, re.MULTILINE):
        in_files |= {f"{'postgres' if kind == 'role' else 'mlflow'}_{name}" for name in names.split()}
    for name, key in secrets(overlay):
        [made] = re.findall(rf"create secret generic {name} (.+)\n", page)
        assert key in made or key in in_files
