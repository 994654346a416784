"""How does a service run together with its Redis, its clients and the Prometheus that watches it, all on the loopback?

tools/test-monitoring asks it what it needs to know. Only processes started here are ended.
"""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.parse
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "kana"
LABELS = {"namespace": "demo", "app_kubernetes_io_instance": "kana"}
# Longest wait for anything, in seconds.
PATIENCE = 60
# One lease is shorter than the chart's, so that jobs of a worker that stands still are lost soon; one failed attempt is enough.
LIMITS = ["--jobs-max", "500", "--lease", "3s", "--attempts-max", "1"]

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side, ink):
    """A grey picture of side × side pixels; `ink` says how dark each is."""
    rows = b"".join(b"\0" + bytes(ink(x, y) for x in range(side)) for y in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PICTURE = png(28, lambda x, y: 255 if 12 <= x < 16 or 12 <= y < 16 else 0)


def request(port, method, path, body=None, kind="application/json", timeout=30):
    """The status and the body of an answer; status 0 where nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers={"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def until(what, condition, patience=PATIENCE):
    """Waits until `condition` is true, and returns how long that took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > patience:
            raise SystemExit(f"test-monitoring: after {patience} s still not: {what() if callable(what) else what}")
        time.sleep(0.1)
    return time.monotonic() - start


def tool(name):
    fetched = ROOT / "target/prometheus/usr/bin" / name
    return str(fetched) if fetched.exists() else name


def listening_port(pid):
    """The port on which a process listens, by Linux's tables; none where it does not."""
    try:
        links = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
        rows = [line.split() for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    except OSError:
        return None
    sockets = {link[8:-1] for link in links if link.startswith("socket:[")}
    return next((int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[9] in sockets), None)


def workers_of(pid):
    """The workers that a process started: name and pid."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rsplit(") ", 1)[1].split()[1])
            words = path.with_name("cmdline").read_text().split("\0")
        except (OSError, IndexError):
            continue
        if parent == pid and "worker" in words and "--name" in words:
            found[words[words.index("--name") + 1]] = int(path.parent.name)
    return found


class Processes:
    """The processes that this test started, and what it needs to start each again."""

    def __init__(self, folder):
        self.folder, self.running = folder, {}

    def start(self, name, *command):
        with open(self.folder / f"{name}.log", "ab") as log:
            # A Redis that may not write to its disk gets an error, as from a full one, and no signal.
            keep = lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            self.running[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=keep)
        return self.running[name]

    def end(self, name, how=signal.SIGTERM):
        process = self.running.pop(name)
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def end_all(self):
        for name in reversed(list(self.running)):
            self.end(name)


class Service:
    """The service under test, and those who watch it."""

    def __init__(self, folder):
        self.folder, self.processes = folder, Processes(folder)
        self.http, self.health, self.redis, self.exporter, self.prometheus = (free_port() for _ in range(5))
        # A copy, which a fault takes away.
        self.program = folder / "kana"
        shutil.copy2(PROGRAM, self.program)
        self.is_over, self.firing, self.fired = threading.Event(), set(), set()
        self.slowest = 0

    def start_redis(self):
        self.processes.start("redis", "redis-server", "--port", str(self.redis), "--bind", "127.0.0.1", "--dir", str(self.folder),
                             "--save", "", "--appendonly", "yes", "--maxmemory", "64mb", "--maxmemory-policy", "noeviction")

    def start_gateway(self):
        self.processes.start("kana", str(self.program), "up", "--listen", f"127.0.0.1:{self.http}", "--health-listen",
                             f"127.0.0.1:{self.health}", "--data-dir", str(self.folder / "data"), "--queue", self.queue(),
                             "--min", "2", "--max", "3", *LIMITS)

    def start_worker(self, name, *flags):
        self.processes.start(name, str(PROGRAM), "worker", "--name", name, "--queue", self.queue(), "--listen", "127.0.0.1:0",
                             *LIMITS, *flags)

    def queue(self):
        return f"redis://127.0.0.1:{self.redis}"

    def start(self, rules):
        """Starts everything; `rules` is what Prometheus evaluates."""
        self.start_redis()
        until("Redis answers", lambda: self.ask_redis("PING") == "+PONG")
        self.start_gateway()
        self.processes.start("exporter", tool("prometheus-redis-exporter"), "-redis.addr", self.queue(),
                             "-web.listen-address", f"127.0.0.1:{self.exporter}")
        self.write_targets()
        (self.folder / "rules.yaml").write_text(rules)
        scrape = {"job_name": "kana", "file_sd_configs": [{"files": [str(self.folder / "targets.json")], "refresh_interval": "1s"}]}
        times = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config = {"global": times, "scrape_configs": [scrape], "rule_files": [str(self.folder / "rules.yaml")]}
        (self.folder / "prometheus.yaml").write_text(json.dumps(config))
        self.processes.start("prometheus", tool("prometheus"), f"--config.file={self.folder}/prometheus.yaml",
                             f"--storage.tsdb.path={self.folder}/tsdb", f"--web.listen-address=127.0.0.1:{self.prometheus}")
        until("kana is ready", lambda: request(self.http, "GET", "/readyz")[0] == 200)
        until("Prometheus is ready", lambda: request(self.prometheus, "GET", "/-/ready")[0] == 200)
        for repeated in [self.write_targets, self.watch_alerts] + [self.classify] * 8:
            threading.Thread(target=self.repeat, args=(repeated,), daemon=True).start()

    def repeat(self, action):
        while not self.is_over.is_set():
            action()

    def write_targets(self):
        """Says to Prometheus what there is to scrape: what the chart's monitors find on a cluster."""
        kana = self.processes.running.get("kana")
        pods = {name: process.pid for name, process in self.processes.running.items() if name.startswith("worker-")}
        pods.update(workers_of(kana.pid) if kana else {})
        places = [("gateway", "gateway-a", self.health), ("exporter", "redis-0", self.exporter)]
        places += [("worker", name, port) for name, pid in pods.items() if (port := listening_port(pid))]
        targets = [{"targets": [f"127.0.0.1:{port}"], "labels": {**LABELS, "pod": pod, "container": role}} for role, pod, port in places]
        (self.folder / "targets.new").write_text(json.dumps(targets))
        os.replace(self.folder / "targets.new", self.folder / "targets.json")
        time.sleep(0.3)

    def watch_alerts(self):
        status, body = request(self.prometheus, "GET", "/api/v1/alerts")
        if status == 200:
            alerts = json.loads(body)["data"]["alerts"]
            self.firing = {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}
            self.fired |= self.firing
        time.sleep(0.3)

    def classify(self):
        """One of eight clients, which wait for their answers: about 30 images a second together."""
        start = time.monotonic()
        status, _ = request(self.http, "POST", "/v1/classify?wait=4s", PICTURE, "image/png")
        self.slowest = max(self.slowest, time.monotonic() - start)
        time.sleep(0.25 if status else 0.5)

    def submit(self, images):
        part = b'--b\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n' + PICTURE + b"\r\n"
        return request(self.http, "POST", "/v1/jobs", part * images + b"--b--\r\n", "multipart/form-data; boundary=b")[0]

    def works(self):
        """Whether a picture is answered at once."""
        status, body = request(self.http, "POST", "/v1/classify?wait=1s", PICTURE, "image/png")
        return status == 200 and b'"done"' in body

    def stop_worker(self, mode):
        """Stops a worker by the API; returns whether it was there."""
        status, body = request(self.http, "GET", "/v1/pods")
        ready = [pod["name"] for pod in json.loads(body) if pod["phase"] == "ready"] if status == 200 else []
        return bool(ready) and request(self.http, "DELETE", f"/v1/pods/{ready[0]}?mode={mode}")[0] < 300

    def ask_redis(self, command):
        try:
            with socket.create_connection(("127.0.0.1", self.redis), 2) as connection:
                connection.sendall(f"{command}\r\n".encode())
                return connection.recv(1000).decode().strip()
        except OSError:
            return ""

    def ask(self, path, **parameters):
        status, body = request(self.prometheus, "GET", f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        if status != 200:
            raise SystemExit(f"test-monitoring: Prometheus refuses {path} {parameters}: {body.decode()}")
        return json.loads(body)["data"]

    def has_data(self, query):
        values = [row["value"][1] for row in self.ask("query", query=query)["result"]]
        return any(value != "NaN" for value in values)
