"""The whole life of reservations of hosts and instances on a real cloud, told with unmodified clients.

    python story.py [--peer berth|upstream]

Each step is one line, PASS or FAIL; the last line counts them. With `--peer upstream` the same story runs against
upstream Blazar (benches/upstream/blazar-up), less the steps that upstream is known not to survive, which shows
that the story describes the protocol and not merely Berth.
"""
import argparse
import datetime
import sys
import time

from blazarclient import exception as blazar_exception

import bed
import clients
import processes
import service
import settings
from addresses import Addresses
from flavors import Flavored
from instances import Instances
from ledger import Ledger, eventually, expect
from minutes import minute, until

# How long to wait for what the service does at its time. Upstream looks every 10 s; shared machines are slow.
DUE = 60
# Deleting servers goes through Nova's queues.
CLEANED = 120
HOSTS = ("compute-1", "compute-2", "compute-3")
GPU = '["==", "$gpu", "True"]'
BIG = '[">=", "$vcpus", "4"]'


def told(server):
    """What Nova says about a server, in one line."""
    return f"{server.status} on {server.hypervisor_hostname}: {(server.fault or {}).get('message')}"


def host_reservation(**more):
    """A request for one host, any host."""
    return {"resource_type": "physical:host", "min": 1, "max": 1, "hypervisor_properties": "",
            "resource_properties": "", **more}


