"""What does a test do with an installed chart? Installs it, sends it images from inside of the cluster, looks at its pods."""
import collections
import itertools
import json
import os
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request

from cluster import Failed, eventually, expect, get, kubectl, run

CHART = "charts/kana"
NAME = "kana"
KANA = os.environ.get("KANA_IMAGE", "")
REDIS = os.environ.get("KANA_REDIS_IMAGE", "")
WORKERS = "app.kubernetes.io/component=worker"
# The labels of the model that comes with kana, in the order in which `kana data samples` draws them.
CLASSES = 10
# Brush strokes differ, and the model is no oracle: at least so many of a hundred are read right.
READ_RIGHT_PERCENT = 90
# The phases of a pod whose program has ended.
ENDED = ("Succeeded", "Failed")
# What every test starts from: quick to scale in, and pods slow enough that a test can act while images are on their way.
BASE = {
    "worker.resources.requests.cpu": "100m",
    "worker.resources.limits.cpu": "100m",
    "worker.inferenceDelay": "100ms",
    "autoscaling.scaleDown.stabilizationSeconds": "0",
    "autoscaling.scaleDown.percent": "100",
    "autoscaling.scaleDown.periodSeconds": "5",
    "autoscaling.keda.cooldownSeconds": "5",
}
CLIENT = """
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {e2e: client}}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  volumes: [{name: samples, emptyDir: {}}]
  initContainers:
    - name: draw
      image: IMAGE
      args: [data, samples, --count, "COUNT", --out, /samples]
      securityContext: &s {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      volumeMounts: &v [{name: samples, mountPath: /samples}]
  containers:
    - name: client
      image: IMAGE
      args: ARGS
      env:
        - {name: KANA_SERVER, value: "http://kana"}
        - {name: KANA_PATIENCE, value: 120s}
        - {name: KANA_TOKEN, valueFrom: {secretKeyRef: {name: kana-tokens, key: client}}}
      securityContext: *s
      volumeMounts: *v
"""


def images(names):
    """--set flags that name an image: registry/repository:tag, as `docker run` takes it."""
    for key, image in names.items():
        if image:
            repository, _, tag = image.rpartition(":")
            expect(repository, f"{key}: {image!r} has no tag")
            yield from (f"--set={key}.repository={repository}", f"--set-string={key}.tag={tag}")


class Batch:
    """Images that a pod of the cluster sends through the Service, and what it was answered."""

    def __init__(self, release, count):
        self.release, self.namespace, self.count = release, release.namespace, count
        self.done_before = self.queue()["done"]
        files = [f"/samples/sample_{number}.png" for number in range(count)]
        self.pod = release.client(count, ["submit", *files])

    def queue(self):
        return self.release.ask("GET", "/v1/status")["queue"]

    def over(self):
        return self.release.phase(self.pod) in ENDED

    def part_done(self, part):
        """Waits until this part of the images has its outcome, and some have not."""
        eventually(f"{part:.0%} of {self.count} images done", lambda: self.queue()["done"] - self.done_before >= part * self.count)
        self.under_way()

    def under_way(self):
        """Fails where all images have their outcomes already, so that nothing would be proven by what happens next."""
        queue = self.queue()
        expect(queue["waiting"] + queue["running"], f"all {self.count} images were done too early")

    def outcomes(self):
        """Every image's outcome: each one once, done, and read as what was drawn but for a few. Lines as printed."""
        eventually(f"the end of {self.pod}", self.over)
        text = kubectl("-n", self.namespace, "logs", self.pod, "-c", "client")
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        names = collections.Counter(line["filename"] for line in lines)
        wanted = {f"sample_{number}.png" for number in range(self.count)}
        expect(set(names) == wanted and max(names.values()) == 1, f"of {self.count} images {len(wanted - set(names))} came back never, "
               f"{sum(count > 1 for count in names.values())} more than once:\n{text[-2000:]}")
        failed = [line for line in lines if line["state"] != "done"]
        expect(not failed, f"{len(failed)} of {self.count} failed, the first: {failed[:1]}")
        right = sum(line["class"] == int(re.findall(r"\d+", line["filename"])[0]) % CLASSES for line in lines)
        expect(100 * right >= READ_RIGHT_PERCENT * self.count, f"only {right} of {self.count} were read right")
        return lines


