"""Differences that are meant: each names the line of docs/compatibility.md that says why.

A difference is looked at as two answers to one step. What is explained here and is not in that file fails the run.
"""
import pathlib

COMPATIBILITY = pathlib.Path(__file__).resolve().parents[3] / "docs" / "compatibility.md"
SHORTAGES = ("Not enough hosts available", "Not enough floating IPs available")


class Step:
    """A request that both peers answered."""

    def __init__(self, who, method, path, body, upstream, berth, history):
        self.who, self.method, self.path, self.body = who, method, path, body
        self.upstream, self.berth = upstream, berth
        # Leases that stand, by number: the bodies they were booked with.
        self.history = history

    @property
    def statuses(self):
        """Both statuses, upstream's first."""
        return self.upstream.status, self.berth.status

    def same_words(self):
        """Whether Berth says upstream's words first."""
        return self.upstream.message and self.berth.message.startswith(self.upstream.message.rstrip(" ."))

    def reservations(self):
        """Entries of `reservations` in the request that are objects."""
        entries = self.body.get("reservations") if isinstance(self.body, dict) else None
        return [one for one in entries or [] if isinstance(one, dict)]

    def kinds(self):
        """Resource types of the request, or of the lease it changes."""
        asked = {one.get("resource_type") for one in self.reservations()} - {None}
        for number, made in self.history.items():
            if f"{{lease:{number}}}" in self.path:
                asked |= {one.get("resource_type") for one in made["reservations"]}
        return asked


    def touches(self):
        """Whether a lease that stands ends when this one starts, or starts when this one ends."""
        starts, ends = self.body.get("start_date"), self.body.get("end_date")
        others = self.history.values()
        return any(other["end_date"] == starts or other["start_date"] == ends for other in others)


def only(step, statuses, *methods):
    """Whether these are the statuses, and one of these the method."""
    return step.statuses == statuses and (not methods or step.method in methods)


def books(step):
    """Whether leases are booked or changed."""
    return step.method in ("POST", "PUT") and step.path.startswith("/leases")


# (text of docs/compatibility.md, whether that is what this difference is)
KNOWN = (
    ("not enough hosts | 500",
     lambda step: books(step) and step.statuses == (500, 409) and step.upstream.message == SHORTAGES[0] and step.same_words()),
    ("not enough floating IPs | 400",
     lambda step: books(step) and step.statuses == (400, 400) and step.upstream.message == SHORTAGES[1] and step.same_words()),
    ("unsupported resource type | 500",
     lambda step: step.statuses == (500, 400) and "resource type is not supported" in step.upstream.message
     and step.same_words()),
    ("no host has the property asked for | 500",
     lambda step: step.statuses == (500, 409) and step.upstream.message.startswith("BlazarDBNotFound")),
    ("an expression or parameter that is malformed",
     lambda step: (step.statuses == (400, 400)
                   or step.statuses == (409, 409) and step.upstream.message.startswith("Affinity not supported yet"))
     and step.same_words()),
    ("a floating IP reservation of a network that does not exist",
     lambda step: step.statuses == (400, 400) and step.upstream.message.startswith("Failed to find network")
     and step.berth.message.startswith(SHORTAGES[1])),
    ("floating IP already registered | 500",
     lambda step: only(step, (500, 409), "POST") and step.path == "/floatingips"),
    ("unknown property in PATCH | 500",
     lambda step: only(step, (500, 404), "PATCH")),
    ("`virtual:instance` with missing members",
     lambda step: books(step) and step.statuses in ((500, 400), (201, 400)) and "virtual:instance" in step.kinds()),
    ("an instance or floating IP reservation's parameters change",
     lambda step: step.method == "PUT" and step.berth.status == 200
     and (step.upstream.message in SHORTAGES or step.upstream.message.startswith("BlazarDBNotFound"))
     and step.kinds() & {"virtual:instance", "virtual:floatingip"}),
    ("an update of a lease with a `flavor:instance` reservation that has not started",
     lambda step: step.method == "PUT" and step.upstream.status == 404
     and step.upstream.message.startswith("Flavor {reservation:") and step.berth.status in (200, 400, 409)),
    ("a capability of a host that carries instances of a flavor changes",
     lambda step: step.method == "PUT" and step.path.startswith("/os-hosts/") and step.statuses == (500, 200)
     and "flavor:instance" in step.upstream.message),
    ("a member that does not fit the reservation's type changes",
     lambda step: only(step, (500, 400), "PUT") or only(step, (500, 409), "PUT") and step.path.startswith("/leases")),
    ("an end that equals the start",
     lambda step: only(step, (200, 400), "PUT") and step.berth.message == "End date must be later than current and start date"),
    ("`and` and `or` nest",
     lambda step: books(step) and step.upstream.message.startswith("Malformed requirements ['or'")
     and step.berth.status in (200, 201, 409)),
    ("Back-to-back leases share a host",
     lambda step: books(step) and step.upstream.message == SHORTAGES[0] and step.berth.status in (200, 201)
     and step.kinds() & {"virtual:instance", "flavor:instance"} and step.touches()),
    ("Hosts of a lease that has not started are tentative",
     lambda step: books(step) and step.upstream.message in SHORTAGES and step.berth.status in (200, 201)),
    ("a request that is short of something and wrong elsewhere",
     lambda step: books(step) and step.upstream.message in SHORTAGES and step.berth.status in (400, 403, 404, 409)
     and not step.same_words()),
    ("an update of a floating IP reservation that is refused",
     lambda step: step.method == "PUT" and step.statuses == (400, 400)),
    ("instances of a flavor beside instances of a size of their own",
     lambda step: step.upstream.status == 409 and step.upstream.message == "Conflicting reservation types found"),
    ("`amount` of a `flavor:instance` reservation changes",
     lambda step: step.method == "PUT" and step.upstream.message.startswith("Updating parameters for 'flavor:instance'")),
    ("`private` in the property listing",
     lambda step: step.path.startswith("/os-hosts/properties") and step.statuses == (200, 200)),
)


