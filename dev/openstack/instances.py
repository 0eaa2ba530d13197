"""The life of a reservation of instances on a real cloud, told with unmodified clients: scenes of the story."""
import clients
from ledger import eventually, expect

# Two instances of one reservation, each with half of a small server.
AMOUNT = 2


def inventory(seen, host, resource_class):
    """How much of a resource class the reservation provider of a host has, or None."""
    provider = seen.provider(f"blazar_{host}")
    if not provider:
        return None
    answer = seen.cloud.session.get(f"/resource_providers/{provider['uuid']}/inventories",
                                    endpoint_filter={"service_type": "placement"},
                                    headers={"OpenStack-API-Version": "placement 1.29"})
    found = answer.json()["inventories"].get(resource_class)
    return found and found["total"]


def has_class(seen, resource_class):
    """Whether Placement knows a resource class."""
    answer = seen.cloud.session.get(f"/resource_classes/{resource_class}", raise_exc=False,
                                    endpoint_filter={"service_type": "placement"},
                                    headers={"OpenStack-API-Version": "placement 1.29"})
    return answer.status_code == 200


class Instances:
    """One reservation of instances from its booking to its deletion."""

    # Of its lease, and how names of its servers begin.
    name = "places"
    prefix = "place"

    def __init__(self, story, hosts, end, due, cleaned):
        self.story = story
        self.end = end
        self.step = story.step
        self.hosts = hosts
        self.due = due
        self.cleaned = cleaned

    def flavors(self, account):
        """Ids of the flavors an account sees."""
        return {flavor.id for flavor in account.cloud.compute.flavors()}

    def book(self):
        demo = self.story.demo
        with self.step("openstack reservation lease create of two instances, each on another host"):
            demo.openstack("reservation", "lease", "create", "--end-date", self.end, self.name, "--reservation",
                           "resource_type=virtual:instance,vcpus=1,memory_mb=512,disk_gb=1,"
                           f"amount={AMOUNT},affinity=False,resource_properties=")
            self.remember()
        with self.step("the lease starts; its flavor is the project's, hosts stay in freepool, Placement has its places"):
            self.story.wait_active(self.lease, self.due)
            expect(self.id in self.flavors(demo), "the project does not see the flavor")
            expect(self.id not in self.flavors(self.story.other), "another project sees the flavor")
            aggregate = self.story.seen.aggregate(self.id)
            expect(aggregate and not aggregate.availability_zone, f"aggregate: {aggregate}")
            self.used = sorted(aggregate.hosts)
            expect(len(self.used) == AMOUNT and set(self.used) <= set(self.hosts), f"hosts: {self.used}")
            expect(set(self.used) <= self.story.seen.free(), f"freepool: {self.story.seen.free()}")
            metadata = {key: aggregate.metadata.get(key) for key in ("reservation", "filter_tenant_id", "blazar:owner")}
            expect(metadata == {"reservation": self.id, "filter_tenant_id": demo.project_id,
                                "blazar:owner": demo.project_id}, f"metadata: {aggregate.metadata}")
            totals = {host: inventory(self.story.seen, host, self.resource_class) for host in self.hosts}
            expect(totals == {host: 1 if host in self.used else None for host in self.hosts}, f"inventory: {totals}")
            told = self.story.lease(self.lease)["reservations"][0]
            expect(told["aggregate_id"] == aggregate.id and told["server_group_id"], told)

    def remember(self):
        """What the lease that was booked is called."""
        self.lease = self.story.demo.openstack("reservation", "lease", "show", self.name)["id"]
        self.reservation = self.story.lease(self.lease)["reservations"][0]
        expect(self.reservation["flavor_id"] == self.reservation["id"], self.reservation)
        self.id = self.reservation["id"]
        self.resource_class = "CUSTOM_RESERVATION_" + self.id.upper().replace("-", "_")

    def boot(self):
        demo = self.story.demo
        names = [f"{self.prefix}-{number}" for number in range(AMOUNT)]
        with self.step("as many servers as places boot with the flavor, one on each host"):
            for name in names:
                self.boot_one(demo, name).communicate(timeout=clients.TIMEOUT)
            servers = [eventually(f"verdict on {name}", 90, lambda name=name: self.story.seen.settled_server(name))
                       for name in names]
            where = sorted(server.hypervisor_hostname or server.status for server in servers)
            expect(where == self.used, f"servers on {where}, places on {self.used}")
        self.one_too_many()
        with self.step("another project cannot boot with the flavor"):
            error = self.boot_one(self.story.other, "stranger").communicate(timeout=clients.TIMEOUT)[1]
            expect(self.id in error and self.story.seen.server("stranger") is None, error)

    def one_too_many(self):
        """A server beyond the reservation."""
        with self.step("one more finds no place"):
            self.boot_one(self.story.demo, "too-many").communicate(timeout=clients.TIMEOUT)
            server = eventually("verdict on too-many", 90, lambda: self.story.seen.settled_server("too-many"))
            expect(server.status == "ERROR", f"{server.status} on {server.hypervisor_hostname}")

    def boot_one(self, account, name):
        """Starts to boot a server into the reservation."""
        return account.boot(name, flavor=self.id)

    def grow(self):
        with self.step("amount 3 while it runs: one place more, at once"):
            body = {"reservations": [{"id": self.id, "amount": AMOUNT + 1}]}
            answer = self.story.demo.request("PUT", f"/leases/{self.lease}", body)
            expect(answer.status_code == 200, f"{answer.status_code} {answer.text}")
            eventually("three places", self.due, lambda: sum(
                inventory(self.story.seen, host, self.resource_class) or 0 for host in self.hosts) == AMOUNT + 1)
        with self.step("amount 1 while it runs: refused with upstream's text, and nothing changes"):
            body = {"reservations": [{"id": self.id, "amount": 1}]}
            answer = self.story.demo.request("PUT", f"/leases/{self.lease}", body)
            expect(answer.status_code == 409 and "reduce/replace reserved instance slots" in answer.text,
                   f"{answer.status_code} {answer.text}")
            expect(self.story.lease(self.lease)["reservations"][0]["amount"] == AMOUNT + 1, "it was changed")

    def delete(self):
        with self.step("lease delete: servers, flavor, aggregate, resource class and inventories are gone"):
            self.story.demo.run("openstack", "reservation", "lease", "delete", self.name)
            eventually("nothing of it left", self.cleaned, self.is_gone)

    def is_gone(self):
        """Whether the cloud shows nothing of the reservation."""
        seen = self.story.seen
        left = [server.name for server in seen.cloud.compute.servers(all_projects=True)
                if server.name.startswith(f"{self.prefix}-") or server.name == "too-many"]
        expect(not left, f"servers: {left}")
        expect(seen.aggregate(self.id) is None, "the aggregate")
        expect(self.id not in self.flavors(self.story.admin), "the flavor")
        expect(not has_class(seen, self.resource_class), "the resource class")
        expect(set(self.used) <= seen.free(), f"freepool: {seen.free()}")
        return True

    def tell(self):
        """All scenes in their order."""
        self.book()
        self.boot()
        self.grow()
        self.delete()
