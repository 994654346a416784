"""What do processes cost, and how do they end?

Processes are known by their own ids. A service may start children; all figures count them. A child is ended only if this
program's own process is its ancestor, and never by its name.
"""
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")
PROC = pathlib.Path("/proc")
# Time that a service has to end by itself, and to start, in seconds.
STOP_MAX, START_MAX = 8, 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status_fields(pid):
    """The fields of /proc/PID/stat from the state (the third) on."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def tree(pid):
    """A process and all that descend from it, itself first."""
    children = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(int(status_fields(entry.name)[1]), []).append(int(entry.name))
            except (OSError, IndexError):
                pass
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def name(pid):
    """What a process is, in a word or two: the role of a kana, else its program or what Python calls it."""
    words = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    text = " ".join(words)
    if "redis-server" in words[0]:
        return "redis"
    if "resource_tracker" in text:
        return "python's resource tracker"
    if "python" in words[0]:
        return "python, child" if "multiprocessing" in text else "python"
    return words[1] if len(words) > 1 else words[0]


class Usage:
    """Processor time in seconds of processes and their descendants at one moment, by name."""

    def __init__(self, roots):
        self.by_name = {}
        for root in roots:
            for pid in tree(root):
                try:
                    fields = status_fields(pid)
                    # User and system time, and those of children that have ended.
                    seconds = sum(int(field) for field in fields[11:15]) / TICKS
                    self.by_name[name(pid)] = self.by_name.get(name(pid), 0) + seconds
                except (OSError, IndexError):
                    pass

    def since(self, earlier):
        return {key: seconds - earlier.by_name.get(key, 0) for key, seconds in self.by_name.items()}


def resident_mb(roots):
    """Resident memory by name, in MB. Pages that processes share count for each."""
    found = {}
    for pid in (pid for root in roots for pid in tree(root)):
        try:
            status = (PROC / str(pid) / "status").read_text()
            kilobytes = int(re.search(r"VmRSS:\s+(\d+)", status)[1])
            found[name(pid)] = round(found.get(name(pid), 0) + kilobytes / 1024, 1)
        except (OSError, TypeError):
            pass
    return found


def context_switches(roots):
    """Voluntary and involuntary context switches so far: {(process, thread): count}."""
    found = {}
    for pid in (pid for root in roots for pid in tree(root)):
        for task in (PROC / str(pid) / "task").iterdir():
            try:
                text = (task / "status").read_text()
                thread = f"{(task / 'comm').read_text().strip()} {task.name}"
            except OSError:
                # The thread has ended.
                continue
            counts = re.findall(r"ctxt_switches:\s+(\d+)", text)
            found[f"{name(pid)} {pid}", thread] = sum(map(int, counts))
    return found


def listening_ports(pid):
    """The TCP ports of IPv4 on which a process listens."""
    links = []
    for descriptor in (PROC / str(pid) / "fd").iterdir():
        try:
            links.append(os.readlink(descriptor))
        except OSError:
            pass
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    rows = [line.split() for line in (PROC / str(pid) / "net/tcp").read_text().splitlines()[1:]]
    return [int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[9] in inodes]


class Engine:
    """Seconds that the engines of all `kana worker`s have worked so far: by their metrics (as the clock goes), and the
    processor time of their threads named `engine`."""

    def __init__(self, roots):
        self.clock = self.processor = 0
        for pid in (pid for root in roots for pid in tree(root)):
            if name(pid) != "worker":
                continue
            for port in listening_ports(pid):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    found = re.search(r"^kana_worker_inference_seconds_sum (\S+)", answer.read().decode(), re.MULTILINE)
                self.clock += float(found[1]) if found else 0
            for task in (PROC / str(pid) / "task").iterdir():
                if (task / "comm").read_text().strip() == "engine":
                    fields = status_fields(f"{pid}/task/{task.name}")
                    self.processor += (int(fields[11]) + int(fields[12])) / TICKS


class Service:
    """Processes that this program started, and their log."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []

    @property
    def roots(self):
        return [process.pid for process in self.processes]

    def start(self, command, environment=None):
        log = open(self.folder / "log", "ab")
        # A session of its own: Ctrl-C reaches only this program, which then ends the others in order.
        process = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True)
        self.processes.append(process)
        return process

    def wait_for(self, port, path):
        """Waits until GET `path` is answered with 200, or `port` accepts connections where `path` is None."""
        deadline = time.monotonic() + START_MAX
        while time.monotonic() < deadline:
            for process in self.processes:
                if process.poll() is not None:
                    raise ServiceFailed(f"{process.args[0]} ended with {process.returncode}: {self.last_lines()}")
            try:
                if path is None:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    return
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise ServiceFailed(f"not ready after {START_MAX} s: {self.last_lines()}")

    def last_lines(self):
        """The log's last lines, and before them the last that name an error."""
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        errors = [line for line in lines[:-3] if "Error" in line or "ERROR" in line]
        return " | ".join([*errors[-3:], *lines[-3:]])

    def stop(self):
        """Ends all processes, the last started first; those that do not end in time are killed."""
        for process in reversed(self.processes):
            try:
                family = [(pid, status_fields(pid)[19]) for pid in tree(process.pid)]
            except OSError:
                family = []
            process.terminate()
            try:
                process.wait(STOP_MAX)
            except subprocess.TimeoutExpired:
                pass
            for pid, started in family:
                try:
                    # The id may be another process's by now; its time of start tells.
                    if status_fields(pid)[19] == started:
                        os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            process.wait()
        self.processes = []


class ServiceFailed(Exception):
    """A service that could not be started."""
