"""Does kana keep its promises on a real cluster? python3 tests/e2e [PROMISE…]

Runs against whatever KUBECONFIG names, in a namespace of its own that is deleted afterwards. The cluster must find the
images kana:VERSION and redis:7, or KANA_IMAGE and KANA_REDIS_IMAGE, and needs metrics-server and KEDA. The node is cordoned
and drained of this release's pods, and uncordoned. Python 3 alone, kubectl and helm.
"""
import os
import sys
import time

import scenarios
from cluster import Failed, kubectl, lacking
from release import Release

NAMESPACE = f"kana-e2e-{os.getpid()}"


def show(release):
    """What a person would look at after a failure."""
    for command in (["get", "pods", "-o", "wide"], ["get", "events", "--sort-by=.lastTimestamp"], ["get", "hpa"],
                    ["logs", "-l", "app.kubernetes.io/instance=kana", "--tail=15", "--prefix", "--ignore-errors"]):
        text = kubectl("-n", release.namespace, *command, check=False)
        print(f"--- kubectl {' '.join(command)}\n{text[-4000:]}", file=sys.stderr)


def attempt(promise, release):
    """Whether it holds."""
    begun = time.monotonic()
    try:
        found, verdict = promise(release), "ok"
    except (Failed, OSError) as error:
        found, verdict = str(error), "FAILED"
        # What comes next cannot rely on how this left things.
        release.values = None
    line = f"{verdict:6} {promise.__name__:20} {time.monotonic() - begun:5.0f} s  {promise.__doc__}"
    print(f"{line}\n{'':36}{found}" if found else line, flush=True)
    if verdict != "ok":
        show(release)
    return verdict == "ok"


def main(names):
    if missing := list(lacking()):
        sys.exit("the end-to-end tests need\n  " + "\n  ".join(missing))
    known = {promise.__name__: promise for promise in scenarios.ALL}
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"there is no {unknown[0]!r}; there are {', '.join(known)}")
    release = Release(NAMESPACE)
    release.prepare()
    try:
        kept = [attempt(known[name], release) for name in names or known]
    finally:
        release.close()
        kubectl("delete", "namespace", NAMESPACE, "--wait=false", check=False)
    print(f"e2e: {sum(kept)} of {len(kept)} promises kept")
    sys.exit(0 if all(kept) else 1)


main(sys.argv[1:])
