"""What does kana promise on a cluster? Each function is one promise, which its first line states; they run in this order."""
import copy
import json
import shlex
import time

from cluster import Failed, eventually, expect, get, kubectl, run
from release import NAME, Killer, timed

MISTAKES = "charts/kana/ci/mistakes.txt"
# The workers' number is what a test sets.
FIXED = {"autoscaling.mode": "none"}
QUICK = {**FIXED, "worker.inferenceDelay": "0s"}
HPA = {**QUICK, "autoscaling.mode": "hpa", "autoscaling.min": "1", "autoscaling.max": "3"}
KEDA = {**FIXED, "autoscaling.mode": "keda", "autoscaling.min": "0", "autoscaling.max": "3"}
# What a Deployment's controller goes by when it chooses whom to end.
COST = "controller.kubernetes.io/pod-deletion-cost"
# One of the mistakes is enough to see that the cluster's own Helm refuses, too; `make test-chart` tries them all.
MISTAKES_TRIED = 5
# Several periods of the readiness probe, after which a pod that fails it has left the Service.
PROBED_SECONDS = 8


def at_work(release, pods, count):
    """So many images, some of which so many pods have done, and others not yet."""
    release.become(FIXED)
    release.scale(pods)
    batch = release.submit(count)
    batch.part_done(0.1)
    return batch


def wrong_values(release):
    """Values that make no sense are refused with a reason, and nothing is installed."""
    lines = [line for line in open(MISTAKES, encoding="utf-8") if line.strip() and not line.startswith("#")]
    for line in lines[:MISTAKES_TRIED]:
        flags, _, reason = line.partition("|")
        refused = release.helm("install", {}, *shlex.split(flags), check=False)
        expect(refused.returncode != 0 and reason.strip() in refused.stderr, f"{flags}: {refused.stderr or 'installed'}")
    expect(not get("-n", release.namespace, "deployments")["items"], "something was installed in spite of a mistake")


def install(release):
    """The chart comes up in a namespace that enforces the Pod Security Standard "restricted"."""
    release.become(FIXED)

    expect(release.ask("GET", "/v1/scale")["by"] == "fixed", "the scale is not the chart's")
    pods = release.ask("GET", "/v1/pods")
    expect([pod["name"] for pod in pods] == release.pods(), f"the gateway shows {pods}")


def helm_test(release):
    """`helm test` has an image recognised."""
    release.become(FIXED)

    said = release.test()

    expect('"label":"す"' in said, said)


def twenty_one_images(release):
    """21 images through the Service come back, each once."""
    release.become(FIXED)

    lines = release.submit(21).outcomes()

    receipt = release.receipts(lines)
    expect(receipt == {"queued": 0, "running": 0, "done": 21, "failed": 0}, f"the receipt says {receipt}")


def five_hundred_images(release):
    """500 images through the Service come back, each once, and Redis has nothing left of them that waits."""
    release.become(QUICK)

    lines = release.submit(500).outcomes()

    expect(release.receipts(lines)["done"] == 500, "the receipts differ")
    queue = release.ask("GET", "/v1/status")["queue"]
    expect((queue["waiting"], queue["running"]) == (0, 0), f"left over: {queue}")


def two_pods(release):
    """Two pods of a tenth of a core each take well under the time of one."""
    release.become(QUICK)
    seconds = {}

    for pods in (1, 2):
        release.scale(pods)
        seconds[pods] = release.load("--requests=4000", "--concurrency=64")["seconds"]

    ratio = seconds[2] / seconds[1]
    expect(ratio < 0.75, f"two pods take {ratio:.2f} of the time of one")
    return f"{ratio:.2f} of the time; {4000 / seconds[1]:.0f} and {4000 / seconds[2]:.0f} images a second"


def stopped_pods(release):
    """Pods that are deleted, evicted and killed from the page while they work lose nothing, and are replaced."""
    batch = at_work(release, 3, 800)

    for mode in ("delete", "evict", "kill"):
        pod = release.pods()[0]
        release.ask("DELETE", f"/v1/pods/{pod}?mode={mode}")
        eventually(f"{pod} gone", lambda gone=pod: gone not in release.pods())
        eventually("three pods", lambda: release.ready() == 3)
    batch.under_way()

    lines = batch.outcomes()
    expect(release.receipts(lines)["done"] == 800, "the receipts differ")
    return f"done by {len({line['worker'] for line in lines})} pods"


def pods_killed(release):
    """While one of three pods is force-deleted every second, 500 images come back, each once."""
    batch = at_work(release, 3, 500)

    with Killer(release) as killer:
        lines = batch.outcomes()

    expect(killer.killed >= 3, f"only {killer.killed} pods were killed")
    expect(release.receipts(lines)["done"] == 500, "the receipts differ")
    return f"{killer.killed} killed"


