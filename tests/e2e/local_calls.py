"""What a local stack answers, and which of its processes run."""

import http.client
import json
import os
import time
from contextlib import suppress
from urllib.parse import urlsplit

from falcon_balances.cli.embedded import process


def get(url, **headers):
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    try:
        connection.request("GET", address.path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def status_of(stack):
    done = stack.falcon("local", "status", "--json")
    return done.returncode, json.loads(done.stdout), done.stderr


def wait_until(condition, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes_of(home):
    """Whatever runs with this home's temporary folder in its environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
            if str(home.temp).encode() in file.read() and process.identity_of(int(pid)):
                found.append(int(pid))
    return found
