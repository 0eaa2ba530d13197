"""Every command of `blazar` and of `openstack reservation`, with what people read off them."""
import contextlib
import importlib.metadata
import json

from blazarclient import shell as blazar_shell

from programs import Programs

NETWORK = "7f2b0a7c-3e0e-4d3d-9d0b-0d8f1a1c9e11"


def expect(holds, text):
    assert holds, text


def hosts(run, read):
    """Hosts with capabilities, and the properties they make."""
    run("blazar", "host-create", "node-1", "--extra", "vcpus=8", "--extra", "memory_mb=16384", "--extra", "local_gb=100",
        "--extra", "rack=r1")
    for name, rack in (("node-2", "r1"), ("node-3", "r2")):
        shown = read("openstack", "reservation", "host", "create", name, "--extra", "vcpus=8", "--extra", "memory_mb=16384",
                     "--extra", "local_gb=100", "--extra", f"rack={rack}")
        expect(shown["hypervisor_hostname"] == name and shown["rack"] == rack, shown)
    listed = read("openstack", "reservation", "host", "list")
    expect([host["hypervisor_hostname"] for host in listed] == ["node-1", "node-2", "node-3"], listed)
    expect([host["hypervisor_hostname"] for host in read("blazar", "host-list")] == ["node-1", "node-2", "node-3"],
           "blazar host-list")
    by_name, by_id = (read("openstack", "reservation", "host", "show", word) for word in ("node-2", listed[1]["id"]))
    expect(by_name == by_id and str(by_name["vcpus"]) == "8", by_name)
    expect(read("blazar", "host-show", "node-3")["rack"] == "r2", "blazar host-show")
    run("blazar", "host-update", "node-3", "--extra", "rack=r3", "--extra", "disk=ssd")
    run("openstack", "reservation", "host", "set", "node-1", "--extra", "disk=nvme", "--extra", "lamp=on")
    expect(read("blazar", "host-show", "node-3")["rack"] == "r3", "the capability did not change")
    run("blazar", "host-unset", "node-1", "--extra", "lamp")
    run("blazar", "host-unset", "node-3", "--extra", "disk")
    expect("lamp" not in read("openstack", "reservation", "host", "show", "node-1"), "the capability is still there")
    expect("disk" not in read("openstack", "reservation", "host", "show", "node-3"), "the capability is still there")
    properties = read("openstack", "reservation", "host", "property", "list", "--detail")
    racks = [entry for entry in properties if entry["property"] == "rack"]
    expect(racks and sorted(racks[0]["property_values"]) == ["r1", "r3"], properties)
    run("openstack", "reservation", "host", "property", "set", "disk", "--private")
    expect("disk" not in run("blazar", "host-property-list"), "a private property is listed")
    expect("disk" in run("blazar", "host-property-list", "--all"), "an administrator does not see a private property")
    run("blazar", "host-property-set", "disk", "--public")
    expect(read("blazar", "host-property-show", "disk")["property"] == "disk", "blazar host-property-show")
    expect(read("openstack", "reservation", "host", "property", "show", "rack")["property"] == "rack", "property show")


def leases(run, read):
    """Leases of whole hosts, instances and floating IPs; names, dates, changes."""
    lease = read("openstack", "reservation", "lease", "create", "--start-date", "2050-01-01 00:00", "--end-date",
                 "2050-01-02 00:00", "--reservation",
                 'resource_type=physical:host,min=1,max=2,hypervisor_properties=[">=", "$vcpus", "4"]', "whole")
    expect(lease["status"] == "PENDING" and lease["name"] == "whole", lease)
    # This program takes host reservations by an option of their own as well.
    run("blazar", "lease-create", "--start-date", "2050-02-01 00:00", "--end-date", "2050-02-02 00:00",
        "--physical-reservation", 'min=1,max=1,resource_properties=["==", "$rack", "r3"]', "racked")
    run("blazar", "lease-create", "--start-date", "2050-03-01 00:00", "--end-date", "2050-03-02 00:00", "--reservation",
        "resource_type=virtual:instance,vcpus=2,memory_mb=1024,disk_gb=10,amount=3,affinity=False", "instances")
    listed = read("blazar", "lease-list")
    expect([entry["name"] for entry in listed] == ["instances", "racked", "whole"], listed)
    expect(len(read("openstack", "reservation", "lease", "list")) == 3, "lease list")
    expect(read("openstack", "reservation", "lease", "show", "racked")["name"] == "racked", "lease show by name")
    run("openstack", "reservation", "lease", "set", "whole", "--name", "wholly")
    run("openstack", "reservation", "lease", "set", "wholly", "--prolong-for", "1h")
    expect(read("blazar", "lease-show", "wholly")["end_date"].startswith("2050-01-02T01:00"), "the end did not move")
    run("blazar", "lease-update", "wholly", "--reduce-by", "30m")
    run("blazar", "lease-update", "wholly", "--defer-by", "2h")
    run("openstack", "reservation", "lease", "set", "wholly", "--advance-by", "1h")
    changed = read("blazar", "lease-show", lease["id"])
    expect((changed["start_date"], changed["end_date"]) == ("2050-01-01T01:00:00.000000", "2050-01-02T00:30:00.000000"),
           changed)
    reservation = booked(read, "wholly")[0]["id"]
    run("openstack", "reservation", "lease", "set", "wholly", "--reservation", f"id={reservation},min=3,max=3")
    expect(booked(read, "wholly")[0]["max"] == 3, "the reservation did not grow")
    refusal = run("openstack", "reservation", "lease", "set", "wholly", "--reservation", f"id={reservation},min=4,max=4",
                  fails=True)
    expect("Not enough hosts available" in refusal, refusal)
    expect(booked(read, "wholly")[0]["max"] == 3, "a refused change changed the lease")
    refusal = run("blazar", "lease-create", "--start-date", "2049-01-01 00:00", "--end-date", "2049-02-01 00:00",
                  "--physical-reservation", "min=4,max=4", "too much", fails=True)
    expect("ERROR: Not enough hosts available" in refusal, refusal)
    run("blazar", "lease-create", "--start-date", "2050-03-03 00:00", "--end-date", "2050-03-04 00:00", "--reservation",
        "resource_type=flavor:instance,flavor_id=small,amount=2", "flavored")
    flavored = booked(read, "flavored")[0]
    expect((flavored["vcpus"], flavored["amount"]) == (2, 2), f"flavored: {flavored}")


