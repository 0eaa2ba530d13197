"""Leases that start, grow and end, first all of one peer, then all of the other; what each leaves in the cloud is compared."""
import collections

import known
import peers
from ledger import eventually
from minutes import minute

# How long a peer may take for what is due: upstream looks every ten seconds.
DUE = 90
PLACEMENT = {"endpoint_filter": {"service_type": "placement"}, "headers": {"OpenStack-API-Version": "placement 1.29"}}


def host(**more):
    """A reservation of hosts."""
    return {"resource_type": "physical:host", "min": 1, "max": 1, "hypervisor_properties": "", "resource_properties": "",
            **more}


def instances(amount, affinity):
    """A reservation of small instances."""
    return {"resource_type": "virtual:instance", "vcpus": 1, "memory_mb": 512, "disk_gb": 1, "amount": amount,
            "affinity": affinity, "resource_properties": ""}


def flavored(amount, flavor):
    """A reservation of instances of a flavor."""
    return {"resource_type": "flavor:instance", "flavor_id": flavor, "amount": amount, "affinity": None}


def addresses(amount, *required):
    """A reservation of floating IPs."""
    made = {"resource_type": "virtual:floatingip", "network_id": "{network:public}", "amount": amount}
    return {**made, "required_floatingips": list(required)} if required else made


# The leases of a round run side by side. Upstream has no flavors beside instances of a size of their own.
ROUNDS = (
    ([host(resource_properties='["==", "$gpu", "False"]')], [instances(2, None)], [instances(2, False)], [addresses(2)]),
    ([host(min=1, max=2, resource_properties='["==", "$gpu", "True"]')], [flavored(2, "1")], [flavored(1, "2")],
     [addresses(1, "198.51.100.102")]),
    ([instances(2, True)], [host(), addresses(1)], [instances(1, None), addresses(1)], []),
    ([flavored(3, "1"), flavored(1, "3")], [host(before_end="")], [addresses(3)], [flavored(1, "2")]),
)
GROWN_LABEL = "grown"
# What a running reservation may grow to, by its type. Upstream lets it only where a second one like it would fit, too, so
# that nothing grows that asks for an address by name.
GROWN = {"virtual:instance": 3, "virtual:floatingip": 2}


class Cloud:
    """What the cloud has of a reservation, without ids."""

    def __init__(self, account, peer):
        self.cloud = account.cloud
        self.peer = peer

    def picture(self, reservation, required=()):
        """Everything that belongs to it; of its addresses only required ones by name, others are the service's choice."""
        compute = self.cloud.compute
        groups = {group.id: group for group in compute.server_groups(all_projects=True)
                  if group.name == f"reservation:{reservation}"}

        def symbols(values):
            shown = {key: "<group>" if value in groups else self.peer.symbols(value) for key, value in values.items()}
            upper = reservation.upper().replace("-", "_")
            return {key.replace(upper, "<RESERVATION>"): value for key, value in shown.items()
                    if key not in ("availability_zone", "berth:reservation")}

        aggregates = list(compute.aggregates())
        own = next((found for found in aggregates if found.name == reservation), None)
        free = set(next(found for found in aggregates if found.name == "freepool").hosts or [])
        flavor = next((found for found in compute.flavors(is_public=None) if found.id == reservation), None)
        found = {"server groups": sorted(group.policy or str(group.policies) for group in groups.values())}
        if own:
            found["aggregate"] = {
                "zone": own.availability_zone and self.peer.symbols(own.availability_zone),
                "metadata": symbols(own.metadata), "hosts": len(own.hosts or []),
                "of them in freepool": len(set(own.hosts or []) & free)}
        if flavor:
            found["flavor"] = {
                "name": self.peer.symbols(flavor.name), "vcpus": flavor.vcpus, "ram": flavor.ram, "disk": flavor.disk,
                "ephemeral": flavor.ephemeral, "swap": flavor.swap, "public": flavor.is_public,
                "extra specs": symbols(compute.fetch_flavor_extra_specs(flavor).extra_specs),
                "access": sorted(self.peer.symbols(one["tenant_id"]) for one in compute.get_flavor_access(flavor))}
        found["places"] = self.places(reservation)
        found["addresses"] = sorted((
            address.floating_ip_address if address.floating_ip_address in required else "any", self.peer.symbols(address.project_id),
            sorted(self.peer.symbols(tag) for tag in address.tags))
            for address in self.cloud.network.ips() if f"reservation:{reservation}" in address.tags)
        return found

    def places(self, reservation):
        """Totals of its resource class, of all providers; None where Placement does not know the class."""
        name = "CUSTOM_RESERVATION_" + reservation.upper().replace("-", "_")
        session = self.cloud.session
        if session.get(f"/resource_classes/{name}", raise_exc=False, **PLACEMENT).status_code != 200:
            return None
        totals = []
        for provider in session.get("/resource_providers", **PLACEMENT).json()["resource_providers"]:
            inventories = session.get(f"/resource_providers/{provider['uuid']}/inventories", **PLACEMENT).json()["inventories"]
            if name in inventories:
                totals.append(inventories[name]["total"])
        return sum(totals)


