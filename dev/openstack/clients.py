"""The unmodified clients as the story uses them, and the administrator's view of the cloud behind the service."""
import json
import subprocess

import openstack
from blazarclient import client as blazar_client

import settings

TIMEOUT = 180


class CommandFailed(Exception):
    """A client program ended with an error; the text is what it printed."""


class Account:
    """One user in one project: its command line, its client library, its raw HTTP."""

    def __init__(self, user, project):
        self.environment = settings.client_environment(user, project)
        # `blazar`, unlike `openstack`, does not guess how to log in.
        self.environment["OS_AUTH_TYPE"] = "password"
        self.cloud = openstack.connect(
            load_yaml_config=False, load_envvars=False, auth_url=settings.AUTH_URL, username=user,
            password=settings.PASSWORD, project_name=project, user_domain_name="Default",
            project_domain_name="Default", region_name=settings.REGION, compute_api_version="2.90",
            compute_default_microversion="2.90")
        self.session = self.cloud.session
        self.bindings = blazar_client.Client(session=self.session, service_type="reservation",
                                            region_name=settings.REGION)
        self.project_id = self.session.get_project_id()

    def run(self, *words):
        """Runs a client program, returns its standard output; raises `CommandFailed` when it fails."""
        done = subprocess.run([str(word) for word in words], env=self.environment, capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)
        if done.returncode:
            noise = "Could not load"  # python-blazarclient names a class it does not have, on every call
            told = [line for line in (done.stdout + done.stderr).splitlines() if line and not line.startswith(noise)]
            raise CommandFailed(" | ".join(told) or f"exit status {done.returncode}")
        return done.stdout

    def openstack(self, *words):
        """`openstack ... -f json`, parsed; programs that say a sentence before the document are understood."""
        output = self.run("openstack", *words, "-f", "json")
        start = min((output.find(mark) for mark in "[{" if mark in output), default=-1)
        if start < 0:
            raise CommandFailed(f"no JSON in {output!r}")
        return json.JSONDecoder().raw_decode(output[start:])[0]

    def refused(self, *words):
        """Runs a program that must fail; returns what it said."""
        try:
            output = self.run(*words)
        except CommandFailed as error:
            return str(error)
        raise CommandFailed(f"was not refused, said {output!r}")

    def request(self, method, path, body=None, timeout=60):
        """Raw HTTP on the reservation service with this account's token, no retries, any status accepted."""
        return self.session.request(
            path, method, json=body, endpoint_filter={"service_type": "reservation", "region_name": settings.REGION},
            raise_exc=False, timeout=timeout, headers={"Accept": "application/json"})

    def boot(self, name, *more, flavor="m1.tiny"):
        """Starts `openstack server create` without waiting for the server; returns the process."""
        return subprocess.Popen(
            ["openstack", "server", "create", "--image", "fake", "--flavor", flavor, "--nic", "none", *more, name,
             "-f", "json"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


class Observer:
    """What the cloud says, asked as its administrator."""

    def __init__(self, account):
        self.cloud = account.cloud

    def aggregate(self, name):
        """The aggregate of that name, or None."""
        return next((found for found in self.cloud.compute.aggregates() if found.name == name), None)

    def free(self):
        """Hosts in the free pool."""
        return set(self.aggregate("freepool").hosts or [])

    def server(self, name):
        """The server of that name in any project, or None."""
        return next((found for found in self.cloud.compute.servers(all_projects=True, name=f"^{name}$")), None)

    def settled_server(self, name):
        """The server once Nova has made up its mind about it."""
        found = self.server(name)
        return found if found and found.status in ("ACTIVE", "ERROR") else None

    def image(self, name):
        """The image of that name, whatever its state, or None."""
        return next(iter(self.cloud.image.images(name=name)), None)

    def provider(self, name):
        """The resource provider of that name, or None."""
        answer = self.cloud.session.get(f"/resource_providers?name={name}",
                                        endpoint_filter={"service_type": "placement"},
                                        headers={"OpenStack-API-Version": "placement 1.29"})
        return next(iter(answer.json()["resource_providers"]), None)