class Story:
    """What the scenes share."""

    def __init__(self, ledger, peer):
        self.ledger = ledger
        self.step = ledger.step
        self.peer = peer
        self.admin = clients.Account("admin", "admin")
        self.demo = clients.Account("demo", "demo")
        self.other = clients.Account("other", "other")
        self.seen = clients.Observer(self.admin)

    # What several scenes ask.

    def lease(self, lease_id):
        """The lease as the library of its owner sees it."""
        return self.demo.bindings.lease.get(lease_id)

    def status(self, lease_id):
        """The status of the lease."""
        return self.lease(lease_id)["status"]

    def hosts_of(self, reservation_id):
        """Names of the hosts allocated to a reservation."""
        names = {host["id"]: host["hypervisor_hostname"] for host in self.admin.bindings.host.list()}
        return sorted(names[row["resource_id"]] for row in self.admin.bindings.allocation.list("os-hosts")
                      if any(one["id"] == reservation_id for one in row["reservations"]))

    def book(self, name, start, end, warned=None, **reservation):
        """Books one host in the name of demo; returns (lease id, reservation id)."""
        made = self.demo.bindings.lease.create(name, start, end, [host_reservation(**reservation)], [], warned)
        return made["id"], made["reservations"][0]["id"]

    def wait_active(self, lease_id, seconds=DUE):
        """Waits until the lease is ACTIVE; returns the seconds it took."""
        begun = time.monotonic()
        eventually(f"lease {lease_id} ACTIVE", seconds, lambda: self.status(lease_id) == "ACTIVE")
        return time.monotonic() - begun

    def holds(self, reservation_id, host):
        """The cloud shows the started reservation on `host`, in full and nowhere else."""
        aggregate = self.seen.aggregate(reservation_id)
        expect(aggregate, f"no aggregate {reservation_id}")
        expect(aggregate.availability_zone == f"blazar_{reservation_id}", f"zone {aggregate.availability_zone}")
        expect(aggregate.metadata.get("blazar:owner") == self.demo.project_id, f"metadata {aggregate.metadata}")
        expect(aggregate.hosts == [host], f"hosts of the aggregate: {aggregate.hosts}, expected {host}")
        expect(host not in self.seen.free(), f"{host} is still in freepool")
        return True

    def released(self, reservation_id, host):
        """The cloud shows nothing of the reservation any more."""
        expect(self.seen.aggregate(reservation_id) is None, f"aggregate {reservation_id} is still there")
        expect(host in self.seen.free(), f"{host} is not back in freepool, which has {sorted(self.seen.free())}")
        return True

    def terminated(self, lease_id):
        """The book shows the lease as ended."""
        lease = self.lease(lease_id)
        states = [one["status"] for one in lease["reservations"]]
        expect(lease["status"] == "TERMINATED" and states == ["deleted"], f"lease {lease['status']}, reservations {states}")
        return True

    def boot_on(self, account, name, reservation_id):
        """Boots a server with the hint of a reservation and waits for Nova's verdict."""
        boot = account.boot(name, "--hint", f"reservation={reservation_id}")
        boot.communicate(timeout=clients.TIMEOUT)
        return eventually(f"verdict on server {name}", 90, lambda: self.seen.settled_server(name))

    def findings(self, lease_id):
        """What the service found wrong about a lease, and the states of its events."""
        answer = self.demo.session.get(f"{settings.RESERVATION_URL.removesuffix('/v1')}/capacity/v1/leases/{lease_id}",
                                       raise_exc=False)
        expect(answer.status_code == 200, f"GET /capacity/v1/leases/{lease_id}: {answer.status_code} {answer.text}")
        return answer.json()

    # The scenes.

    def discovery(self):
        with self.step("version discovery names v1.0"):
            url = (settings.RESERVATION_URL if self.peer.exact else self.admin.session.get_endpoint(
                service_type="reservation")).removesuffix("/v1")
            answer = self.admin.session.get(url + "/", authenticated=not self.peer.exact, raise_exc=False)
            versions = [one["id"] for one in answer.json()["versions"]]
            expect(answer.status_code == 300 and "v1.0" in versions, f"{answer.status_code} {versions}")
        with self.step("without a token: 401"):
            answer = self.admin.session.get("/leases", endpoint_filter={"service_type": "reservation"},
                                            authenticated=False, raise_exc=False)
            expect(answer.status_code == 401, f"{answer.status_code} {answer.text}")
        with self.step("with tokens of three projects: 200"):
            # Keystone's cache may not know every role yet just after it has started.
            for user in (self.admin, self.demo, self.other):
                eventually("an answer to a token", 60, lambda user=user: user.session.get(
                    "/leases", endpoint_filter={"service_type": "reservation"}, raise_exc=False).status_code == 200)

    def hosts(self):
        for name, gpu in zip(HOSTS, ("True", "True", "False")):
            with self.step(f"openstack reservation host create {name}"):
                made = self.admin.openstack("reservation", "host", "create", name, "--extra", f"gpu={gpu}")
                expect(made["hypervisor_hostname"] == name and made["gpu"] == gpu and int(made["vcpus"]) == 8, made)
        with self.step("all hosts are in freepool and have a reservation provider in Placement"):
            expect(self.seen.free() == set(HOSTS), f"freepool: {self.seen.free()}")
            missing = [name for name in HOSTS if not self.seen.provider(f"blazar_{name}")]
            expect(not missing, f"no provider blazar_<host> for {missing}")
        with self.step("a host registered twice: 409, and it stays in freepool"):
            answer = self.admin.request("POST", "/os-hosts", {"name": HOSTS[0]})
            expect(answer.status_code == 409, f"{answer.status_code} {answer.text}")
            expect(self.seen.free() == set(HOSTS), f"freepool: {self.seen.free()}")
        with self.step("a member may not list hosts: 403"):
            said = self.demo.refused("openstack", "reservation", "host", "list")
            expect("Policy doesn't allow" in said, said)
        with self.step("openstack reservation host list"):
            listed = self.admin.openstack("reservation", "host", "list")
            expect([one["hypervisor_hostname"] for one in listed] == list(HOSTS), listed)
        with self.step("openstack reservation host show, by name"):
            shown = self.admin.openstack("reservation", "host", "show", HOSTS[0])
            expect(shown["service_name"] == HOSTS[0] and shown["gpu"] == "True", shown)
        with self.step("openstack reservation host set --extra rack=r3"):
            self.admin.run("openstack", "reservation", "host", "set", HOSTS[2], "--extra", "rack=r3")
            rack = [one.get("rack") for one in self.admin.bindings.host.list() if one["hypervisor_hostname"] == HOSTS[2]]
            expect(rack == ["r3"], f"rack: {rack}")
        with self.step("openstack reservation host property list --detail"):
            listed = self.admin.openstack("reservation", "host", "property", "list", "--detail")
            values = {one["property"]: sorted(one["property_values"]) for one in listed}
            expect(values == {"gpu": ["False", "True"], "rack": ["r3"]}, values)

    def bookings(self):
        """Three leases that start at once, one of tomorrow, one that cannot be."""
        with self.step("openstack reservation lease create, from now, by gpu and vcpus"):
            made = self.demo.openstack(
                "reservation", "lease", "create", "--end-date", minute(1800), "main", "--reservation",
                f"resource_type=physical:host,min=1,max=1,hypervisor_properties={BIG},resource_properties={GPU}")
            self.main, self.main_made = made["id"], time.monotonic()
            self.main_reservation = self.lease(self.main)["reservations"][0]["id"]
        with self.step("the lease starts: ACTIVE, reservation active"):
            took = self.wait_active(self.main)
            states = [one["status"] for one in self.lease(self.main)["reservations"]]
            expect(states == ["active"], states)
            self.ledger.line(f"      ACTIVE {took:.1f} s after the first look")
        with self.step("aggregate named by the reservation, zone blazar_<id>, blazar:owner, host out of freepool"):
            (self.main_host,) = self.hosts_of(self.main_reservation)
            expect(self.main_host in HOSTS[:2], f"{self.main_host} has no gpu")
            self.holds(self.main_reservation, self.main_host)
        with self.step("library: a lease with a before_end snapshot, and one to be deleted"):
            self.picture, self.picture_reservation = self.book("picture", "now", minute(7200), minute(3600),
                                                               before_end="snapshot")
            self.doomed, self.doomed_reservation = self.book("doomed", "now", minute(7200))
        with self.step("blazar lease-create, of tomorrow"):
            output = self.demo.run(
                "blazar", "lease-create", "--start-date", minute(86400), "--end-date", minute(90000), "tomorrow",
                "--reservation", f"resource_type=physical:host,min=2,max=2,hypervisor_properties={BIG}")
            expect("PENDING" in output, output)
        with self.step("no host left: refused with upstream's text" + (" and 409" if self.peer.exact else "")):
            try:
                self.book("too many", "now", minute(1200))
                raise AssertionError("was accepted")
            except blazar_exception.BlazarClientException as error:
                code = error.kwargs.get("code") if hasattr(error, "kwargs") else None
                expect(str(error).startswith("ERROR: Not enough hosts available"), str(error))
                expect(code == (409 if self.peer.exact else 500), f"status {code}")
        with self.step("bad dates: 400 naming the value"):
            answer = self.demo.request("POST", "/leases", {"name": "x", "start_date": "soon", "end_date": minute(600),
                                                           "reservations": [host_reservation()], "events": []})
            expect(answer.status_code == 400 and "soon" in answer.text, f"{answer.status_code} {answer.text}")
        with self.step("openstack reservation lease list, blazar lease-list, lease show by name"):
            listed = {one["name"] for one in self.demo.openstack("reservation", "lease", "list")}
            expect(listed == {"main", "picture", "doomed", "tomorrow"}, listed)
            expect("tomorrow" in self.demo.run("blazar", "lease-list"), "blazar lease-list does not show it")
            shown = self.demo.openstack("reservation", "lease", "show", "tomorrow")
            expect(shown["status"] == "PENDING", shown)
            self.tomorrow = shown["id"]
        with self.step("the two other leases start"):
            for lease in (self.picture, self.doomed):
                self.wait_active(lease)
            (self.picture_host,) = self.hosts_of(self.picture_reservation)
            (self.doomed_host,) = self.hosts_of(self.doomed_reservation)
            self.holds(self.picture_reservation, self.picture_host)
            self.holds(self.doomed_reservation, self.doomed_host)
        with self.step("openstack reservation allocation list and show"):
            rows = self.admin.openstack("reservation", "allocation", "list", "host")
            held = {one["lease_id"] for row in rows for one in row["reservations"]}
            expect({self.main, self.picture, self.doomed} <= held, held)
            shown = self.admin.openstack("reservation", "allocation", "show", "host", self.main_host)
            expect(self.main_reservation in shown["reservations"], shown)

    def drift(self):
        """Somebody takes a host out of a running reservation behind the service's back."""
        with self.step("a host taken out of a running reservation's aggregate by hand is put back, and reported"):
            aggregate = self.seen.aggregate(self.doomed_reservation)
            self.seen.cloud.compute.remove_host_from_aggregate(aggregate, self.doomed_host)
            # The report is of the last audit: looked at before the repair, which the next audit finds done.
            found = eventually("a finding about the host", 90, lambda: [
                one for one in self.findings(self.doomed)["findings"] if one.get("host") == self.doomed_host])
            self.ledger.line(f"      {found[0]}")
            expect(found[0]["repaired"], found[0])
            eventually("the host back in the aggregate", 90,
                       lambda: self.holds(self.doomed_reservation, self.doomed_host))

    def boots(self):
        hints = {
            "on-main": (self.demo, self.main_reservation), "on-picture": (self.demo, self.picture_reservation),
            "no-hint": (self.demo, None), "thief": (self.other, self.main_reservation)}
        running = [account.boot(name, *(["--hint", f"reservation={hint}"] if hint else []))
                   for name, (account, hint) in hints.items()]
        for boot in running:
            boot.communicate(timeout=clients.TIMEOUT)
        for name, host in (("on-main", self.main_host), ("on-picture", self.picture_host)):
            with self.step(f"openstack server create with the hint: {name} runs on {host}"):
                server = eventually("verdict of Nova", 90, lambda name=name: self.seen.settled_server(name))
                expect(server.status == "ACTIVE" and server.hypervisor_hostname == host,
                       told(server))
        for name, why in (("no-hint", "without the hint"), ("thief", "with the hint of another project's reservation")):
            with self.step(f"openstack server create {why}: no valid host"):
                server = eventually("verdict of Nova", 90, lambda name=name: self.seen.settled_server(name))
                expect(server.status == "ERROR" and "No valid host" in server.fault["message"],
                       told(server))

    def strangers(self):
        with self.step("another project does not see the lease"):
            listed = self.other.openstack("reservation", "lease", "list")
            expect(listed == [], listed)
        with self.step("another project may not read, change or delete it: 403"):
            for method, body in (("GET", None), ("PUT", {"name": "mine"}), ("DELETE", None)):
                answer = self.other.request(method, f"/leases/{self.main}", body)
                expect(answer.status_code == 403 and "Policy doesn't allow" in answer.text,
                       f"{method}: {answer.status_code} {answer.text}")
            said = self.other.refused("openstack", "reservation", "lease", "delete", self.main)
            expect("Policy doesn't allow" in said, said)
        with self.step("an unknown lease: 404"):
            answer = self.other.request("GET", "/leases/00000000-0000-4000-8000-000000000000")
            expect(answer.status_code == 404, f"{answer.status_code} {answer.text}")

    def intruder(self):
        """The administrator forces a server of another project past the scheduler, onto a reserved host."""
        self.admin.boot("intruder", "--availability-zone",
                        f"blazar_{self.main_reservation}:{self.main_host}").communicate(timeout=clients.TIMEOUT)
        with self.step("a server of another project forced onto a reserved host is reported"):
            server = eventually("the intruder running", 90, lambda: self.seen.settled_server("intruder"))
            expect(server.status == "ACTIVE" and server.hypervisor_hostname == self.main_host, told(server))
            found = eventually("a finding about the intruder", 90, lambda: [
                one for one in self.findings(self.main)["findings"]
                if server.id in str(one) or "intruder" in str(one)])
            self.ledger.line(f"      {found[0]}")

    def changes(self):
        with self.step("openstack reservation lease set --prolong-for 1h"):
            before = self.lease(self.main)["end_date"]
            self.demo.run("openstack", "reservation", "lease", "set", self.main, "--prolong-for", "1h")
            after = self.lease(self.main)["end_date"]
            form = "%Y-%m-%dT%H:%M:%S.%f"
            longer = datetime.datetime.strptime(after, form) - datetime.datetime.strptime(before, form)
            expect(longer == datetime.timedelta(hours=1), f"{before} became {after}")
        with self.step("openstack reservation lease set --name; still ACTIVE and held"):
            self.demo.run("openstack", "reservation", "lease", "set", self.main, "--name", "renamed")
            lease = self.lease(self.main)
            expect(lease["name"] == "renamed" and lease["status"] == "ACTIVE", f"{lease['name']} {lease['status']}")
            self.holds(self.main_reservation, self.main_host)
        with self.step("the start of a running lease cannot move: 400"):
            answer = self.demo.request("PUT", f"/leases/{self.main}", {"start_date": minute(600)})
            expect(answer.status_code == 400, f"{answer.status_code} {answer.text}")
        self.warned, self.ends = minute(65), minute(125)
        with self.step("a running lease gets an earlier end and before_end_date"):
            answer = self.demo.request("PUT", f"/leases/{self.picture}",
                                       {"before_end_date": self.warned, "end_date": self.ends})
            expect(answer.status_code == 200, f"{answer.status_code} {answer.text}")
            times = {one["event_type"]: one["time"][:16].replace("T", " ")
                     for one in self.lease(self.picture)["events"]}
            expect(times["before_end_lease"] == self.warned and times["end_lease"] == self.ends, times)
        with self.step("openstack reservation lease set --end-date, to the coming minutes"):
            self.demo.run("openstack", "reservation", "lease", "set", self.main, "--end-date", self.ends)
            expect(self.lease(self.main)["end_date"][:16].replace("T", " ") == self.ends, self.lease(self.main)["end_date"])

    def delete_active(self):
        with self.step("a server on the lease to be deleted"):
            server = self.boot_on(self.demo, "on-doomed", self.doomed_reservation)
            expect(server.status == "ACTIVE" and server.hypervisor_hostname == self.doomed_host,
                   told(server))
        with self.step("openstack reservation lease delete of a running lease: server gone, host back in freepool"):
            self.demo.run("openstack", "reservation", "lease", "delete", "doomed")
            eventually("the host given back", CLEANED, lambda: self.released(self.doomed_reservation, self.doomed_host))
            eventually("the server gone", CLEANED, lambda: self.seen.server("on-doomed") is None)
            eventually("the lease gone", CLEANED,
                       lambda: self.demo.request("GET", f"/leases/{self.doomed}").status_code == 404)

    def snapshot(self):
        with self.step("before the end: an image reserved_<server name>"):
            eventually("the image", max(until(self.warned), 0) + DUE, lambda: self.seen.image("reserved_on-picture"))

    def ends_on_time(self):
        for what, lease, reservation, host, servers in (
                ("with before_end", self.picture, self.picture_reservation, self.picture_host, ["on-picture"]),
                ("shortened", self.main, self.main_reservation, self.main_host, ["on-main", "intruder"])):
            with self.step(f"the end of the lease {what}: servers and aggregate gone, host free, TERMINATED, deleted"):
                eventually("TERMINATED", max(until(self.ends), 0) + CLEANED, lambda lease=lease: self.terminated(lease))
                left = [name for name in servers if self.seen.server(name)]
                expect(not left, f"servers left: {left}")
                self.released(reservation, host)
                self.ledger.line(f"      seen {-until(self.ends):.0f} s after its time")
        with self.step("an ended lease can be renamed and nothing else"):
            answer = self.demo.request("PUT", f"/leases/{self.main}", {"name": "over"})
            expect(answer.status_code == 200, f"{answer.status_code} {answer.text}")
            answer = self.demo.request("PUT", f"/leases/{self.main}", {"end_date": minute(7200)})
            expect(answer.status_code == 400, f"{answer.status_code} {answer.text}")
        with self.step("no allocation of an ended lease is listed"):
            expect(self.hosts_of(self.main_reservation) == [], self.hosts_of(self.main_reservation))

    def kills_at_start(self):
        """kill -9 at several moments after a lease that starts at once was accepted."""
        for delay in (0.0, 0.4):
            with self.step(f"kill -9 {delay} s after a lease from now was accepted, restart: it starts, cloud and book agree"):
                lease, reservation = self.book(f"killed-{delay}", "now", minute(7200))
                self.peer.kill_after(delay)
                self.wait_active(lease, 90)
                (host,) = self.hosts_of(reservation)
                self.holds(reservation, host)
                if delay:
                    self.survivor = {"lease": lease, "reservation": reservation, "host": host, "minute": minute()}
                else:  # one host is free at this point of the story
                    self.demo.bindings.lease.delete(lease)
                    eventually("the host given back", CLEANED, lambda: self.released(reservation, host))

    def kill_at_end(self):
        """kill -9 while a lease with a server on it is being ended."""
        with self.step("kill -9 in the midst of an end, restart: server and aggregate gone, host free, TERMINATED"):
            kept = self.survivor
            server = self.boot_on(self.demo, "on-killed", kept["reservation"])
            expect(server.status == "ACTIVE", told(server))
            eventually("a later minute than that of the start", 70, lambda: minute() > kept["minute"])
            answer = self.demo.request("PUT", f"/leases/{kept['lease']}", {"end_date": minute()})
            expect(answer.status_code == 200, f"{answer.status_code} {answer.text}")
            self.peer.kill_after(0.2)
            eventually("TERMINATED", CLEANED, lambda: self.terminated(kept["lease"]))
            self.released(kept["reservation"], kept["host"])
            eventually("the server gone", CLEANED, lambda: self.seen.server("on-killed") is None)

    def without_keystone(self):
        self.demo.request("GET", "/leases")  # so that this token is one validated before
        processes.stop("keystone", patience=5)
        try:
            with self.step("Keystone down: a token validated before still reads and books"):
                answer = self.demo.request("GET", "/leases")
                expect(answer.status_code == 200, f"GET {answer.status_code} {answer.text}")
                answer = self.demo.request("POST", "/leases", {
                    "name": "no keystone", "start_date": minute(172800), "end_date": minute(180000),
                    "reservations": [host_reservation()], "events": []})
                expect(answer.status_code == 201, f"POST {answer.status_code} {answer.text}")
                answer = self.demo.request("DELETE", f"/leases/{answer.json()['lease']['id']}")
                expect(answer.status_code == 204, f"DELETE {answer.status_code} {answer.text}")
            with self.step("Keystone down: an unknown token is refused or told to wait, never let in"):
                answer = self.admin.session.get(
                    f"{settings.RESERVATION_URL}/leases", authenticated=False, raise_exc=False,
                    headers={"X-Auth-Token": "unknown-token"})
                expect(answer.status_code in (401, 503), f"{answer.status_code} {answer.text}")
        finally:
            bed.start_web("keystone")
            bed.wait_web("keystone", "/v3")

    def without_nova(self):
        processes.stop("nova", patience=5)
        try:
            with self.step("Nova down at a due start: the booking is taken, reads answer, the lease waits and says why"):
                self.late, self.late_reservation = self.book("late", "now", minute(7200))
                expect(self.demo.request("GET", "/leases").status_code == 200, "GET /v1/leases")

                def waiting():
                    events = self.findings(self.late)["events"]
                    return [one for one in events if one["event_type"] == "start_lease" and one["attempts"] >= 1
                            and one.get("waiting")]
                said = eventually("a start that says why it waits", 60, waiting)
                expect(self.status(self.late) in ("PENDING", "STARTING"), self.status(self.late))
                self.ledger.line(f"      {said[0]['waiting']}")
        finally:
            bed.start_web("nova")
            bed.wait_web("nova")
        with self.step("Nova back: the lease starts"):
            self.wait_active(self.late, 120)
            (host,) = self.hosts_of(self.late_reservation)
            self.holds(self.late_reservation, host)
        with self.step("and can be deleted"):
            self.demo.run("openstack", "reservation", "lease", "delete", "late")
            eventually("the host given back", CLEANED, lambda: self.released(self.late_reservation, host))

    def farewell(self):
        with self.step("a host with a reservation on it cannot be deleted: 409"):
            reserved = {row["resource_id"] for row in self.admin.bindings.allocation.list("os-hosts") if row["reservations"]}
            answer = self.admin.request("DELETE", f"/os-hosts/{min(reserved)}")
            expect(answer.status_code == 409, f"{answer.status_code} {answer.text}")
        with self.step("blazar lease-delete of the lease of tomorrow"):
            self.demo.run("blazar", "lease-delete", self.tomorrow)
            expect(self.demo.request("GET", f"/leases/{self.tomorrow}").status_code == 404, "is still there")
        for name in HOSTS:
            with self.step(f"openstack reservation host delete {name}: provider gone, host out of freepool"):
                self.admin.run("openstack", "reservation", "host", "delete", name)
                expect(self.seen.provider(f"blazar_{name}") is None, f"provider blazar_{name} is still there")
                expect(name not in self.seen.free(), f"{name} is still in freepool")
        with self.step("nothing is left in the cloud"):
            names = [one.name for one in self.seen.cloud.compute.aggregates()]
            expect(names == ["freepool"], f"aggregates: {names}")
            left = [one.name for one in self.seen.cloud.compute.servers(all_projects=True)]
            expect(sorted(left) == ["no-hint", "thief"], f"servers: {left}")

    def tell(self):
        """All scenes in their order: what has to wait for a minute waits behind what need not."""
        self.discovery()
        self.hosts()
        self.bookings()
        if self.peer.exact:
            self.drift()
        self.boots()
        self.strangers()
        if self.peer.exact:
            self.intruder()
        self.changes()
        self.delete_active()
        if self.peer.exact:
            self.kills_at_start()
            self.without_keystone()
        self.snapshot()
        self.ends_on_time()
        if self.peer.exact:
            self.kill_at_end()
            self.without_nova()
            Instances(self, HOSTS, minute(7200), DUE, CLEANED).tell()
            Flavored(self, HOSTS, minute(7200), DUE, CLEANED).tell()
            Addresses(self, minute(7200), DUE, CLEANED).tell()
        self.farewell()


def main():
    """Entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", choices=("berth", "upstream"), default="berth")
    choice = parser.parse_args().peer
    ledger = Ledger()
    try:
        peer = service.Berth() if choice == "berth" else service.Upstream()
        peer.start()
    except processes.Failed as error:
        sys.exit(f"dev/openstack/story.py: {error}")
    try:
        with ledger.step("the story reaches its end"):
            Story(ledger, peer).tell()
    finally:
        peer.stop()
    sys.exit(ledger.close())


if __name__ == "__main__":
    main()
