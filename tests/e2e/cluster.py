"""How do the end-to-end tests speak to a cluster? By kubectl and helm, as people do; KUBECONFIG says to which."""
import json
import subprocess
import time

# Anything that a test waits for happens within this many seconds, on slow nodes too.
PATIENCE = 180
# Between two looks at what is waited for. No test depends on it.
LOOK_SECONDS = 0.5


class Failed(Exception):
    """What should hold does not; the text says what was found instead."""


def run(*command, stdin=None, check=True):
    """Runs it; its output, or Failed with what it said."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(command[:12])}: {done.stderr.strip() or done.stdout.strip()}")
    return done


def kubectl(*arguments, stdin=None, check=True):
    """What kubectl prints."""
    return run("kubectl", *arguments, stdin=stdin, check=check).stdout


def get(*arguments):
    """What kubectl gets, as JSON."""
    return json.loads(kubectl("get", *arguments, "-o", "json"))


def eventually(what, look, seconds=PATIENCE):
    """The first answer of `look` that is not empty. Failed lookups count as empty."""
    end, trouble = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            found = look()
            if found:
                return found
            trouble = None
        except (Failed, OSError, ValueError) as error:
            trouble = error
        time.sleep(LOOK_SECONDS)
    raise Failed(f"not within {seconds} s: {what}" + (f" ({trouble})" if trouble else ""))


def expect(condition, what):
    """Ends the test where the condition does not hold."""
    if not condition:
        raise Failed(what)


def lacking():
    """What this cluster lacks for the tests, each in words that say what to do."""
    for program, where in (("kubectl", "kubernetes.io/docs/tasks/tools"), ("helm", "helm.sh/docs/intro/install")):
        if run("sh", "-c", f"command -v {program}", check=False).returncode != 0:
            yield f"{program}: https://{where}"
            return
    if run("kubectl", "version", check=False).returncode != 0:
        yield "a cluster that answers: set KUBECONFIG, or start one (minikube start)"
        return
    groups = kubectl("api-versions").split()
    if "metrics.k8s.io/v1beta1" not in groups:
        yield "metrics-server, for the HorizontalPodAutoscaler (minikube addons enable metrics-server)"
    if "keda.sh/v1alpha1" not in groups:
        yield "KEDA: https://keda.sh/docs/latest/deploy/"