def scaled_down(release):
    """Scaling from three pods to one while they work loses nothing."""
    batch = at_work(release, 3, 200)

    scale = release.ask("PUT", "/v1/scale", {"min": 1, "max": 1})

    expect(scale["max"] == 1, f"the scale is {scale}")
    eventually("one pod", lambda: len(release.pods()) == 1)
    batch.outcomes()


def idle_first(release):
    """Scaling in takes idle pods before the one that works, where workers may say which they are."""
    release.become({**FIXED, "worker.podDeletionCost": "true", "worker.inferenceDelay": "20s"})
    release.scale(3)
    batch = release.submit(1)
    busy = eventually("a pod at work", lambda: [pod["name"] for pod in release.ask("GET", "/v1/pods") if pod["in_flight"]])
    costs = lambda: {name: get("-n", release.namespace, "pod", name)["metadata"].get("annotations", {}).get(COST) for name in release.pods()}
    eventually("its word on it", lambda: int(costs()[busy[0]] or 0) > 0)

    release.ask("PUT", "/v1/scale", {"min": 1, "max": 1})

    eventually("one pod", lambda: len(release.pods()) == 1)
    [line] = batch.outcomes()
    expect(release.pods() == busy == [line["worker"]], f"{busy} worked, {line['worker']} answered, left is {release.pods()}")


def only_its_own(release):
    """No pod but a worker of this release can be stopped, and a right that is missing is named."""
    release.become(FIXED)
    [gateway] = release.pods("app.kubernetes.io/component=gateway")
    for name in (gateway, "kana-redis-0", "nobody"):
        status, text = release.answer("DELETE", f"/v1/pods/{name}")
        expect(status == 404, f"{name}: {status} {text}")
    role = get("-n", release.namespace, "role", "kana-gateway")
    role["metadata"] = {key: role["metadata"][key] for key in ("name", "labels", "annotations")}
    # In Helm's name: whoever else writes the rules owns them, and Helm refuses the next upgrade that changes them.
    put = lambda role: kubectl("-n", release.namespace, "apply", "--server-side", "--field-manager=helm", "-f", "-", stdin=json.dumps(role))
    poorer = copy.deepcopy(role)
    [rule] = [rule for rule in poorer["rules"] if rule["resources"] == ["pods"]]
    rule["verbs"].remove("delete")

    def refused():
        status, text = release.answer("DELETE", f"/v1/pods/{release.pods()[0]}?mode=delete")
        return status >= 400 and text

    put(poorer)
    try:
        said = eventually("a refusal", refused)
    finally:
        put(role)
    expect("delete" in said and "pods" in said, said)


def redis_killed(release):
    """Redis's pod is killed under work and comes back with its volume: nothing is lost, and no other pod restarts."""
    batch = at_work(release, 1, 150)

    release.kill("app.kubernetes.io/component=redis")

    batch.outcomes()
    restarts = [status["restartCount"] for pod in get("-n", release.namespace, "pods", "-l", f"app.kubernetes.io/instance={NAME}")["items"]
                for status in pod["status"]["containerStatuses"]]
    expect(sum(restarts) == 0, f"restarts: {restarts}")


def upgraded(release):
    """While an upgrade replaces every gateway and worker under load, no request fails."""
    release.become(FIXED)
    release.scale(2)
    before = set(release.pods() + release.pods("app.kubernetes.io/component=gateway"))
    load = release.begin_load("--duration=40s", "--concurrency=4")
    eventually("requests on their way", lambda: release.ask("GET", "/v1/status")["queue"]["per_second"] > 0)

    release.become({**FIXED, "worker.podAnnotations.e2e": "again", "gateway.podAnnotations.e2e": "again"})

    after = set(release.pods() + release.pods("app.kubernetes.io/component=gateway"))
    expect(not before & after, f"not replaced: {before & after}")
    expect(release.phase(load) == "Running", "the load ended before the upgrade did")
    report = release.report(load)
    expect(not report["errors"], f"of {report['done']} requests failed: {report['errors']}")
    return f"{report['done']} requests"


def drained(release):
    """A node that is drained under work lets go of every pod, and nothing is lost."""
    batch = at_work(release, 2, 200)
    node = get("-n", release.namespace, "pod", release.pods()[0])["spec"]["nodeName"]

    try:
        kubectl("drain", node, f"--pod-selector=app.kubernetes.io/instance={NAME}", "--ignore-daemonsets", "--delete-emptydir-data",
                "--timeout=120s")
    finally:
        kubectl("uncordon", node)

    batch.outcomes()