class Release:
    """The chart, installed as `kana` in a namespace of its own that takes no pod below PSS "restricted"."""

    def __init__(self, namespace):
        self.namespace, self.values, self.forward, self.numbers = namespace, None, None, itertools.count()

    def prepare(self):
        kubectl("create", "namespace", self.namespace)
        kubectl("label", "namespace", self.namespace, "pod-security.kubernetes.io/enforce=restricted")

    def helm(self, verb, values, *more, check=True, program="helm"):
        flags = [f"--set={key}={value}" for key, value in {**BASE, **values}.items()]
        named = images({"image": KANA, "redis.image": REDIS})
        return run(program, verb, NAME, CHART, "-n", self.namespace, *flags, *named, *more, check=check)

    def become(self, values, *more):
        """Installs or upgrades to exactly these values beside BASE, and waits until all of it is ready."""
        if self.values != values:
            self.helm("upgrade", values, "--install", "--wait", "--timeout=180s", *more)
            self.values = dict(values)
            # A gateway that is on its way out would still answer.
            self.close()

    def remove(self):
        self.close()
        run("helm", "uninstall", NAME, "-n", self.namespace, "--wait", "--timeout=120s")
        self.values = None

    def test(self):
        """What `helm test` prints."""
        return run("helm", "test", NAME, "-n", self.namespace, "--logs", "--timeout=180s").stdout

    # Images.

    def client(self, count, arguments):
        """A pod that runs the program of the gateway's own image, with so many drawn images at hand."""
        pod = f"client-{next(self.numbers)}"
        gateway = get("-n", self.namespace, "deployment", "kana-gateway")["spec"]["template"]["spec"]
        text = CLIENT.replace("NAME", pod).replace("IMAGE", gateway["containers"][0]["image"]).replace("COUNT", str(count))
        kubectl("-n", self.namespace, "apply", "-f", "-", stdin=text.replace("ARGS", json.dumps(arguments)))
        return pod

    def submit(self, count):
        """Begins to send so many images."""
        return Batch(self, count)

    def begin_load(self, *arguments):
        """Begins to send requests by `kana bench`; the pod that does."""
        return self.client(1, ["bench", "--json", *arguments])

    def phase(self, pod):
        return get("-n", self.namespace, "pod", pod)["status"]["phase"]

    def report(self, pod):
        """What `kana bench` reports in the end."""
        eventually(f"the end of {pod}", lambda: self.phase(pod) in ENDED)
        text = kubectl("-n", self.namespace, "logs", pod, "-c", "client")
        return json.loads(next(line for line in text.splitlines() if line.startswith("{")))

    def load(self, *arguments):
        return self.report(self.begin_load(*arguments))

    def receipts(self, lines):
        """What the gateway says of the batches that these outcomes came in: the counts by state, added up."""
        counts = collections.Counter()
        for batch in {line["batch"] for line in lines}:
            counts.update(self.ask("GET", f"/v1/batches/{batch}")["counts"])
        return counts

    # Pods.

    def listed(self, selector):
        found = get("-n", self.namespace, "pods", "-l", f"app.kubernetes.io/instance={NAME},{selector}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def pods(self, selector=WORKERS):
        """Names of those that have not been told to end."""
        return [pod["metadata"]["name"] for pod in self.listed(selector)]

    def ready(self, selector=WORKERS):
        """How many of them are ready."""
        conditions = [pod["status"].get("conditions", []) for pod in self.listed(selector)]
        return sum({"type": "Ready", "status": "True"}.items() <= condition.items() for pod in conditions for condition in pod)

    def scale(self, count):
        """Has so many workers, from the page, and waits until they are ready."""
        self.ask("PUT", "/v1/scale", {"min": count, "max": count})
        eventually(f"{count} pods", lambda: self.ready() == count == len(self.pods()))

    def kill(self, selector=WORKERS):
        """Takes one pod away without a word to it, and says which; None where there is none."""
        for pod in self.pods(selector)[:1]:
            kubectl("-n", self.namespace, "delete", "pod", pod, "--force", "--grace-period=0", "--wait=false", check=False)
            return pod
        return None

    # HTTP, by way of `kubectl port-forward`.

    def ask(self, method, path, body=None):
        """The gateway's answer as JSON; Failed with its problem's detail where it refuses."""
        status, text = self.answer(method, path, body)
        if status >= 400:
            raise Failed(f"{method} {path}: {status} {text}")
        return json.loads(text) if text else None

    def answer(self, method, path, body=None):
        """Status and body. The pod behind an old connection may be gone; then another is made."""
        try:
            return self.answer_once(method, path, body)
        except OSError:
            self.close()
            return self.answer_once(method, path, body)

    def answer_once(self, method, path, body):
        request = urllib.request.Request(self.url() + path, method=method, data=body and json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {self.token()}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def headers(self, method, path):
        """Status and headers."""
        request = urllib.request.Request(self.url() + path, method=method, headers={"Authorization": f"Bearer {self.token()}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.headers

    def token(self):
        return kubectl("-n", self.namespace, "get", "secret", "kana-tokens", "-o", "go-template={{.data.operator | base64decode}}")

    def url(self):
        if self.forward is None or self.forward[0].poll() is not None:
            self.close()
            command = ["kubectl", "-n", self.namespace, "port-forward", "service/kana", ":80"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            if not found:
                process.kill()
                raise Failed("kubectl port-forward found no gateway")
            self.forward = process, found[1]
        return f"http://127.0.0.1:{self.forward[1]}"

    def close(self):
        if self.forward:
            self.forward[0].kill()
            self.forward[0].wait()
            self.forward = None


class Killer:
    """Takes a pod away without a word to it, once a second, for as long as this is entered."""

    EVERY_SECONDS = 1.0

    def __init__(self, release, selector=WORKERS):
        self.release, self.selector, self.killed, self.over = release, selector, 0, threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.over.wait(self.EVERY_SECONDS):
            self.killed += self.release.kill(self.selector) is not None

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def timed(work):
    """What it returns, and how many seconds it took."""
    begun = time.monotonic()
    return work(), time.monotonic() - begun
