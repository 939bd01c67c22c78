"""What the chart renders is what the API of Kubernetes takes, and what streamverify can start with."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
from helm.custom_resources import schemas
from helm.rendering import CHART, REFUSED, VALUES, VERSIONS, Object, environment_of, helm, one, pods, rendered

from streamverify.core.metrics.metric import Process
from streamverify.core.metrics.table import METRICS
from streamverify.core.overview.urls import FIRST_PORT
from streamverify.settings import PREFIX, load_settings

NAMES = [path.name.removesuffix("-values.yaml") for path in VALUES]


@pytest.mark.parametrize("name", NAMES)
def test_lint_is_content(name: str) -> None:
    done = helm("lint", "--strict", str(CHART), "--values", str(CHART / "ci" / f"{name}-values.yaml"))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_the_api_takes_what_is_rendered(name: str, version: str) -> None:
    for each in rendered(name, "--kube-version", version):
        schema = schemas().get((each["apiVersion"], each["kind"]))
        if schema is None:
            kubernetes_validate.validate(each, version, strict=True)
        else:
            jsonschema.Draft202012Validator(schema).validate(each)


@pytest.mark.parametrize(
    ("api", "kind", "wrong"),
    [
        ("monitoring.coreos.com/v1", "ServiceMonitor", {"endpoint": []}),
        ("monitoring.coreos.com/v1", "PrometheusRule", {"groups": [{"name": "a", "rules": [{"alerts": "b"}]}]}),
        ("keda.sh/v1alpha1", "ScaledObject", {"scaleTargetRef": {"name": "a"}, "triggers": [], "minReplicas": 1}),
    ],
)
def test_the_schemas_of_the_custom_resources_refuse_what_they_do_not_know(api: str, kind: str, wrong: Object) -> None:
    each = {"apiVersion": api, "kind": kind, "metadata": {"name": "a"}, "spec": wrong}
    errors = jsonschema.Draft202012Validator(schemas()[api, kind]).iter_errors(each)
    assert any("unexpected" in error.message for error in errors)


def test_the_value_files_render_every_kind_that_there_is() -> None:
    kinds = {each["kind"] for each in rendered("all")}
    assert kinds == {
        *("StatefulSet", "Deployment", "Job", "Service", "PodDisruptionBudget", "NetworkPolicy"),
        *("ServiceMonitor", "PrometheusRule", "ScaledObject"),
        *(["ConfigMap"] if list((CHART / "files" / "dashboards").glob("*.json")) else []),
    }
    assert rendered("none") == ()
    assert [each["kind"] for each in rendered("minimal")] == ["Service", "StatefulSet"]


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_hostile_values_are_refused_in_words(path: Path) -> None:
    words = path.read_text("utf-8").partition("\n")[0].removeprefix("# refused: ")
    done = helm("template", "sv", str(CHART), "--values", str(path))
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stdout == ""


def test_an_older_kubernetes_is_refused() -> None:
    done = helm("template", "sv", str(CHART), "--kube-version", "1.29.0")
    assert done.returncode == 1
    assert "1.30" in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_every_process_can_start_with_its_settings(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for component, pod in pods(rendered(name)):
        variables = environment_of(pod)
        with monkeypatch.context() as patch:
            for variable, value in variables.items():
                if value.startswith("/etc/"):
                    (tmp_path / Path(value).name).touch()
                    value = str(tmp_path / Path(value).name)  # noqa: PLW2901 - the file is where a test may write
                patch.setenv(variable, value)
            settings = load_settings()
        ours = {variable.removeprefix(PREFIX).lower() for variable in variables if variable.startswith(PREFIX)}
        assert ours <= settings.model_fields_set, component
        assert ours <= type(settings).model_fields.keys()


def test_a_large_number_stays_a_number_and_a_component_overrules_the_whole() -> None:
    found = {component: environment_of(pod) for component, pod in pods(rendered("all"))}
    assert {component: env[f"{PREFIX}MAX_PROOF_BYTES"] for component, env in found.items()} == {
        **dict.fromkeys(("topics", "gateway", "router", "table"), "9000000"),
        "worker": "8000000",
    }
    assert found["worker"][f"{PREFIX}PATIENCE"] == "2.5"


def test_names_are_those_of_the_pods_with_their_namespace() -> None:
    found = {
        component: environment_of(pod).get(f"{PREFIX}GROUP_INSTANCE_ID") for component, pod in pods(rendered("all"))
    }
    assert found == {
        "worker": "east-lean.sv-worker-0",
        **dict.fromkeys(("router", "table"), "lean.sv-worker-0"),
        **dict.fromkeys(("gateway", "topics")),
    }
    # Only what has names of its own that a pod keeps may have one of a group.
    assert one(rendered("all"), "StatefulSet", "worker")["spec"]["podManagementPolicy"] == "Parallel"
    assert one(rendered("all"), "Deployment", "gateway")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--set", "worker.drainTimeout=1"),
        ("--set", "worker.drainTimeout=7200,gateway.drainTimeout=7200"),
        ("--set", "gateway.preStopSeconds=600"),
        ("--set", "gateway.preStopSeconds=0,table.preStopSeconds=0"),
    ],
)
def test_the_grace_outlasts_pause_and_drain(arguments: tuple[str, ...]) -> None:
    switched_on = "router.enabled=true,table.enabled=true,gateway.enabled=true,gateway.withoutKeys=true"
    seen = set()
    for component, pod in pods(rendered("default", "--set", switched_on, *arguments)):
        if component == "topics":
            continue
        seen.add(component)
        [container] = pod["containers"]
        pause = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        assert pause[0] == "sleep"
        drain = load_settings(drain_timeout=environment_of(pod)[f"{PREFIX}DRAIN_TIMEOUT"]).drain_timeout
        assert pod["terminationGracePeriodSeconds"] >= int(pause[1]) + drain + 10
    assert seen == {"worker", "gateway", "router", "table"}


def test_probes_ask_what_is_there() -> None:
    for component, pod in pods(rendered("all")):
        if component == "topics":
            continue
        [container] = pod["containers"]
        paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
        # Whether a broker answers is no reason to end a pod.
        assert paths == {"startup": "/live", "liveness": "/live", "readiness": "/ready"}
        [port] = container["ports"]
        env = environment_of(pod)
        assert port["containerPort"] == int(env.get(f"{PREFIX}GATEWAY_PORT") or env[f"{PREFIX}HTTP_PORT"])
        assert port["containerPort"] in {FIRST_PORT, load_settings().gateway_port}
        assert container["args"] == [component]


@pytest.mark.parametrize(("name", "imports"), [("default", 300), ("all", 900)])
def test_a_worker_may_start_for_longer_than_an_import(name: str, imports: int) -> None:
    [container] = dict(pods(rendered(name)))["worker"]["containers"]
    probe = container["startupProbe"]
    assert load_settings().import_timeout == 300
    assert probe["periodSeconds"] * probe["failureThreshold"] > imports


@pytest.mark.parametrize("name", ["default", "all", "minimal"])
def test_every_pod_is_confined(name: str) -> None:
    for component, pod in pods(rendered(name)):
        # A Service would be a variable STREAMVERIFY_GATEWAY_PORT=tcp://… of every pod.
        assert pod["enableServiceLinks"] is False
        assert pod["automountServiceAccountToken"] is False
        whole = pod["securityContext"]
        assert (whole["runAsNonRoot"], whole["runAsUser"], whole["runAsGroup"]) == (True, 10001, 10001)
        [container] = pod["containers"]
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
        volumes = {each["name"]: each for each in pod["volumes"]}
        assert "emptyDir" in volumes[mounts["/tmp"]]
        needs_more = component == "worker" and name != "minimal"
        assert ("procMount" in own, "appArmorProfile" in own, "hostUsers" in pod) == (needs_more,) * 3
        assert (whole["seccompProfile"] == {"type": "RuntimeDefault"}) is not needs_more


def test_scaling_looks_at_a_metric_of_the_workers_and_waits_for_a_drain() -> None:
    scaled = one(rendered("all"), "ScaledObject", "worker")["spec"]
    [trigger] = scaled["triggers"]
    [metric] = set(re.findall(r"streamverify_\w+", trigger["metadata"]["query"]))
    assert Process.WORKER in METRICS[metric].processes
    assert 'namespace="lean"' in trigger["metadata"]["query"]
    assert trigger["metadata"]["ignoreNullValues"] == "false"
    workers = one(rendered("all"), "StatefulSet", "worker")["spec"]
    assert "replicas" not in workers
    assert scaled["scaleTargetRef"]["name"] == "prover-worker"
    grace = workers["template"]["spec"]["terminationGracePeriodSeconds"]
    session = 120
    down = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] > grace + session
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": down["stabilizationWindowSeconds"]}]
    assert scaled["maxReplicaCount"] <= 24


@pytest.mark.parametrize("store", ["redis://cache", "redis://cache/0", "rediss://:word@cache:6380/1", "none"])
def test_a_worker_reaches_its_cache_and_its_brokers_alone(store: str) -> None:
    objects = rendered("default", "--set", f"cache.store={store}", "--set", "cache.existingSecret=keys")
    ports = [
        port["port"] for rule in one(objects, "NetworkPolicy", "worker")["spec"]["egress"] for port in rule["ports"]
    ]
    expected = {"redis://cache": [6379], "redis://cache/0": [6379], "rediss://:word@cache:6380/1": [6380]}
    assert ports == [53, 53, 9092, *expected.get(store, []), FIRST_PORT]


def test_only_who_is_named_reaches_a_port() -> None:
    policies = {
        component: one(rendered("all"), "NetworkPolicy", component)["spec"]
        for component in ("worker", "gateway", "table")
    }
    reached = {
        component: [port["port"] for port in spec["ingress"][0]["ports"]] for component, spec in policies.items()
    }
    assert reached == {"worker": [FIRST_PORT], "gateway": [8000], "table": [FIRST_PORT]}
    release = {"app.kubernetes.io/name": "streamverify", "app.kubernetes.io/instance": "sv"}
    peers = {"podSelector": {"matchLabels": release}}
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    team = {"namespaceSelector": {"matchLabels": {"team": "lean"}}}
    assert policies["worker"]["ingress"][0]["from"] == [monitoring, peers]
    assert policies["gateway"]["ingress"][0]["from"] == [team, monitoring]
    assert policies["table"]["ingress"][0]["from"] == [team, monitoring, peers]
    kafka = policies["worker"]["egress"][1]
    assert [port["port"] for port in kafka["ports"]] == [9094, 9095, 9096, 9097]
    assert kafka["to"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}]


def test_every_image_is_the_one_that_is_named() -> None:
    [by_default] = {pod["containers"][0]["image"] for _, pod in pods(rendered("default"))}
    assert by_default.startswith("streamverify:")
    [named] = {pod["containers"][0]["image"] for _, pod in pods(rendered("all"))}
    assert named.startswith("registry.example.org/team/streamverify:0.1.0-core@sha256:")


def test_jobs_of_prometheus_have_the_names_that_the_alerts_know() -> None:
    for process in Process:
        [endpoint] = one(rendered("all"), "ServiceMonitor", process)["spec"]["endpoints"]
        assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": f"streamverify-{process}"}]
        assert endpoint["path"] == "/metrics"