def scaled_by_cpu(release):
    """An HPA adds pods under load while pods are killed, and takes them away after; no request fails."""
    release.become(HPA)
    eventually("one pod", lambda: release.ready() == 1)
    load = release.begin_load("--duration=75s", "--concurrency=32")

    eventually("three pods", lambda: len(release.pods()) == 3)
    batch = release.submit(1500)
    with Killer(release) as killer:
        lines = batch.outcomes()

    expect(release.receipts(lines)["done"] == 1500, "the receipts differ")
    report = release.report(load)
    expect(not report["errors"], f"of {report['done']} requests failed: {report['errors']}")
    scale = release.ask("GET", "/v1/scale")
    expect((scale["by"], scale["min"], scale["max"]) == ("hpa", 1, 3), f"the scale is {scale}")
    _, took = timed(lambda: eventually("one pod again", lambda: len(release.pods()) == 1))
    return f"{killer.killed} killed; back to one pod {took:.0f} s after the load"


def range_moved(release):
    """The range set on the page is the HPA's, and survives an upgrade that does not change it."""
    release.become(HPA)

    release.ask("PUT", "/v1/scale", {"min": 2, "max": 4})

    bounds = lambda: [get("-n", release.namespace, "hpa", "kana-worker")["spec"][key] for key in ("minReplicas", "maxReplicas")]
    expect(bounds() == [2, 4], f"the HPA's range is {bounds()}")
    eventually("two pods", lambda: release.ready() == 2)
    release.become({**HPA, "worker.podAnnotations.e2e": "range"})
    expect(bounds() == [2, 4], f"after an upgrade the HPA's range is {bounds()}")


def held(release, mode):
    """The range, as the object that holds it has it."""
    kind, *fields = {"none": ("deployment", "replicas", "replicas"), "hpa": ("hpa", "minReplicas", "maxReplicas"),
                     "keda": ("scaledobject", "minReplicaCount", "maxReplicaCount")}[mode]
    spec = get("-n", release.namespace, kind, "kana-worker")["spec"]
    return [spec[field] for field in fields]


def set_range(release, mode, by, wanted):
    """Sets it on the page, or as people do by kubectl."""
    least, most = wanted
    if by == "page":
        release.ask("PUT", "/v1/scale", {"min": least, "max": most})
    elif mode == "none":
        kubectl("-n", release.namespace, "scale", "deployment", "kana-worker", f"--replicas={most}")
    else:
        kind, low, high = {"hpa": ("hpa", "minReplicas", "maxReplicas"),
                           "keda": ("scaledobject", "minReplicaCount", "maxReplicaCount")}[mode]
        patch = json.dumps({"spec": {low: least, high: most}})
        kubectl("-n", release.namespace, "patch", kind, "kana-worker", "--type=merge", "-p", patch)
    record = lambda: get("-n", release.namespace, "configmap", "kana-range")["data"].get("record", "")
    eventually("the record of it", lambda: f'"set":"{least}-{most}"' in record())


# Each takes over a minute, so not every way of scaling is tried with every program.
SCALED_BY = {"helm": {"none": ["page", "kubectl"], "hpa": ["page"], "keda": ["kubectl"]},
             "helm3": {"none": ["kubectl"], "hpa": ["page"], "keda": ["page"]}}


def roll_back(release, program):
    """After any scaling, a broken upgrade rolls back, with the range that a person set last."""
    on_failure = "--atomic" if program == "helm3" else "--rollback-on-failure"
    for mode, values, wanted in (("none", FIXED, [2, 2]), ("hpa", HPA, [2, 5]), ("keda", KEDA, [1, 5])):
        for by in SCALED_BY[program][mode]:
            release.remove()
            release.helm("install", values, "--wait", "--timeout=180s", program=program)
            good = get("-n", release.namespace, "deployment", "kana-gateway")["spec"]["template"]["spec"]["containers"][0]["image"]
            set_range(release, mode, by, wanted)

            broken = "--set-string=image.tag=broken"
            failed = release.helm("upgrade", values, broken, "--wait", "--timeout=15s", check=False, program=program)
            expect(failed.returncode != 0, "a broken version was installed")
            run(program, "rollback", NAME, "1", "-n", release.namespace, "--wait", "--timeout=120s")
            eventually(f"{wanted} after {mode}, {by}, rollback", lambda: held(release, mode) == wanted)
            release.helm("upgrade", values, broken, on_failure, "--timeout=15s", check=False, program=program)
            eventually(f"{wanted} after {mode}, {by}, {on_failure}", lambda: held(release, mode) == wanted)

            image = get("-n", release.namespace, "deployment", "kana-gateway")["spec"]["template"]["spec"]["containers"][0]["image"]
            expect(image == good, f"{mode}, {by}: left at {image}")
    release.remove()


