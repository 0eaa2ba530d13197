"""Sequences of requests, drawn from a seed: valid ones, and ones with something wrong.

A step is a request whose path and body name objects by symbols such as `{lease:0}`, `{reservation:0:1}`, `{host:compute-1}`,
`{network:public}`; whoever sends it puts the ids in that its peer gave. Times are far in the future, so that nothing
starts while two answers are compared.
"""
import copy

HOSTS = ("compute-1", "compute-2", "compute-3")
# Registered with both peers; the bed's external network gives them to nobody else.
ADDRESSES = ("198.51.100.100", "198.51.100.101", "198.51.100.102")
UNKNOWN = "00000000-0000-4000-8000-000000000000"
# What somebody would have as the id of a lease.
CHOSEN = "00000000-0000-4000-8000-000000000001"

PROPERTIES = ("", "", "", '["==", "$gpu", "True"]', '["==", "$gpu", "False"]', '["!=", "$gpu", "True"]',
              '["and", ["==", "$gpu", "True"], ["==", "$rack", "r1"]]', '["==", "$hypervisor_hostname", "compute-2"]',
              '[">=", "$vcpus", "4"]', '["<", "$memory_mb", "1"]', "[]")
WRONG_PROPERTIES = ("[", "x", '["or", ["==", "$gpu", "True"], ["==", "$rack", "r1"]]', '["==", "$gpu"]',
                    '["~", "$gpu", "True"]', '["==", "gpu", "True"]', '["==", "$gpu", ""]', '["and"]',
                    '["==", "$vcpus", 8]', '["==", "$never", "1"]', "{}", '"x"')


def date(hour):
    """A whole hour of January 2035."""
    return f"2035-01-{10 + hour // 24:02d} {hour % 24:02d}:00"


def window(dice):
    """A start and an end, a few hours apart: windows of one sequence overlap often."""
    start = dice.randrange(6)
    return start, start + dice.randint(1, 4)


def hosts(dice):
    """A reservation of hosts."""
    least = dice.choice((1, 1, 1, 2, 3))
    made = {"resource_type": "physical:host", "min": least, "max": least + dice.choice((0, 0, 1)),
            "hypervisor_properties": dice.choice(PROPERTIES) if dice.random() < 0.3 else "",
            "resource_properties": dice.choice(PROPERTIES)}
    if dice.random() < 0.3:
        made["before_end"] = dice.choice(("", "default", "snapshot"))
    return made


def instances(dice):
    """A reservation of instances of a size of their own."""
    return {"resource_type": "virtual:instance", "vcpus": dice.randint(1, 8), "memory_mb": dice.choice((512, 4096, 8192)),
            "disk_gb": dice.choice((0, 1, 100)), "amount": dice.randint(1, 4),
            "affinity": dice.choice((None, "None", True, False, "False")), "resource_properties": dice.choice(PROPERTIES[:5])}


def flavored(dice):
    """A reservation of instances of a flavor."""
    return {"resource_type": "flavor:instance", "flavor_id": dice.choice("123"), "amount": dice.randint(1, 4),
            "affinity": dice.choice((None, "None"))}


def addresses(dice):
    """A reservation of floating IPs."""
    made = {"resource_type": "virtual:floatingip", "network_id": "{network:public}", "amount": dice.randint(1, 3)}
    if dice.random() < 0.4:
        made["required_floatingips"] = dice.sample(ADDRESSES, 1)
    return made


KINDS = (hosts, hosts, instances, flavored, addresses)

WRONG_VALUES = {
    "min": (0, -1, "x", None, 4), "max": (0, "x", None), "hypervisor_properties": WRONG_PROPERTIES,
    "resource_properties": WRONG_PROPERTIES, "before_end": ("email", None, 1),
    "amount": (0, "x", 2147483648), "affinity": ("maybe", True), "flavor_id": ("none", UNKNOWN),
    "network_id": (UNKNOWN,), "required_floatingips": (["x"], [ADDRESSES[0], ADDRESSES[1], ADDRESSES[2]], ["192.0.2.1"]),
    "resource_type": ("foo:bar", None),
}


