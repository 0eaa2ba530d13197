"""`blazar` and `openstack`, unmodified, run in this process: the same code without half a second of imports each time."""
import contextlib
import io
import json
import logging
import os

from blazarclient import shell as blazar_shell
from openstackclient import shell as openstack_shell

import identity


def log_in(identity_url, token):
    """Sets the `OS_*` variables both programs read."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        del os.environ[name]
    os.environ.update(
        OS_AUTH_TYPE="password", OS_AUTH_URL=identity_url, OS_USERNAME="u", OS_PASSWORD=token, OS_PROJECT_NAME="p",
        OS_USER_DOMAIN_NAME="Default", OS_PROJECT_DOMAIN_NAME="Default", OS_REGION_NAME=identity.REGION,
        OS_IDENTITY_API_VERSION="3")


class Programs:
    """Runs commands and remembers which; a command that ends otherwise than expected fails the test."""

    def __init__(self):
        self.used = set()

    def run(self, program, *words, fails=False):
        """Returns what the command printed, on both streams."""
        self.used.add(self._name(program, words))
        shell = blazar_shell.BlazarShell if program == "blazar" else openstack_shell.OpenStackShell
        printed = io.StringIO()
        handlers = list(logging.getLogger().handlers)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                status = shell().run([str(word) for word in words])
            except SystemExit as end:
                status = end.code
        logging.getLogger().handlers[:] = handlers
        text = printed.getvalue()
        assert bool(status) == fails, f"{program} {' '.join(map(str, words))}: exit status {status}\n{text}"
        return text

    def read(self, program, *words):
        """The same with `-f json`, parsed."""
        text = self.run(program, *words, "-f", "json")
        start = min(place for place in (text.find("["), text.find("{")) if place >= 0)
        return json.JSONDecoder().raw_decode(text[start:])[0]

    @staticmethod
    def _name(program, words):
        if program == "blazar":
            return words[0]
        rest = words[1:]
        count = 3 if rest[:2] == ("host", "property") else 2
        return "reservation_" + "_".join(rest[:count])
