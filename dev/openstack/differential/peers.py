"""The two services that are compared, and what their answers are when ids and times are left out."""
import json
import re

import sequences
import settings

UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
RECORDED = re.compile(r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?$")
MISSING = "Missing parameter "
SYMBOL = re.compile(r"\{(?:lease|reservation|host|address|network):[^}]*\}")
# Nobody compares these: who made the trust, and rows that clients cannot name.
UNSEEN = ("trust_id", "resource_id")


def order(value):
    """Sorts lists whose order means nothing, by what both peers say alike."""
    if isinstance(value, dict):
        value = {name: one for name, one in value.items() if name not in ("aggregate_id", "server_group_id", "status")}
    return json.dumps(value, sort_keys=True)


def likeness(asked, made):
    """How much of what was asked for is in a reservation that was made."""
    shown = dict(made)
    if made["resource_type"] == "flavor:instance":
        shown["flavor_id"] = json.loads(made["resource_properties"])["id"]
    return sum(str(shown.get(name)) == str(value) for name, value in {"before_end": "default", **asked}.items())


class Answer:
    """A status and a body without ids and times."""

    def __init__(self, status, body):
        self.status = status
        self.body = body

    @property
    def message(self):
        """The text of an error, or an empty one."""
        return self.body.get("error_message", "") if isinstance(self.body, dict) else ""

    def __eq__(self, other):
        return (self.status, self.body) == (other.status, other.body)

    def __str__(self):
        return f"{self.status} {json.dumps(self.body, sort_keys=True)}"


class Peer:
    """One service: where it is, and which id stands for which symbol."""

    def __init__(self, name, url, accounts):
        self.name = name
        self.url = url
        self.accounts = accounts
        self.ids = {}
        for account in ("demo", "other"):
            self.ids[f"{{project:{account}}}"] = accounts[account].project_id

    def call(self, who, method, path, body=None):
        """Sends a request as it is; returns status and body."""
        answer = self.accounts[who].session.request(
            self.url + path, method, json=body, raise_exc=False, headers={"Accept": "application/json"}, timeout=180,
            connect_retries=0, status_code_retries=0)
        try:
            return answer.status_code, answer.json()
        except ValueError:
            return answer.status_code, answer.text

    def filled(self, value):
        """The value with ids for symbols; a symbol nobody has an id for stands for an object that never was."""
        if isinstance(value, str):
            return SYMBOL.sub(lambda found: self.ids.get(found.group(), sequences.UNKNOWN), value)
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        if isinstance(value, dict):
            return {name: self.filled(one) for name, one in value.items()}
        return value

    def ask(self, who, method, path, body=None, number=None):
        """Sends a step; the lease it books becomes number `number`."""
        status, answer = self.call(who, method, self.filled(path), self.filled(body))
        if number is not None and status == 201:
            lease = answer["lease"]
            self.ids[f"{{lease:{number}}}"] = lease["id"]
            for place, wanted in enumerate(self.in_order(body["reservations"], lease["reservations"])):
                self.ids[f"{{reservation:{number}:{place}}}"] = wanted
        return Answer(status, self.plain(answer))

    def in_order(self, asked, made):
        """Ids of the reservations made, in the order in which they were asked for; the order of answers is nobody's."""
        left = list(made)
        ids = []
        for one in asked:
            fitting = [found for found in left if found["resource_type"] == one.get("resource_type")]
            found = max(fitting, key=lambda found, one=one: likeness(one, found))
            left.remove(found)
            ids.append(found["id"])
        return ids

    def forget(self, number=None):
        """Forgets a lease and its reservations, or all of them."""
        gone = ("{lease:", "{reservation:") if number is None else (f"{{lease:{number}}}", f"{{reservation:{number}:")
        self.ids = {symbol: known for symbol, known in self.ids.items() if not symbol.startswith(gone)}

    def symbols(self, text):
        """The text with symbols for ids this peer gave, and `<uuid>` for others."""
        for symbol, known in self.ids.items():
            if len(known) > 8:  # ids of hosts are numbers, which may mean anything
                text = text.replace(known, symbol)
        return UUID.sub("<uuid>", text)

    def plain(self, value, name=""):
        """The value without what differs from one service to the other by nature."""
        if isinstance(value, dict):
            if set(value) == {"resource_id", "reservations"}:
                return self.use(value)
            return {key: self.plain(one, key) for key, one in value.items() if key not in UNSEEN}
        if isinstance(value, list):
            return sorted((self.plain(one) for one in value), key=order)
        if name in ("created_at", "updated_at"):
            return "<time>" if value is None or RECORDED.match(value) else value
        if name == "id" and isinstance(value, str):
            return self.ids_symbol(value)
        if name == "resource_properties" and isinstance(value, str) and value.startswith("{"):
            return json.loads(value)  # a flavor: the order of its members means nothing
        if name == "error_message" and isinstance(value, str) and value.startswith(MISSING):
            return MISSING + ",".join(sorted(value.removeprefix(MISSING).split(",")))  # in no order
        return self.symbols(value) if isinstance(value, str) else value

    def ids_symbol(self, value):
        """The symbol of an id."""
        return next((symbol for symbol, known in self.ids.items() if known == value), "<id>")

    def use(self, value):
        """What is on a host, whichever host it is: which one is taken is the service's own affair."""
        rows = [{key: self.plain(one, key) for key, one in row.items()} for row in value["reservations"]]
        return {"reservations": sorted(rows, key=lambda one: json.dumps(one, sort_keys=True))}

    def clear(self):
        """Deletes every lease; returns those it could not."""
        _, answer = self.call("admin", "GET", "/leases")
        stuck = []
        for lease in answer["leases"]:
            status, said = self.call("admin", "DELETE", f"/leases/{lease['id']}")
            if status not in (204, 404):
                stuck.append((lease["id"], said))
        return stuck


def both(accounts):
    """Upstream and Berth."""
    upstream = f"http://{settings.HOST}:{settings.PORTS['upstream']}/v1"
    return Peer("upstream", upstream, accounts), Peer("berth", settings.RESERVATION_URL, accounts)
