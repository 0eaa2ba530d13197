"""The life of a reservation of instances of a flavor on a real cloud, told with unmodified clients: scenes of the story."""
import clients
from instances import Instances, inventory
from ledger import eventually, expect

AMOUNT = 2


class Flavored(Instances):
    """One reservation of instances of the smallest flavor from its booking to its deletion."""

    name = "flavored"
    prefix = "flavored"

    def book(self):
        demo = self.story.demo
        with self.step("openstack reservation lease create of two instances of a flavor that does not exist: 404, Nova's text"):
            said = demo.refused("openstack", "reservation", "lease", "create", "--end-date", self.end, self.name,
                                "--reservation", "resource_type=flavor:instance,flavor_id=none,amount=2,affinity=None")
            expect("Flavor none could not be found" in said, said)
        with self.step("openstack reservation lease create of two instances of a flavor"):
            demo.openstack("reservation", "lease", "create", "--end-date", self.end, self.name, "--reservation",
                           f"resource_type=flavor:instance,flavor_id=1,amount={AMOUNT},affinity=None")
            self.remember()
            expect((self.reservation["vcpus"], self.reservation["memory_mb"]) == (1, 512), self.reservation)
            expect('"name":"m1.tiny"' in self.reservation["resource_properties"].replace(" ", ""), self.reservation)
        with self.step("the lease starts; the flavor made is like its source, the project's alone, with places in Placement"):
            self.story.wait_active(self.lease, self.due)
            expect(self.id in self.flavors(demo), "the project does not see the flavor")
            expect(self.id not in self.flavors(self.story.other), "another project sees the flavor")
            flavor = self.story.admin.cloud.compute.get_flavor(self.id)
            expect((flavor.vcpus, flavor.ram, flavor.disk) == (1, 512, 1), flavor)
            aggregate = self.story.seen.aggregate(self.id)
            self.used = sorted(aggregate.hosts)
            expect(set(self.used) <= self.story.seen.free(), f"freepool: {self.story.seen.free()}")
            places = sum(inventory(self.story.seen, host, self.resource_class) or 0 for host in self.hosts)
            expect(places == AMOUNT, f"places: {places}")

    def boot(self):
        demo = self.story.demo
        names = [f"{self.prefix}-{number}" for number in range(AMOUNT)]
        with self.step("as many servers as places boot with it, on the hosts reserved"):
            for name in names:
                self.boot_one(demo, name).communicate(timeout=clients.TIMEOUT)
            servers = [eventually(f"verdict on {name}", 90, lambda name=name: self.story.seen.settled_server(name))
                       for name in names]
            where = {server.hypervisor_hostname or server.status for server in servers}
            expect(where <= set(self.used), f"servers on {where}, places on {self.used}")
        self.one_too_many()

    def grow(self):
        """Growing is told of instances of a size of their own."""
