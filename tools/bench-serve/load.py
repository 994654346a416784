#!/usr/bin/env python3
"""How does a service answer many requests?

Sends the same kind of load to any service, so that all are measured alike. Sockets and epoll without a library: a
request costs this program less than a tenth of what it costs any of the services. Latencies are kept one by one; no
percentile is estimated.

A request on a connection that had served others, and that the service closed without a byte of an answer, is sent once more
on a new one, as HTTP libraries do: an idle connection may be closed at any time.

A closed loop has a number of connections, and each sends its next request when its last one is answered. An open loop
sends at fixed times, whether or not others were answered, and opens a connection where no idle one is left; a latency
counts from the time at which the request was due.

Reads one JSON object from standard input (see `Job`) and prints one.
"""
import gc
import json
import pathlib
import re
import resource
import select
import socket
import sys
import time

# A request that is not answered within this time, in seconds, is a timeout.
TIMEOUT = 5
# Connections of an open loop at most: the ports for loopback connections are about 28,000. A request that finds none
# is counted as `not_sent`.
CONNECTIONS_MAX = 16_000
# The largest part of an answer that is read at once: all answers here are smaller.
RECEIVE = 65_536
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
RETRY_AFTER = re.compile(rb"\r\nretry-after: *\d", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class Job:
    """The load: a port, what is sent, for how long, and a `concurrency` or a `rate` a second."""

    def __init__(self, port, path, content_type, bodies, seconds, concurrency=None, rate=None):
        self.port, self.seconds, self.concurrency, self.rate = port, seconds, concurrency, rate
        self.requests = []
        for file in bodies:
            body = pathlib.Path(file).read_bytes()
            head = (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: {content_type}\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n")
            self.requests.append(head.encode() + body)

    def request(self, number):
        return self.requests[number % len(self.requests)]


class Connection:
    """A connection, and the request that it waits for: when that was due (`since`) and what has come of its answer."""

    __slots__ = ("socket", "since", "request", "answer", "number")

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(("127.0.0.1", port))
        self.since, self.request, self.answer, self.number = None, None, b"", 0


class Results:
    """What was counted so far."""

    def __init__(self):
        self.sent, self.not_sent, self.retry_after = 0, 0, 0
        self.latencies = []
        self.answered_in_time = 0
        self.statuses, self.errors = {}, {}

    def add_answer(self, answer, latency, is_in_time):
        status = answer[9:12].decode("latin-1")
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == "200":
            self.latencies.append(latency)
            self.answered_in_time += is_in_time
        elif RETRY_AFTER.search(answer):
            self.retry_after += 1

    def add_error(self, kind):
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def report(self, seconds):
        latencies = sorted(self.latencies)

        def percentile(share):
            return round(latencies[min(len(latencies) - 1, int(share * len(latencies)))] * 1e3, 3) if latencies else None

        return {
            "seconds": seconds, "sent": self.sent, "done": len(latencies), "statuses": self.statuses,
            "per_second": self.answered_in_time / seconds, "retry_after": self.retry_after, "errors": self.errors,
            "not_sent": self.not_sent, "p50_ms": percentile(0.5), "p99_ms": percentile(0.99),
        }


def is_whole(answer):
    """Whether this is all of an answer."""
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    length = LENGTH.search(answer, 0, head + 2)
    if length:
        return len(answer) >= head + 4 + int(length[1])
    return answer.endswith(b"0\r\n\r\n")


class Load:
    """A load in progress."""

    def __init__(self, job):
        self.job, self.results = job, Results()
        self.poll, self.connections = select.epoll(), {}
        self.idle, self.waiting = [], {}
        self.start = time.perf_counter()
        self.end = self.start + job.seconds

    def open(self):
        connection = Connection(self.job.port)
        self.connections[connection.socket.fileno()] = connection
        return connection

    def close(self, connection):
        descriptor = connection.socket.fileno()
        self.connections.pop(descriptor, None)
        self.waiting.pop(descriptor, None)
        connection.socket.close()

    def send(self, connection, since):
        """Sends the next request on a connection that waits for none."""
        connection.request = self.job.request(self.results.sent)
        self.results.sent += 1
        self.start_request(connection, since)

    def start_request(self, connection, since):
        connection.since, connection.answer = since, b""
        descriptor = connection.socket.fileno()
        self.waiting[descriptor] = connection
        try:
            connection.socket.send(connection.request)
            if not connection.number:
                self.poll.register(descriptor, select.EPOLLIN)
            connection.number += 1
        except BlockingIOError:
            # Not connected yet.
            self.poll.register(descriptor, select.EPOLLOUT)
        except OSError:
            self.fail(connection)

    def fail(self, connection):
        """Counts the request of a closed connection as an error, or sends it on another one."""
        self.close(connection)
        if connection.number > 1 and not connection.answer:
            another = self.open()
            another.request = connection.request
            self.start_request(another, connection.since)
        else:
            self.results.add_error("connection")

    def receive(self, descriptor, event):
        """Reads what has come. Returns the connection where its answer is whole and it can send again."""
        connection = self.connections.get(descriptor)
        if connection is None:
            return None
        if event & select.EPOLLOUT:
            return self.send_connected(connection)
        try:
            part = connection.socket.recv(RECEIVE)
        except BlockingIOError:
            return None
        except OSError:
            part = b""
        if descriptor not in self.waiting:
            # An idle connection is closed.
            self.close(connection)
            return None
        connection.answer += part
        if is_whole(connection.answer):
            return self.finish(connection)
        if not part:
            self.fail(connection)
        return None

    def send_connected(self, connection):
        try:
            connection.socket.send(connection.request)
            connection.number += 1
            self.poll.modify(connection.socket.fileno(), select.EPOLLIN)
        except OSError:
            self.fail(connection)

    def finish(self, connection):
        """Counts an answer. Returns the connection where it stays open."""
        now, answer = time.perf_counter(), connection.answer
        self.results.add_answer(answer, now - connection.since, now <= self.end)
        if CLOSES.search(answer):
            self.close(connection)
            return None
        del self.waiting[connection.socket.fileno()]
        return connection

    def take_idle(self):
        while self.idle:
            connection = self.idle.pop()
            # Those that the service has closed have no descriptor any more.
            if connection.socket.fileno() >= 0:
                return connection
        return None

    def expire(self, now):
        """Ends the requests that were not answered in time; the oldest come first."""
        for connection in list(self.waiting.values()):
            if now - connection.since < TIMEOUT:
                return
            self.results.add_error("timeout")
            self.close(connection)

    def closed(self):
        for _ in range(self.job.concurrency):
            self.send(self.open(), time.perf_counter())
        expires = self.start
        while (now := time.perf_counter()) < self.end:
            for descriptor, event in self.poll.poll(min(1, self.end - now)):
                connection = self.receive(descriptor, event)
                if connection:
                    self.send(connection, time.perf_counter())
            if now > expires:
                self.expire(now)
                expires = now + 0.5
                for _ in range(self.job.concurrency - len(self.connections)):
                    self.send(self.open(), time.perf_counter())

    def open_loop(self):
        number, interval, expires = 0, 1 / self.job.rate, self.start
        due = self.start
        while due < self.end or self.waiting:
            now = time.perf_counter()
            while due <= now and due < self.end:
                if len(self.connections) < CONNECTIONS_MAX:
                    self.send(self.take_idle() or self.open(), due)
                else:
                    self.results.not_sent += 1
                number += 1
                due = self.start + number * interval
            if now > expires:
                self.expire(now)
                expires = now + 0.1
            pause = due - now if due < self.end else 0.1
            for descriptor, event in self.poll.poll(max(0, pause)):
                connection = self.receive(descriptor, event)
                if connection:
                    self.idle.append(connection)


def main():
    job = Job(**json.load(sys.stdin))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    # Nothing here refers to itself, so nothing is lost by not looking for it.
    gc.disable()
    begun = time.process_time()
    load = Load(job)
    if job.rate:
        load.open_loop()
    else:
        load.closed()
    report = load.results.report(job.seconds)
    report["generator_seconds"] = round(time.process_time() - begun, 3)
    print(json.dumps(report))


main()
