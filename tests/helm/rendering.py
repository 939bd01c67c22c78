"""Runs Helm on the chart, and finds in what it renders what tests look at."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

HELM = ROOT / ".helm" / "bin" / "helm"
"""The one that `make check-helm` builds: another version would render something else."""
CHART = ROOT / "deploy" / "helm"
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
REFUSED = sorted((CHART / "ci" / "refused").glob("*.yaml"))
VERSIONS = ("1.30.0", "1.33.0", "1.37.0")
"""Versions of Kubernetes: the oldest of the chart, the one from which sandboxes need no switches, and a new one."""

Object = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm, which reads nothing but the chart."""
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False, timeout=300)


@cache
def rendered(name: str, *more: str) -> tuple[Object, ...]:
    """Render the chart with the values `ci/NAME-values.yaml`, and `more` arguments, as Helm sends it to a cluster."""
    done = helm(
        "template",
        "sv",
        str(CHART),
        "--namespace",
        "lean",
        "--values",
        str(CHART / "ci" / f"{name}-values.yaml"),
        *more,
    )
    assert done.returncode == 0, done.stderr
    return tuple(found for found in yaml.safe_load_all(done.stdout) if found)


def one(objects: tuple[Object, ...], kind: str, component: str) -> Object:
    """The object of a kind that belongs to a component."""
    [found] = [
        each
        for each in objects
        if each["kind"] == kind and each["metadata"]["labels"]["app.kubernetes.io/component"] == component
    ]
    return found


def pods(objects: tuple[Object, ...]) -> Iterator[tuple[str, Object]]:
    """Each pod that a workload makes: its component, and its spec."""
    for each in objects:
        if each["kind"] in {"StatefulSet", "Deployment", "Job"}:
            template = each["spec"]["template"]
            yield template["metadata"]["labels"]["app.kubernetes.io/component"], template["spec"]


def environment_of(pod: Object) -> dict[str, str]:
    """The variables of a pod's container, with something for those from Secrets and from the pod itself."""
    [container] = pod["containers"]
    assert len({each["name"] for each in container["env"]}) == len(container["env"]), "a variable twice"
    fields = {"POD_NAME": "sv-worker-0", "POD_NAMESPACE": "lean"}
    stand_ins = {
        "STREAMVERIFY_API_KEYS": "somebody=0123456789abcdef",
        "STREAMVERIFY_CACHE": "redis://:secret@cache.example.org:6380/0",
        "STREAMVERIFY_CACHE_KEY": "0123456789abcdef0123456789abcdef",
    }
    found = {
        each["name"]: each.get("value") or fields.get(each["name"]) or stand_ins.get(each["name"], "secret")
        for each in container["env"]
    }
    for variable, of_pod in fields.items():
        found = {name: value.replace(f"$({variable})", of_pod) for name, value in found.items()}
    return found