def rolled_back(release):
    """After any scaling, a broken upgrade rolls back, by hand and by itself, and the range that a person set stays."""
    release.become(FIXED)
    roll_back(release, "helm")


def rolled_back_by_helm3(release):
    """The same with Helm 3, where there is one called helm3."""
    if run("sh", "-c", "command -v helm3", check=False).returncode != 0:
        return "no helm3 here"
    release.become(FIXED)
    return roll_back(release, "helm3")


def hpa_at_zero(release):
    """Workers that somebody set to 0 under an HPA are said to be paused, and setting the range wakes them."""
    release.become(HPA)
    kubectl("-n", release.namespace, "scale", "deployment", "kana-worker", "--replicas=0")
    eventually("the pause", lambda: "paused" in release.ask("GET", "/v1/scale"))

    scale = release.ask("PUT", "/v1/scale", {"min": 1, "max": 3})

    expect("paused" not in scale, f"still paused: {scale}")
    eventually("one pod", lambda: release.ready() == 1)


def without_redis(release):
    """While Redis is away gateways stay in the Service: the page is there, and requests get 503 with Retry-After."""
    release.become(FIXED)
    kubectl("-n", release.namespace, "scale", "statefulset", "kana-redis", "--replicas=0")
    try:
        eventually("503", lambda: release.answer("GET", "/v1/status")[0] == 503)
        # Longer than the probe needs to take a pod out of the Service.
        time.sleep(PROBED_SECONDS)
        expect(release.ready("app.kubernetes.io/component=gateway") == 1, "the gateway has left the Service")
        expect(release.answer("GET", "/")[0] == 200, "the page is gone")
        status, headers = release.headers("GET", "/v1/status")
        expect(status == 503 and headers.get("Retry-After"), f"{status} {dict(headers)}")
    finally:
        kubectl("-n", release.namespace, "scale", "statefulset", "kana-redis", "--replicas=1")
    eventually("the queue again", lambda: release.answer("GET", "/v1/status")[0] == 200)


def scaled_by_queue(release):
    """KEDA adds pods from none as images arrive, loses none while pods are killed, and takes all away after."""
    release.become(FIXED)
    release.become(KEDA)
    eventually("no pods", lambda: not release.pods())

    batch = release.submit(500)
    with Killer(release) as killer:
        _, begun = timed(lambda: batch.part_done(0.01))
        eventually("two pods or more", lambda: len(release.pods()) >= 2)
        lines = batch.outcomes()

    expect(release.receipts(lines)["done"] == 500, "the receipts differ")
    expect(killer.killed >= 3, f"only {killer.killed} pods were killed")
    scale = release.ask("GET", "/v1/scale")
    expect((scale["by"], scale["min"], scale["max"]) == ("keda", 0, 3), f"the scale is {scale}")
    _, took = timed(lambda: eventually("no pods again", lambda: not release.pods()))
    release.ask("PUT", "/v1/scale", {"min": 0, "max": 2})
    spec = get("-n", release.namespace, "scaledobject", "kana-worker")["spec"]
    expect((spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 2), f"the ScaledObject's range is {spec}")
    return f"{killer.killed} killed; first outcomes {begun:.0f} s after the client began; none left {took:.0f} s after the last"


def from_queue_to_cpu(release):
    """A release that KEDA took to no pods has them again once an HPA scales it."""
    release.become(FIXED)
    release.become(KEDA)
    eventually("no pods", lambda: not release.pods())

    release.become(HPA)

    eventually("one pod", lambda: release.ready() == 1)


def removed(release):
    """Uninstalling leaves nothing but what the namespace had."""
    release.become(FIXED)
    release.become(KEDA)
    release.remove()

    kinds = kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    kinds = [kind for kind in kinds if not kind.startswith("events") and "metrics.k8s.io" not in kind]

    def left():
        names = kubectl("-n", release.namespace, "get", ",".join(kinds), "-o", "name").split()
        ours = [name for name in names if name not in ("configmap/kube-root-ca.crt", "serviceaccount/default") and "client-" not in name]
        return ours

    def nothing():
        if left():
            raise Failed(", ".join(left()))
        return True

    eventually("nothing left", nothing)


ALL = [wrong_values, install, helm_test, twenty_one_images, five_hundred_images, two_pods, stopped_pods, pods_killed, scaled_down,
       idle_first, only_its_own, redis_killed, upgraded, drained, scaled_by_cpu, range_moved, hpa_at_zero, without_redis,
       scaled_by_queue, from_queue_to_cpu, rolled_back, rolled_back_by_helm3, removed]