def anyhow(_upstream, _berth):
    """Whatever the values are."""
    return True


def only_berth(upstream, berth):
    """Berth names an object where upstream has none, not the other way round."""
    return upstream is None and berth == "<uuid>"


# (text of docs/compatibility.md, method or None for all, last name of the path of a member that may differ, how)
MEMBERS = (
    ("Instance reservations: before the start only the server group of a rule of affinity is made", None,
     "aggregate_id", anyhow),
    ("Instance reservations: before the start only the server group of a rule of affinity is made", None,
     "server_group_id", only_berth),
    ("status in the body of a successful PUT", "PUT", "status", anyhow),
    ("Hosts of a lease that has not started are tentative", "GET", "reservations", anyhow),
    ("Unknown members of a request are ignored, also those that are columns upstream", None, "degraded", anyhow),
)


def differing(upstream, berth):
    """Where two answers differ: (path, upstream's value, Berth's value) of each member."""
    if upstream.status != berth.status:
        return [("", str(upstream)[:600], str(berth)[:600])]
    found = []

    def walk(path, one, other):
        if isinstance(one, dict) and isinstance(other, dict):
            for name in sorted(set(one) | set(other)):
                walk(f"{path}/{name}", one.get(name, "<absent>"), other.get(name, "<absent>"))
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            for place, (left, right) in enumerate(zip(one, other)):
                walk(f"{path}/{place}", left, right)
        elif one != other:
            found.append((path, one, other))

    walk("", upstream.body, berth.body)
    return found


def of_member(step, path, upstream, berth):
    """The line that says why this member of two good answers differs, or None."""
    name = path.rsplit("/", 1)[-1]
    whole = {"status": "/lease/status", "reservations": "/allocation/reservations"}
    return next((row for row, method, member, is_meant in MEMBERS if name == member and method in (None, step.method)
                 and whole.get(name, path) == path and is_meant(upstream, berth)), explanation(step))


def explanation(step):
    """The line that says why, or None."""
    return next((row for row, is_it in KNOWN if is_it(step)), None)


def undocumented():
    """Lines named here that the document does not have."""
    text = COMPATIBILITY.read_text(encoding="utf-8")
    return [row for row, *_ in (*KNOWN, *MEMBERS) if row not in text]