def spoiled(dice, reservation):
    """The reservation with one thing wrong."""
    made = dict(reservation)
    if dice.random() < 0.4:
        del made[dice.choice(sorted(made))]
        return made
    names = sorted(set(WRONG_VALUES) & (set(made) | ({"required_floatingips"} if "network_id" in made else set())))
    name = dice.choice(names)
    made[name] = dice.choice(WRONG_VALUES[name])
    return made


def lease(dice):
    """The body of a booking, most of the time a right one."""
    start, end = window(dice)
    body = {"name": f"lease-{dice.randrange(100)}", "start_date": date(start), "end_date": date(end),
            "reservations": [dice.choice(KINDS)(dice) for _ in range(dice.choice((0, 1, 1, 1, 1, 2)))], "events": []}
    if dice.random() < 0.2:
        body["before_end_date"] = date(dice.randrange(start, end + 1))[:-2] + "30"
    if dice.random() < 0.75:
        return body
    wrong = dice.randrange(8)
    if wrong == 0:
        del body[dice.choice(("name", "start_date", "end_date"))]
    elif wrong == 1:
        body[dice.choice(("start_date", "end_date", "before_end_date"))] = dice.choice(
            ("soon", "2035-13-01 00:00", "2035-01-10", "2035-01-10T00:00", ""))
    elif wrong == 2:
        body["start_date"], body["end_date"] = body["end_date"], body["start_date"]
    elif wrong == 3:
        body["start_date"] = "2020-01-01 00:00"
    elif wrong == 4:
        body["before_end_date"] = date(9)
    elif wrong == 5:
        body.update(id=CHOSEN, degraded=True, status="ACTIVE", unknown=1)
    elif body["reservations"]:
        place = dice.randrange(len(body["reservations"]))
        body["reservations"][place] = spoiled(dice, body["reservations"][place])
    return body


def changed(dice, number, made):
    """The body of a change of lease `number`, which was booked with `made`."""
    start, end = window(dice)
    simple = (
        {"name": f"renamed-{dice.randrange(100)}"}, {}, {"end_date": date(end)}, {"start_date": date(start)},
        {"start_date": date(start), "end_date": date(end)}, {"end_date": date(end + 6)},
        {"before_end_date": date(dice.randrange(8))}, {"end_date": "later"}, {"end_date": "2020-01-01 00:00"},
        {"unknown": 1}, {"name": "x", "end_date": date(end)},
        {"reservations": [{"min": 1}]}, {"reservations": [{"id": UNKNOWN, "min": 1}]})
    reservations = made.get("reservations") or []
    if not reservations or dice.random() < 0.5:
        return copy.deepcopy(dice.choice(simple))
    place = dice.randrange(len(reservations))
    entry = {"id": f"{{reservation:{number}:{place}}}"}
    fresh = {kind(dice)["resource_type"]: kind for kind in KINDS}
    kind = fresh.get(reservations[place].get("resource_type"), hosts)
    other = kind(dice)
    for name in dice.sample(sorted(other), dice.randint(1, 2)):
        entry[name] = other[name]
    if dice.random() < 0.15:
        entry["resource_type"] = dice.choice(("physical:host", "virtual:instance", "foo:bar"))
    return {"reservations": [entry]}


