"""The life of a reservation of floating IPs on a real Neutron, told with unmodified clients: scenes of the story."""
from ledger import eventually, expect

ADDRESSES = ("198.51.100.100", "198.51.100.101", "198.51.100.102")
NAME = "addresses"


class Addresses:
    """Registered addresses, and one reservation of them from its booking to its deletion."""

    def __init__(self, story, end, due, cleaned):
        self.story, self.step = story, story.step
        self.end, self.due, self.cleaned = end, due, cleaned
        self.network = story.admin.cloud.network.find_network("public").id

    def neutron(self):
        """Floating IPs of the lease's project, by address."""
        found = self.story.admin.cloud.network.ips(project_id=self.story.demo.project_id)
        return {one.floating_ip_address: one for one in found}

    def register(self):
        admin = self.story.admin
        with self.step("openstack reservation floatingip create, list and show"):
            made = [admin.openstack("reservation", "floatingip", "create", self.network, address) for address in ADDRESSES]
            expect([one["floating_ip_address"] for one in made] == list(ADDRESSES), made)
            listed = {one["floating_ip_address"] for one in admin.openstack("reservation", "floatingip", "list")}
            expect(listed == set(ADDRESSES), listed)
            self.ids = [one["id"] for one in made]
            shown = admin.openstack("reservation", "floatingip", "show", self.ids[0])
            expect(shown["floating_network_id"] == self.network, shown)
        with self.step("an address of Neutron's own pool: 400, upstream's text"):
            said = admin.refused("openstack", "reservation", "floatingip", "create", self.network, "198.51.100.50")
            expect("is used in allocation_pools or gateway_ip" in said, said)

    def book(self):
        demo = self.story.demo
        with self.step("blazar lease-create of two addresses, one of them by name"):
            demo.run("blazar", "lease-create", "--end-date", self.end, NAME, "--reservation",
                     f"resource_type=virtual:floatingip,network_id={self.network},amount=2,"
                     f'required_floatingips=["{ADDRESSES[2]}"]')
            self.lease = demo.openstack("reservation", "lease", "show", NAME)["id"]
            self.id = self.story.lease(self.lease)["reservations"][0]["id"]
        with self.step("the lease starts; the project has both addresses in Neutron, tagged with their reservation"):
            self.story.wait_active(self.lease, self.due)
            found = self.neutron()
            expect(len(found) == 2 and ADDRESSES[2] in found, sorted(found))
            for one in found.values():
                expect(sorted(one.tags) == ["blazar", f"reservation:{self.id}"], one.tags)

    def use(self):
        demo = self.story.demo
        with self.step("the project gives one of them to a port of its own"):
            network = demo.cloud.network
            self.own = network.create_network(name="own")
            subnet = network.create_subnet(network_id=self.own.id, ip_version=4, cidr="10.0.0.0/24", is_dhcp_enabled=False)
            self.router = network.create_router(name="own", external_gateway_info={"network_id": self.network})
            network.add_interface_to_router(self.router, subnet_id=subnet.id)
            self.subnet = subnet
            self.port = network.create_port(network_id=self.own.id, name="own")
            mine = next(one for one in network.ips() if one.floating_ip_address == ADDRESSES[2])
            network.update_ip(mine, port_id=self.port.id)
            expect(self.neutron()[ADDRESSES[2]].port_id == self.port.id, "it is not attached")

    def delete(self):
        with self.step("lease delete: both addresses are taken from the project, the one in use too"):
            self.story.demo.run("openstack", "reservation", "lease", "delete", NAME)
            eventually("no address left", self.cleaned, lambda: not self.neutron())
        with self.step("openstack reservation floatingip delete"):
            for one in self.ids:
                self.story.admin.run("openstack", "reservation", "floatingip", "delete", one)
            listed = self.story.admin.openstack("reservation", "floatingip", "list")
            expect(listed == [], listed)
        network = self.story.demo.cloud.network
        network.delete_port(self.port)
        network.remove_interface_from_router(self.router, subnet_id=self.subnet.id)
        network.delete_router(self.router)
        network.delete_network(self.own)

    def tell(self):
        """All scenes in their order."""
        self.register()
        self.book()
        self.use()
        self.delete()
