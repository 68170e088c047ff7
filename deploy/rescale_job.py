"""Make the Kubernetes Job that changes the number of shards, from the StatefulSet as it is in the cluster.

    kubectl -n crosscurrent get statefulset crosscurrent -o json \\
        | python -m deploy.rescale_job --from 4 --to 6 | kubectl -n crosscurrent apply -f -

The runbook has the steps around it ("Change the number of shards"). It needs Python's own library alone. The Job has
the StatefulSet's image, config, secrets and rights, and mounts the volume of every old and every new process. Claims of
volumes that are not there yet are made with the names that the StatefulSet's pods look for.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

NETWORK = "network"
VOLUMES = "/volumes"


def rescale_job(
    statefulset: dict[str, Any], old: int, new: int, memory: str = "8Gi", lost_network: bool = False
) -> dict[str, Any]:
    """Return a List of claims and the Job. statefulset: of the shards, or of the single process (old = 1).

    memory: what the Job asks for; it holds the state of all shards at once. lost_network: whether the claim of the
    network's volume is gone.
    """
    meta, spec = statefulset["metadata"], statefulset["spec"]
    (template,) = spec["volumeClaimTemplates"]
    mount, name = template["metadata"]["name"], meta["name"]
    claims = {f"shard-{n}": f"{mount}-{name}-{n}" for n in range(max(old, new))}
    claims[NETWORK] = f"{mount}-{name}-{NETWORK}-0"
    fresh = [f"shard-{n}" for n in range(old, new)] + [NETWORK] * (old == 1 or lost_network)
    namespace = {"namespace": meta["namespace"]} if "namespace" in meta else {}
    found: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claims[place], **namespace},
            "spec": {key: value for key, value in template["spec"].items() if key != "volumeName"},
        }
        for place in fresh
    ]
    found.append(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": f"{name}-rescale", **namespace},
            "spec": {
                "backoffLimit": 2,
                "template": _pod(spec["template"]["spec"], mount, claims, new, memory),
            },
        }
    )
    return {"apiVersion": "v1", "kind": "List", "items": found}


def _pod(pod: dict[str, Any], mount: str, claims: dict[str, str], count: int, memory: str) -> dict[str, Any]:
    """Return the Job's pod. pod: of a shard. mount: the name of its checkpoints' volume."""
    (container,) = pod["containers"]
    kept = ("image", "imagePullPolicy", "securityContext", "envFrom")
    where = [one for one in container["volumeMounts"] if one["name"] != mount]
    config = container["args"][container["args"].index("--config") + 1]
    made = {key: container[key] for key in kept if key in container} | {
        "name": "rescale",
        "args": ["rescale", "--config", config, "--count", str(count), "--volumes", VOLUMES],
        "env": [
            *(one for one in container.get("env", ()) if one["name"] != "CROSSCURRENT_SHARDS__INDEX"),
            {"name": "CROSSCURRENT_CACHE", "value": f"{VOLUMES}/shard-0/cache"},  # as that shard left it
        ],
        "resources": {"requests": {"cpu": "1", "memory": memory}},
        "volumeMounts": [*where, *({"name": place, "mountPath": f"{VOLUMES}/{place}"} for place in claims)],
    }
    volumes = [one for one in pod.get("volumes", ()) if one["name"] != mount]
    volumes += [
        {"name": place, "persistentVolumeClaim": {"claimName": claim}} for place, claim in claims.items()
    ]
    usual = (
        "serviceAccountName", "automountServiceAccountToken", "securityContext", "imagePullSecrets", "nodeSelector",
        "tolerations",
    )  # fmt: skip
    kept_of_pod = {key: pod[key] for key in usual if key in pod}
    return {
        # Not the label of the service: a disruption budget counts no Jobs.
        "metadata": {"labels": {"app.kubernetes.io/name": "crosscurrent-rescale"}},
        "spec": kept_of_pod | {"restartPolicy": "Never", "containers": [made], "volumes": volumes},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the Job that changes the number of shards.")
    parser.add_argument("--from", dest="old", type=int, required=True, help="number of shards now")
    parser.add_argument("--to", dest="new", type=int, required=True, help="number of shards from now on")
    parser.add_argument("--memory", default="8Gi", help="memory that the Job asks for (8Gi)")
    parser.add_argument(
        "--lost-network", action="store_true", help="make the claim of the network's volume, which is gone"
    )
    given = parser.parse_args()
    job = rescale_job(json.load(sys.stdin), given.old, given.new, given.memory, given.lost_network)
    json.dump(job, sys.stdout, indent=1)