class Life:
    """One lease of one peer, and everything that was seen of it."""

    def __init__(self, peer, accounts, number, reservations):
        self.peer, self.number = peer, number
        self.reservations = reservations
        self.path = f"/leases/{{lease:{number}}}"
        self.cloud = Cloud(accounts["admin"], peer)
        self.seen = []

    def ids(self):
        """Ids of its reservations."""
        return [self.peer.ids[f"{{reservation:{self.number}:{place}}}"] for place in range(len(self.reservations))]

    def look(self, when):
        """Keeps what the cloud has of it."""
        for place, reservation in enumerate(self.ids()):
            required = self.reservations[place].get("required_floatingips", ())
            self.seen.append((f"{when}, reservation {place}", self.cloud.picture(reservation, required)))

    def book(self):
        """From now on for some hours."""
        body = {"name": f"life-{self.number}", "start_date": "now", "end_date": minute(5 * 3600), "reservations": self.reservations,
                "events": []}
        answer = self.peer.ask("demo", "POST", "/leases", body, self.number)
        # Its dates are of this minute.
        self.seen.append(("POST /leases", answer.status))
        if answer.status != 201:
            raise RuntimeError(f"{self.peer.name} refuses {body}: {answer}")

    def wait_active(self):
        """Waits for its start."""
        def status():
            return self.peer.ask("demo", "GET", self.path).body["lease"]["status"]
        eventually(f"{self.peer.name}: lease {self.number} ACTIVE", DUE, lambda: status() == "ACTIVE")

    def grow(self):
        """Prolongs it and has its reservations grow."""
        self.seen.append(("PUT end_date", self.peer.ask("demo", "PUT", self.path, {"end_date": minute(6 * 3600)}).status))
        for place, one in enumerate(self.reservations):
            most = GROWN.get(one["resource_type"])
            if not most or one["amount"] >= most or one.get("affinity") is True or "required_floatingips" in one:
                continue
            body = {"reservations": [{"id": f"{{reservation:{self.number}:{place}}}", "amount": most}]}
            answer = self.peer.ask("demo", "PUT", self.path, body)
            self.seen.append((f"PUT amount {most} of {one['resource_type']}", answer))
            if answer.status == 200:
                eventually("it has grown", DUE, lambda reservation=self.ids()[place]: self.size(reservation) == most)

    def size(self, reservation):
        """How many places or addresses the cloud has of a reservation."""
        picture = self.cloud.picture(reservation)
        return picture["places"] or len(picture["addresses"])

    def end(self):
        """Deletes it and waits until it is gone."""
        ids = self.ids()
        self.seen.append(("DELETE", self.peer.ask("demo", "DELETE", self.path)))
        eventually("it is gone", DUE, lambda: self.peer.ask("demo", "GET", self.path).status == 404)
        for place, reservation in enumerate(ids):
            self.seen.append((f"after its end, reservation {place}", self.cloud.picture(reservation)))


def live(peer, accounts, rounds):
    """All rounds of one peer; what was seen of each lease."""
    lives = []
    for number in range(rounds):
        leases = [Life(peer, accounts, len(lives) + place, reservations)
                  for place, reservations in enumerate(ROUNDS[number % len(ROUNDS)])]
        for act in (Life.book, Life.wait_active, lambda one: one.look("running"), Life.grow,
                    lambda one: one.look(GROWN_LABEL), Life.end):
            for one in leases:
                act(one)
        lives.extend(leases)
        peer.forget()
    return lives


def compare(two, accounts, rounds, say):
    """Lets both peers live; returns how many leases started, how often each known difference was seen, and what else differs."""
    lives = []
    for peer in two:
        lives.append(live(peer, accounts, rounds))
        say(f"{len(lives[-1])} leases of {peer.name} have started and ended")
    rows, differing = collections.Counter(), []
    for one, other in zip(*lives):
        grew_alike = True
        for (label, left), (_, right) in zip(one.seen, other.seen, strict=True):
            if isinstance(left, peers.Answer):
                row, alike = judged(one, label, left, right)
                rows.update([row] if row else [])
                grew_alike &= left.status == right.status
                left, right = (None, None) if row or alike else (str(left), str(right))
            elif label.startswith(GROWN_LABEL) and not grew_alike:
                continue  # what only one of them let grow
            if left != right:
                differing.append({"lease": one.reservations, "step": label, "upstream": left, "berth": right})
    return len(lives[0]), rows, differing


def judged(life, label, upstream, berth):
    """Which known difference two answers show, and whether they are alike; their dates are of two different minutes."""
    booked = {life.number: {"reservations": life.reservations}}
    step = known.Step("demo", label.split(" ", 1)[0], life.path, None, upstream, berth, booked)
    if upstream.status == berth.status and (upstream.status < 400 or upstream == berth):
        return None, True
    return known.explanation(step), False