def about_hosts(dice):
    """A request about hosts and properties."""
    host = f"{{host:{dice.choice(HOSTS)}}}"
    choices = (
        ("admin", "GET", "/os-hosts", None), ("admin", "GET", f"/os-hosts/{host}", None),
        ("admin", "GET", "/os-hosts/9999", None), ("demo", "GET", "/os-hosts", None),
        ("demo", "PUT", f"/os-hosts/{host}", {"gpu": "x"}), ("admin", "PUT", f"/os-hosts/{host}", {}),
        ("admin", "PUT", f"/os-hosts/{host}", {"extra": dice.choice(("1", 2, "x y"))}),
        ("admin", "PUT", f"/os-hosts/{host}", {"extra": None}),
        ("admin", "PUT", "/os-hosts/9999", {"extra": "1"}),
        ("admin", "POST", "/os-hosts", {}), ("admin", "POST", "/os-hosts", {"name": "nobody"}),
        ("admin", "DELETE", "/os-hosts/9999", None), ("demo", "DELETE", f"/os-hosts/{host}", None),
        ("admin", "GET", "/os-hosts/allocations", None), ("demo", "GET", "/os-hosts/allocations", None),
        ("admin", "GET", "/os-hosts/allocations?lease_id={lease:0}", None),
        ("admin", "GET", "/os-hosts/allocations?reservation_id={reservation:0:0}", None),
        ("admin", "GET", f"/os-hosts/{host}/allocation", None), ("admin", "GET", "/os-hosts/9999/allocation", None),
        ("admin", "GET", "/os-hosts/properties", None), ("demo", "GET", "/os-hosts/properties?detail=1", None),
        ("admin", "GET", "/os-hosts/properties?all=1", None),
        ("admin", "PATCH", "/os-hosts/properties/rack", {"private": False}),
        ("demo", "PATCH", "/os-hosts/properties/rack", {"private": True}),
        ("admin", "PATCH", "/os-hosts/properties/never", {"private": True}))
    return dice.choice(choices)


def about_addresses(dice):
    """A request about floating IPs."""
    address = f"{{address:{dice.choice(ADDRESSES)}}}"
    network = "{network:public}"
    choices = (
        ("admin", "GET", "/floatingips", None), ("admin", "GET", f"/floatingips/{address}", None),
        ("demo", "GET", "/floatingips", None), ("admin", "GET", f"/floatingips/{UNKNOWN}", None),
        ("admin", "POST", "/floatingips", {"floating_network_id": network}), ("admin", "POST", "/floatingips", {}),
        ("admin", "POST", "/floatingips", {"floating_network_id": network, "floating_ip_address": "198.51.100.50"}),
        ("admin", "POST", "/floatingips", {"floating_network_id": network, "floating_ip_address": "192.0.2.1"}),
        ("admin", "POST", "/floatingips", {"floating_network_id": UNKNOWN, "floating_ip_address": ADDRESSES[0]}),
        ("admin", "POST", "/floatingips", {"floating_network_id": network, "floating_ip_address": ADDRESSES[0]}),
        ("demo", "POST", "/floatingips", {"floating_network_id": network, "floating_ip_address": "198.51.100.150"}),
        ("admin", "DELETE", f"/floatingips/{UNKNOWN}", None), ("demo", "DELETE", f"/floatingips/{address}", None),
        ("admin", "PUT", f"/floatingips/{address}", {"reservable": False}),
        ("admin", "GET", "/floatingips/allocations", None))
    return dice.choice(choices)


def elsewhere(dice):
    """A request to a path or with a method nobody serves."""
    return dice.choice((("demo", "GET", "/leases/", None), ("demo", "GET", "/nothing", None), ("demo", "PATCH", "/leases", {}),
                        ("demo", "GET", "/leases.json", None), ("demo", "DELETE", "/leases", None)))


def sequence(dice):
    """Some steps: `(who, method, path, body, number of the lease it books or None)`."""
    steps, booked = [], []
    for _ in range(dice.randint(4, 9)):
        pick = dice.random()
        if not booked or pick < 0.35:
            body = lease(dice)
            steps.append((dice.choice(("demo", "demo", "demo", "other")), "POST", "/leases", body, len(booked)))
            booked.append(body)
            continue
        number = dice.randrange(len(booked))
        path = f"/leases/{{lease:{number}}}"
        who = dice.choice(("demo", "demo", "demo", "admin", "other"))
        if pick < 0.65:
            steps.append((who, "PUT", path, changed(dice, number, booked[number]), None))
        elif pick < 0.72:
            steps.append((who, "GET", dice.choice((path, f"/leases/{UNKNOWN}", path + ".json")), None, None))
        elif pick < 0.76:
            steps.append((who, "GET", "/leases", None, None))
        elif pick < 0.82:
            steps.append((who, "DELETE", dice.choice((path, path, f"/leases/{UNKNOWN}")), None, None))
        elif pick < 0.92:
            steps.append((*about_hosts(dice), None))
        elif pick < 0.98:
            steps.append((*about_addresses(dice), None))
        else:
            steps.append((*elsewhere(dice), None))
    return steps
