"""The reservation service under test: Berth as a process that can be killed, or upstream that merely runs."""
import os
import shutil
import signal
import time

import processes
import settings

DATA = settings.STATE / "berth-data"


class Berth:
    """`berth serve` against the bed, with its book in a directory of its own."""

    exact = True

    def __init__(self):
        self._program = os.environ.get("BERTH_BIN", "")
        if not os.access(self._program, os.X_OK):
            raise processes.Failed(f"BERTH_BIN names no program: {self._program!r}")
        shutil.rmtree(DATA, ignore_errors=True)
        processes.log_of("berth").unlink(missing_ok=True)

    def start(self):
        """Starts it and waits until it answers."""
        port = settings.PORTS["reservation"]
        for foreign in [key for key in os.environ if key.startswith("OS_")]:
            del os.environ[foreign]  # a developer's own cloud must not mix with the bed
        environment = settings.credentials("berth", "service")
        # Audits and retries oftener than an operator would have them, so that the story need not wait for them.
        environment.update(BERTH_RECONCILE_INTERVAL="5", BERTH_RETRY_CEILING="5")
        environment.update(no_proxy=settings.HOST, NO_PROXY=settings.HOST)
        processes.start("berth", [
            os.path.abspath(self._program), "serve", "--listen", f"{settings.HOST}:{port}", "--data", DATA,
            "--cloud", "openstack", "--auth", "keystone"], environment)
        processes.wait("berth", lambda: processes.answers(f"http://{settings.HOST}:{port}/"), 60)

    def kill(self):
        """kill -9, no warning."""
        processes.stop("berth", how=signal.SIGKILL, patience=0)

    def kill_after(self, seconds):
        """kill -9 that long from now, then a restart."""
        time.sleep(seconds)
        self.kill()
        self.start()

    def stop(self):
        """Asks it to end."""
        processes.stop("berth", patience=15)


class Upstream:
    """Upstream Blazar, started by benches/upstream/blazar-up; the steps it cannot pass are left out."""

    exact = False

    def start(self):
        """Runs already."""

    def stop(self):
        """Keeps running."""
