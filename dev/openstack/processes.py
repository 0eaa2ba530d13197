"""Processes of the bed: started once, recorded, stopped by their record.

A record holds the process id and the kernel's start time of that process, so a number that has been given to
another program since is never signalled. Standard library only: `down` runs without the virtual environment.
"""
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import settings


class Failed(Exception):
    """Something the bed needs did not come up; the message says where to look."""


def _record(name):
    return settings.RECORDS / f"{name}.json"


def _start_time(pid):
    try:
        fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def pid_of(name):
    """The live process recorded under `name`, or None."""
    try:
        record = json.loads(_record(name).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return record["pid"] if _start_time(record["pid"]) == record["started"] else None


def recorded():
    """Names of all records, live or not."""
    return sorted(path.stem for path in settings.RECORDS.glob("*.json"))


def log_of(name):
    """Where the standard output and error of `name` go."""
    return settings.LOGS / f"{name}.out"


def start(name, command, environment=None):
    """Starts `command` in a process group of its own unless it runs already."""
    running = pid_of(name)
    if running:
        return running
    settings.RECORDS.mkdir(parents=True, exist_ok=True)
    settings.LOGS.mkdir(parents=True, exist_ok=True)
    with open(log_of(name), "ab") as log:
        child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 env={**os.environ, **(environment or {})}, start_new_session=True, cwd=settings.DIRECTORY)
    _record(name).write_text(json.dumps({"pid": child.pid, "started": _start_time(child.pid)}))
    return child.pid


def _reap(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # started by an earlier run: not ours to wait for


def stop(name, how=signal.SIGTERM, patience=10.0):
    """Signals the recorded process and waits; what is left of its group after `patience` seconds is killed."""
    pid = pid_of(name)
    if pid:
        os.kill(pid, how)
        deadline = time.monotonic() + patience
        while pid_of(name) and time.monotonic() < deadline:
            _reap(pid)
            time.sleep(0.05)
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        deadline = time.monotonic() + 5
        while pid_of(name) and time.monotonic() < deadline:
            _reap(pid)
            time.sleep(0.05)
    _record(name).unlink(missing_ok=True)


def require_free(ports):
    """Refuses to go on when somebody else listens on a port of the bed."""
    taken = []
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.HOST, port))
            except OSError:
                taken.append(f"{port} ({name})")
    if taken:
        raise Failed(f"port taken on {settings.HOST}: {', '.join(taken)}; "
                     "set BERTH_OPENSTACK_PORT_BASE to the first of "
                     f"{len(settings.PORTS)} free ports in a row")


def _tail(name):
    lines = log_of(name).read_text(errors="replace").splitlines()[-8:] if log_of(name).exists() else []
    return "\n".join([f"see {log_of(name)}", *lines])


def wait(name, ready, seconds=180.0):
    """Polls `ready` until it is true; fails at once when the process has died."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return
        if not pid_of(name):
            raise Failed(f"{name} exited; {_tail(name)}")
        time.sleep(0.25)
    raise Failed(f"{name} is not ready after {seconds:.0f} s; {_tail(name)}")


def listens(port):
    """True when something accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((settings.HOST, port)) == 0


_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url):
    """True when the URL gives any HTTP answer below 500."""
    try:
        with _NO_PROXY.open(url, timeout=30):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