def booked(read, name):
    """The reservations of a lease, whichever way the program prints them."""
    reservations = read("openstack", "reservation", "lease", "show", name)["reservations"]
    if isinstance(reservations, str):
        reservations = json.loads(f"[{reservations}]" if reservations.startswith("{") else reservations)
    return reservations if isinstance(reservations, list) else [reservations]


def floating_ips(run, read):
    """Addresses, and a lease of some."""
    for program, words in (("blazar", ("floatingip-create",)), ("openstack", ("reservation", "floatingip", "create"))):
        last = 10 if program == "blazar" else 11
        run(program, *words, NETWORK, f"192.0.2.{last}")
    listed = read("openstack", "reservation", "floatingip", "list")
    expect(sorted(entry["floating_ip_address"] for entry in listed) == ["192.0.2.10", "192.0.2.11"], listed)
    expect(len(read("blazar", "floatingip-list")) == 2, "blazar floatingip-list")
    identifiers = [entry["id"] for entry in listed]
    for program, words in (("blazar", ("floatingip-show",)), ("openstack", ("reservation", "floatingip", "show"))):
        expect(read(program, *words, identifiers[0])["floating_network_id"] == NETWORK, f"{program} shows another network")
    run("openstack", "reservation", "lease", "create", "--start-date", "2050-04-01 00:00", "--end-date", "2050-04-02 00:00",
        "--reservation", f"resource_type=virtual:floatingip,network_id={NETWORK},amount=2", "addresses")
    in_use = run("blazar", "floatingip-delete", identifiers[0], fails=True)
    expect("409" in in_use or "reserved" in in_use or "ERROR" in in_use, in_use)
    run("blazar", "lease-delete", "addresses")
    run("blazar", "floatingip-delete", identifiers[0])
    run("openstack", "reservation", "floatingip", "delete", identifiers[1])
    expect(read("blazar", "floatingip-list") == [], "an address is left")


def allocations(run, read):
    """Who has which host."""
    listed = read("openstack", "reservation", "allocation", "list", "host")
    expect(len(listed) == 3, listed)
    lease = read("blazar", "lease-show", "wholly")["id"]
    mine = read("blazar", "allocation-list", "host", "--lease-id", lease)
    expect(len(mine) == 3, mine)
    for program, words in (("blazar", ("allocation-show", "host")),
                           ("openstack", ("reservation", "allocation", "show", "host"))):
        shown = read(program, *words, "node-3")
        expect(lease in str(shown["reservations"]), shown)


def farewell(run, read):
    """Everything is given back, and nothing can be deleted that is in use."""
    expect("reserved" in run("openstack", "reservation", "host", "delete", "node-3", fails=True), "a host in use was deleted")
    run("openstack", "reservation", "lease", "delete", "wholly")
    for name in ("racked", "instances", "flavored"):
        run("blazar", "lease-delete", name)
    expect(read("openstack", "reservation", "lease", "list") == [], "a lease is left")
    run("blazar", "host-delete", "node-1")
    for name in ("node-2", "node-3"):
        run("openstack", "reservation", "host", "delete", name)
    expect(read("blazar", "host-list") == [], "a host is left")


def loadable(group):
    """Commands an extension registers, without those whose class it does not have (4.6 misspells that of `host unset`)."""
    names = set()
    for entry in importlib.metadata.entry_points(group=group):
        with contextlib.suppress(AttributeError):
            entry.load()
            names.add(entry.name)
    return names


def main():
    """Runs everything, then checks that no command either program registers was left out."""
    programs = Programs()
    for step in (hosts, leases, floating_ips, allocations, farewell):
        step(programs.run, programs.read)
    registered = set(blazar_shell.COMMANDS_V1) | loadable("openstack.reservation.v1")
    expect(registered == programs.used, f"not run, or not registered: {sorted(registered ^ programs.used)}")
    return f"{len(registered)} commands"
