"""A cloud with fifty leases in all states, made by upstream Blazar, is taken over by Berth while servers run.

    python takeover.py

Needs a fresh bed of six compute hosts (dev/openstack/up --computes 6) with nothing but it. Upstream makes the leases, some
of them stuck in the middle of something because its manager was killed there; `berth import-blazar` reads its database;
every lease then ends under Berth as it was booked, and nothing is left in the cloud.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "benches" / "upstream"))
# pylint: disable=wrong-import-position
import bed
import clients
import peer
import processes
import service
import settings
from ledger import Ledger, eventually, expect
from minutes import minute, until

HOSTS = [f"compute-{number}" for number in range(1, 7)]
# Hosts that are reserved whole while the others are shared by instances.
WHOLE = HOSTS[:4]
ADDRESSES = [f"198.51.100.{number}" for number in range(100, 108)]
DATABASE = f"mysql+pymysql://blazar:{settings.PASSWORD}@{settings.HOST}:{settings.PORTS['mariadb']}/blazar?charset=utf8"
PLACEMENT = {"endpoint_filter": {"service_type": "placement"}, "headers": {"OpenStack-API-Version": "placement 1.29"}}
DUE = 120
HALTED = ("STARTING", "TERMINATING", "UPDATING", "DELETING")


def wait_for(text):
    """Sleeps until that minute."""
    time.sleep(max(0.0, until(text)))


def host(name):
    """A reservation of this host."""
    return {"resource_type": "physical:host", "min": 1, "max": 1, "resource_properties": "",
            "hypervisor_properties": json.dumps(["==", "$hypervisor_hostname", name])}


def instances(amount=1, affinity=None):
    """A reservation of small instances."""
    return {"resource_type": "virtual:instance", "vcpus": 1, "memory_mb": 512, "disk_gb": 1, "amount": amount,
            "affinity": affinity, "resource_properties": '["==", "$use", "shared"]'}


def flavored(amount=1):
    """A reservation of instances of the smallest flavor."""
    return {"resource_type": "flavor:instance", "flavor_id": "1", "amount": amount, "affinity": None}


class Takeover:
    """What the scenes share."""

    def __init__(self, ledger, berth):
        self.ledger, self.step, self.berth = ledger, ledger.step, berth
        self.admin = clients.Account("admin", "admin")
        self.demo = clients.Account("demo", "demo")
        self.seen = clients.Observer(self.admin)
        self.url = peer.URL
        self.network = self.admin.cloud.network.find_network("public").id
        self.image = self.admin.cloud.image.find_image("fake").id
        # Ids of leases by what becomes of them.
        self.groups = {}
        self.servers = {}

    def ask(self, account, method, path, body=None, timeout=180):
        """Raw HTTP on whoever serves reservations now."""
        return account.session.request(self.url + path, method, json=body, raise_exc=False, timeout=timeout,
                                       headers={"Accept": "application/json"})

    def book(self, group, start, end, *reservations):
        """Books a lease; returns it."""
        number = sum(map(len, self.groups.values()))
        answer = self.ask(self.demo, "POST", "/leases", {
            "name": f"{group}-{number}", "start_date": start, "end_date": end, "reservations": list(reservations), "events": []})
        expect(answer.status_code == 201, f"{group} {reservations}: {answer.status_code} {answer.text}")
        made = answer.json()["lease"]
        self.groups.setdefault(group, []).append(made["id"])
        return made

    def addresses(self, amount=1):
        """A reservation of floating IPs."""
        return {"resource_type": "virtual:floatingip", "network_id": self.network, "amount": amount}

    def leases(self):
        """All leases, by id."""
        return {one["id"]: one for one in self.ask(self.admin, "GET", "/leases").json()["leases"]}

    def statuses(self, group):
        """Statuses of the leases of a group; a deleted one has none."""
        known = self.leases()
        return [known[one]["status"] if one in known else None for one in self.groups[group]]

    def wait(self, group, *wanted, seconds=DUE):
        """Waits until every lease of the group has one of these statuses."""
        def settled():
            found = self.statuses(group)
            if set(found) <= set(wanted):
                return True
            raise AssertionError(f"{group}: {found}")
        eventually(f"{group}: {wanted}", seconds, settled)

    # Upstream.

    def register(self):
        with self.step("upstream registers six hosts and eight addresses"):
            for name in HOSTS:
                answer = self.ask(self.admin, "POST", "/os-hosts", {
                    "name": name, "use": "whole" if name in WHOLE else "shared"})
                expect(answer.status_code == 201, answer.text)
            for address in ADDRESSES:
                answer = self.ask(self.admin, "POST", "/floatingips",
                                  {"floating_network_id": self.network, "floating_ip_address": address})
                expect(answer.status_code == 201, answer.text)

    def start_leases(self):
        """Leases that run, some of them over the takeover and some not as long."""
        self.ends = minute(19 * 60)
        over = minute(4 * 60)
        with self.step("leases of all types run under upstream"):
            # Whole hosts first, so that flavors, which name no hosts, are not put on them; and those before instances of a
            # size of their own, beside which upstream books no flavors.
            for name in WHOLE[:2]:
                self.book("running", "now", self.ends, host(name))
            for name in WHOLE[2:]:
                self.book("over", "now", over, host(name))
            for _ in range(2):
                self.book("running", "now", self.ends, flavored())
            for affinity in (None, None, None, True, False):
                self.book("running", "now", self.ends, instances(1 if affinity is None else 2, affinity))
            self.book("running", "now", self.ends, self.addresses())
            self.book("updating", "now", self.ends, instances(1))
            self.book("deleting", "now", self.ends, instances(1))
            self.short = over
            for _ in range(4):
                self.book("over", "now", over, instances(1))
            for _ in range(3):
                self.book("over", "now", over, self.addresses())
            for group in ("running", "updating", "deleting"):
                self.wait(group, "ACTIVE", seconds=180)

    def boot(self):
        with self.step("a server runs in every reservation of hosts and instances"):
            known = self.leases()
            for lease in self.groups["running"]:
                reservation = known[lease]["reservations"][0]
                if reservation["resource_type"] == "virtual:floatingip":
                    continue
                whole = reservation["resource_type"] == "physical:host"
                hints = {"reservation": reservation["id"]} if whole else (
                    {"group": reservation["server_group_id"]} if reservation["server_group_id"] else {})
                made = self.demo.cloud.compute.create_server(
                    name=f"on-{lease}", image_id=self.image, networks="none", scheduler_hints=hints,
                    flavor_id="1" if whole else reservation["id"])
                self.servers[made.id] = lease
            eventually("all servers ACTIVE", 180, lambda: set(self.running_servers()) == set(self.servers))

    def running_servers(self):
        """Ids of servers that run, with their hosts."""
        return {one.id: one.hypervisor_hostname for one in self.admin.cloud.compute.servers(all_projects=True)
                if one.status == "ACTIVE"}

    def book_ahead(self):
        """Leases that start after the takeover, or much later."""
        self.first, self.first_ends = minute(20 * 60), minute(22 * 60)
        self.second, self.second_ends = minute(23 * 60), minute(25 * 60)
        with self.step("leases of all types wait for their start"):
            for name in HOSTS:
                self.book("first", self.first, self.first_ends, host(name))
            for _ in range(2):
                self.book("first", self.first, self.first_ends, self.addresses(2))
            for _ in range(3):
                self.book("second", self.second, self.second_ends, flavored(2))
            for affinity in (None, None, True, False):
                self.book("second", self.second, self.second_ends, instances(2, affinity))
            far, later = minute(86400), minute(90000)
            for reservation in (*map(host, WHOLE), *[self.addresses() for _ in range(3)]):
                self.book("far", far, later, reservation)
            for _ in range(3):
                self.book("far", minute(2 * 86400), minute(2 * 86400 + 3600), instances(2), self.addresses())
            self.book("far", minute(3 * 86400), minute(3 * 86400 + 3600))

    def fail(self):
        """Leases whose start upstream gives up because somebody took their host out of the pool."""
        with self.step("leases of which upstream failed to start the hosts are in ERROR"):
            self.wait("over", "TERMINATED", seconds=until(self.short) + 180)
            pool = self.seen.aggregate("freepool")
            self.admin.cloud.compute.remove_host_from_aggregate(pool, WHOLE[2])
            self.book("failed", "now", self.ends, host(WHOLE[2]))
            self.wait("failed", "ERROR")
            self.admin.cloud.compute.add_host_to_aggregate(pool, WHOLE[2])

    def kill(self, lease, status, *requests):
        """Kills the manager while Nova does not answer it, with this lease in this state."""
        nova = processes.pid_of("nova")
        os.killpg(nova, signal.SIGSTOP)
        try:
            for method, path, body in requests:
                threading.Thread(target=self.cut_off, args=(method, path, body), daemon=True).start()
            eventually(f"{lease} {status}", DUE, lambda: self.leases()[lease]["status"] == status)
            self.last = self.leases()
            processes.stop("upstream-manager", how=signal.SIGKILL, patience=0)
        finally:
            os.killpg(nova, signal.SIGCONT)

    def cut_off(self, method, path, body):
        """A request that never gets an answer."""
        try:
            self.ask(self.demo, method, path, body, timeout=DUE)
        except Exception:  # pylint: disable=broad-except
            pass  # nobody answers any more

    def halt(self):
        with self.step("upstream is killed while it ends, changes and deletes leases"):
            ending = self.book("terminating", "now", minute(150), instances(1))
            self.wait("terminating", "ACTIVE")
            changed, deleted = self.groups["updating"][0], self.groups["deleting"][0]
            reservation = self.leases()[changed]["reservations"][0]["id"]
            wait_for(ending["end_date"][:16].replace("T", " "))
            self.kill(ending["id"], "TERMINATING",
                      ("PUT", f"/leases/{changed}", {"reservations": [{"id": reservation, "amount": 2}]}),
                      ("DELETE", f"/leases/{deleted}", None))
            states = [self.last[one]["status"] for one in (changed, deleted)]
            expect(states == ["UPDATING", "DELETING"], states)
        with self.step("and once more while it starts one"):
            processes.start("upstream-manager", [settings.PROGRAMS / "blazar-manager", "--config-file",
                                                 settings.CONFIGURATION / "blazar" / "blazar.conf"])
            eventually("upstream's manager", 120, self.leases)
            begins = minute(75)
            starting = self.book("starting", begins, self.ends, host(WHOLE[3]))
            self.kill(starting["id"], "STARTING")
        processes.stop("upstream-api", patience=5)
        states = sorted({one["status"] for one in self.last.values()})
        self.ledger.line(f"      {len(self.last)} leases: {', '.join(states)}")

    # The takeover.

    def imported(self, *more):
        """What `berth import-blazar` prints."""
        done = subprocess.run(
            [os.environ["BERTH_BIN"], "import-blazar", "--json", "--data", service.DATA, *more],
            env={**os.environ, "BERTH_BLAZAR_DATABASE": DATABASE}, capture_output=True, text=True, check=False, timeout=120)
        expect(done.returncode == 0, f"exit {done.returncode}: {done.stdout} {done.stderr}")
        return json.loads(done.stdout)

    @staticmethod
    def checksums():
        """Checksums of upstream's tables."""
        tables = bed.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'blazar'").split()
        return bed.sql(f"CHECKSUM TABLE {', '.join(f'blazar.{table}' for table in sorted(tables))}")

    def take_over(self):
        before, running = self.checksums(), self.running_servers()
        with self.step("berth import-blazar --dry-run shows fifty leases and writes nothing"):
            shown = self.imported("--dry-run")
            expect(shown["objects"]["leases"]["new"] == len(self.last) >= 50, shown["objects"])
            expect(not shown["written"] and not shown["double_bookings"], shown)
        with self.step("berth import-blazar takes them over, and finds nothing new when it is repeated"):
            expect(self.imported()["written"], "nothing was written")
            again = self.imported()["objects"]["leases"]
            expect(again == {"new": 0, "newer": 0, "kept": len(self.last)}, again)
        with self.step("upstream's database is as it was"):
            expect(self.checksums() == before, "it has changed")
        self.berth.start()
        self.url = settings.RESERVATION_URL
        with self.step("every lease is there with its ids, dates and reservations"):
            known = self.leases()
            gone = set(self.last) - set(known) - set(self.groups["deleting"])
            expect(not gone, f"missing: {gone}")
            for lease, now in known.items():
                was = self.last[lease]
                for name in ("name", "user_id", "project_id", "start_date", "end_date", "trust_id"):
                    expect(now[name] == was[name], f"{name} of {lease}: {was[name]}, now {now[name]}")
                ids = [sorted(one["id"] for one in these["reservations"]) for these in (was, now)]
                expect(ids[0] == ids[1], f"reservations of {lease}: {ids}")
                if was["status"] not in HALTED:
                    expect(now["status"] == was["status"], f"{lease} was {was['status']}, is {now['status']}")
        with self.step("what upstream was in the middle of is brought to its end"):
            self.wait("starting", "ACTIVE")
            self.wait("updating", "ACTIVE")
            self.wait("terminating", "TERMINATED")
            self.wait("deleting", None)
        with self.step("every server still runs where it ran"):
            time.sleep(15)  # two audits of everything that runs
            now = self.running_servers()
            lost = {one: where for one, where in running.items() if now.get(one) != where}
            expect(not lost and len(running) >= len(self.servers), f"lost or moved: {lost}; {len(running)} ran")

    # Berth.

    def far_ones(self):
        with self.step("leases of the future can be deleted, and leave nothing"):
            for lease in self.groups["far"]:
                answer = self.ask(self.demo, "DELETE", f"/leases/{lease}")
                expect(answer.status_code == 204, answer.text)
            self.wait("far", None)

    def ends_running(self):
        with self.step("what ran ends at its minute, and its servers with it"):
            wait_for(self.ends)
            for group in ("running", "updating", "starting"):
                self.wait(group, "TERMINATED", seconds=180)
            self.wait("failed", "TERMINATED", "ERROR")
            left = self.running_servers()
            expect(not left, f"servers: {left}")

    def lives(self):
        for group, starts, ends in (("first", self.first, self.first_ends), ("second", self.second, self.second_ends)):
            with self.step(f"leases that upstream booked start under Berth: {group}"):
                wait_for(starts)
                self.wait(group, "ACTIVE")
                known = self.leases()
                for lease in self.groups[group]:
                    reservation = known[lease]["reservations"][0]
                    if reservation["resource_type"] == "virtual:floatingip":
                        continue
                    aggregate = self.seen.aggregate(reservation["id"])
                    expect(aggregate and aggregate.hosts, f"{lease}: {aggregate}")
            with self.step(f"and end: {group}"):
                wait_for(ends)
                self.wait(group, "TERMINATED", seconds=180)

    def nothing_left(self):
        with self.step("nothing of any lease is left in the cloud"):
            compute = self.admin.cloud.compute
            aggregates = {found.name: set(found.hosts or []) for found in compute.aggregates()}
            expect(aggregates == {"freepool": set(HOSTS)}, aggregates)
            flavors = [one.name for one in compute.flavors(is_public=None) if one.name.startswith("reservation:")]
            groups = [one.name for one in compute.server_groups(all_projects=True)]
            session = self.admin.cloud.session
            classes = [one["name"] for one in session.get("/resource_classes", **PLACEMENT).json()["resource_classes"]
                       if one["name"].startswith("CUSTOM_RESERVATION")]
            addresses = [one.floating_ip_address for one in self.admin.cloud.network.ips()]
            expect(not flavors and not groups and not classes and not addresses,
                   f"flavors {flavors}, groups {groups}, classes {classes}, addresses {addresses}")
            states = sorted({one["status"] for one in self.leases().values()})
            expect(set(states) <= {"TERMINATED", "ERROR"}, states)

    def tell(self):
        """All scenes in their order."""
        for scene in (self.register, self.start_leases, self.boot, self.book_ahead, self.fail, self.halt, self.take_over,
                      self.far_ones, self.ends_running, self.lives, self.nothing_left):
            scene()
            if self.ledger.failed:
                return  # what follows builds on it


def main():
    """Entry."""
    ledger = Ledger()
    berth = None
    try:
        berth = service.Berth()
        peer.up()
        with ledger.step("the takeover reaches its end"):
            Takeover(ledger, berth).tell()
    except processes.Failed as error:
        sys.exit(f"dev/openstack/takeover.py: {error}")
    finally:
        if berth:
            berth.stop()
        peer.down()
    sys.exit(ledger.close())


if __name__ == "__main__":
    main()
