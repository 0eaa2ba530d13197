"""POST /v1/leases of Berth beside upstream Blazar: latency and CPU per request, one table.

Method
------
* One machine, one run, one after the other: upstream 18.0.0 as benches/upstream/blazar-up starts it; then Berth twice,
  once as it runs by default (SQLite, no authentication) and once as upstream does (Keystone tokens, the same MariaDB).
* The same load for all: H hosts of 2, 4, 8 and 16 vcpus in turn, with the extra capabilities `gpu` and `rack`; L leases
  of four hosts with at least two vcpus each, H/4 of them side by side in slots of two hours, one slot every four hours
  from 2040-01-01 on. Upstream's rows are written straight into its database, because through its API they would take
  nine hours; Berth gets its hosts as a fleet and every lease through POST, the last of them with the book already full.
* The measured request: four hosts with at least four vcpus, for one hour in the free half of a slot drawn at random
  (seeded, the same sequence for all). Neighbours on both sides, so the calendar is searched, and always an answer 201.
* One request at a time, each on a connection of its own, as upstream closes them.
* CPU is read from /proc before and after: user and system time of the service's processes with all their descendants,
  and of the database server; what the same processes use when idle, measured just before, is taken off. CPU that a
  request causes in Keystone, Nova and Placement (upstream makes a trust and an aggregate inside the request) is the
  column "cloud" and not part of the ratio.
* MariaDB runs as the bed starts it, without a sync of its log at every commit, for both.
* p99 of a dozen requests is their maximum. Berth is measured with the program in BERTH_BIN; give it a release build.
* Needs `dev/openstack/up`; leaves the bed running and the upstream database filled.
"""
import argparse
import datetime
import http.client
import json
import os
import pathlib
import random
import shutil
import statistics
import sys
import time
import urllib.parse
import uuid

import pymysql

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "dev" / "openstack"))
# pylint: disable=wrong-import-position
import bed
import peer
import population
import processes
import settings
from settings import HOST, PASSWORD, PORTS

EPOCH = datetime.datetime(2040, 1, 1)
PER_LEASE = 4
VCPUS = (2, 4, 8, 16)
TICKS = os.sysconf("SC_CLK_TCK")
DATA = settings.DIRECTORY / "compare"
CLOUD = ("keystone", "placement", "nova", "nova-conductor")


def text(moment):
    """A moment as the API wants it."""
    return moment.strftime("%Y-%m-%d %H:%M")


def slot(index, hosts):
    """Start and end of the index-th lease of the load."""
    start = EPOCH + datetime.timedelta(hours=4 * (PER_LEASE * index // hosts))
    return start, start + datetime.timedelta(hours=2)


def capabilities(index):
    """Extra capabilities of the index-th host."""
    return {"gpu": "True" if index % 10 == 0 else "False", "rack": f"r{index % 20}"}


def lease(name, start, end, vcpus):
    """Body of a request for four hosts."""
    return {"name": name, "start_date": text(start), "end_date": text(end), "events": [], "reservations": [{
        "resource_type": "physical:host", "min": PER_LEASE, "max": PER_LEASE,
        "hypervisor_properties": f'[">=", "$vcpus", "{vcpus}"]', "resource_properties": ""}]}


def measured(count, hosts, leases):
    """The measured requests, the same for everybody."""
    draw = random.Random(7)
    slots = -(-PER_LEASE * leases // hosts)
    for number in range(count):
        start = EPOCH + datetime.timedelta(hours=4 * draw.randrange(slots), minutes=125 + draw.randrange(20))
        yield lease(f"measured-{number}", start, start + datetime.timedelta(hours=1), 4)


def post(url, body, token):
    """One request on a connection of its own; returns (seconds, status, text)."""
    parts = urllib.parse.urlsplit(url)
    headers = {"Content-Type": "application/json", "Accept": "application/json", "Connection": "close"}
    if token:
        headers["X-Auth-Token"] = token
    document = json.dumps(body)
    begun = time.perf_counter()
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
    connection.request("POST", f"{parts.path}/leases", document, headers)
    answer = connection.getresponse()
    said = answer.read()
    taken = time.perf_counter() - begun
    connection.close()
    return taken, answer.status, said[:300].decode(errors="replace")


def family(pid):
    """A process and all its descendants."""
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
                for child in children.read().split():
                    found += family(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def cpu_seconds(names):
    """CPU used so far by the recorded processes of these names, descendants and ended children included."""
    total = 0
    for name in names:
        for pid in family(processes.pid_of(name) or 0):
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                    total += sum(int(field) for field in stat.read().rsplit(")", 1)[1].split()[11:15])
            except (FileNotFoundError, ProcessLookupError):
                pass
    return total / TICKS


def measure(label, url, token, requests, own, database):
    """Sends the requests one after another; returns a row of the table."""
    groups = {"own": own, "database": database, "cloud": CLOUD}

    def reading():
        return {group: cpu_seconds(names) for group, names in groups.items()}

    post(url, next(measured(1, 4, 1)) | {"name": "warm"}, token)
    time.sleep(3)
    before, begun = reading(), time.monotonic()
    time.sleep(10)
    idle_seconds = time.monotonic() - begun
    idle = {group: (value - before[group]) / idle_seconds for group, value in reading().items()}
    taken, wrong = [], []
    before, begun = reading(), time.monotonic()
    for body in requests:
        seconds, status, said = post(url, body, token)
        taken.append(seconds * 1000)
        if status != 201:
            wrong.append(f"{status} {said}")
    wall = time.monotonic() - begun
    used = {group: max(value - before[group] - idle[group] * wall, 0) * 1000 / len(taken)
            for group, value in reading().items()}
    taken.sort()
    if wrong:
        print(f"{label}: {len(wrong)} of {len(taken)} were not 201, e.g. {wrong[0]}", flush=True)
    return {"label": label, "n": len(taken), "wrong": len(wrong), "p50": statistics.median(taken),
            "p99": taken[min(int(len(taken) * 0.99), len(taken) - 1)], **used}


def seed_upstream(hosts, leases, session):
    """Writes the load into upstream's database."""
    connection = pymysql.connect(unix_socket=str(settings.SOCKET), user="root", database="blazar")
    cursor = connection.cursor()
    access = session.auth.get_access(session)
    created = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0)

    def insert(table, rows):
        columns = ["created_at", *rows[0]]
        statement = (f"INSERT INTO {table} ({','.join(f'`{column}`' for column in columns)}) "
                     f"VALUES ({','.join(['%s'] * len(columns))})")
        for first in range(0, len(rows), 2000):
            cursor.executemany(statement, [(created, *row.values()) for row in rows[first:first + 2000]])

    cursor.execute("SET FOREIGN_KEY_CHECKS=0")
    cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema='blazar' "
                   "AND table_name <> 'alembic_version'")
    for (table,) in cursor.fetchall():
        cursor.execute(f"DELETE FROM `{table}`")
    cursor.execute("SET FOREIGN_KEY_CHECKS=1")
    insert("computehosts", [{
        "id": str(number + 1), "vcpus": VCPUS[number % 4], "cpu_info": "{}", "hypervisor_type": "fake",
        "hypervisor_version": 1000, "hypervisor_hostname": f"host-{number:05}", "service_name": f"host-{number:05}",
        "memory_mb": 16384, "local_gb": 1000, "trust_id": "0" * 32, "reservable": 1, "availability_zone": "nova"}
        for number in range(hosts)])
    names = {name: str(uuid.uuid4()) for name in ("gpu", "rack")}
    insert("resource_properties", [{"id": key, "resource_type": "physical:host", "property_name": name, "private": 0}
                                   for name, key in names.items()])
    insert("computehost_extra_capabilities", [
        {"id": str(uuid.uuid4()), "computehost_id": str(number + 1), "property_id": names[name],
         "capability_value": value} for number in range(hosts) for name, value in capabilities(number).items()])
    tables = {table: [] for table in ("leases", "reservations", "computehost_reservations",
                                      "computehost_allocations", "events")}
    for number in range(leases):
        start, end = slot(number, hosts)
        one, reservation, detail = (str(uuid.uuid4()) for _ in range(3))
        tables["leases"].append({
            "id": one, "name": f"load-{number}", "user_id": access.user_id, "project_id": access.project_id,
            "start_date": start, "end_date": end, "trust_id": "0" * 32, "degraded": 0, "status": "PENDING"})
        tables["reservations"].append({
            "id": reservation, "lease_id": one, "resource_id": detail, "resource_type": "physical:host",
            "status": "pending", "missing_resources": 0, "resources_changed": 0})
        tables["computehost_reservations"].append({
            "id": detail, "reservation_id": reservation, "aggregate_id": 100000 + number, "resource_properties": "",
            "hypervisor_properties": '[">=", "$vcpus", "2"]', "count_range": f"{PER_LEASE}-{PER_LEASE}",
            "before_end": "default"})
        for kind, moment in (("start_lease", start), ("before_end_lease", start), ("end_lease", end)):
            tables["events"].append({"id": str(uuid.uuid4()), "lease_id": one, "event_type": kind, "time": moment,
                                     "status": "UNDONE"})
        for offset in range(PER_LEASE):
            tables["computehost_allocations"].append({
                "id": str(uuid.uuid4()), "reservation_id": reservation,
                "compute_host_id": str((PER_LEASE * number + offset) % hosts + 1)})
    for table, rows in tables.items():
        insert(table, rows)
    connection.commit()
    connection.close()


def measure_upstream(options):
    """Upstream Blazar on the bed's services."""
    peer.up()
    session = population.connect().session
    bed.say(f"upstream: {options.hosts} hosts, {options.leases} leases into its database")
    seed_upstream(options.hosts, options.leases, session)
    bed.say(f"upstream: {options.upstream} requests")
    try:
        return measure("Blazar 18.0.0, Keystone, MariaDB", peer.URL, session.get_token(),
                       measured(options.upstream, options.hosts, options.leases),
                       ("upstream-api", "upstream-manager"), ("mariadb",))
    finally:
        peer.down()


def write_fleet(hosts):
    """The hosts as a problem document."""
    path = DATA / "fleet.json"
    path.write_text(json.dumps({
        "format": "berth-problem/1", "now": 0, "leases": [], "requests": [], "hosts": [
            {"id": f"host-{number:05}", "zone": "nova", "properties": capabilities(number),
             "capacity": {"VCPU": VCPUS[number % 4], "MEMORY_MB": 16384, "DISK_GB": 1000}}
            for number in range(hosts)]}))
    return path


def measure_berth(label, options, arguments, environment, token, database):
    """Berth with the load booked through its own API."""
    url = f"http://{HOST}:{PORTS['reservation']}"
    fleet = write_fleet(options.hosts)
    processes.log_of("berth-compare").unlink(missing_ok=True)
    processes.start("berth-compare", [
        os.path.abspath(os.environ["BERTH_BIN"]), "serve", "--listen", f"{HOST}:{PORTS['reservation']}",
        "--cloud", "standalone", "--fleet", fleet, *arguments], environment)
    try:
        processes.wait("berth-compare", lambda: processes.answers(f"{url}/"), 300)
        bed.say(f"{label}: {options.leases} leases through POST")
        for number in range(options.leases):
            _, status, said = post(f"{url}/v1", lease(f"load-{number}", *slot(number, options.hosts), 2), token)
            if status != 201:
                raise processes.Failed(f"{label}: lease {number} of the load: {status} {said}")
        bed.say(f"{label}: {options.berth} requests")
        return measure(label, f"{url}/v1", token, measured(options.berth, options.hosts, options.leases),
                       ("berth-compare",), database)
    finally:
        processes.stop("berth-compare")


def table(rows, options):
    """Prints the rows and how the others compare with the first."""
    print(f"\nPOST /v1/leases, {options.hosts} hosts, {options.leases} leases in the book, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}\n")
    print(f"{'':36} {'n':>5} {'p50':>9} {'p99':>9} {'CPU own':>9} {'database':>9} {'sum':>9} {'cloud':>9}   (ms)")
    for row in rows:
        print(f"{row['label']:36} {row['n']:5} {row['p50']:9.2f} {row['p99']:9.2f} {row['own']:9.2f} "
              f"{row['database']:9.2f} {row['own'] + row['database']:9.2f} {row['cloud']:9.2f}")
    first = rows[0]
    for row in rows[1:]:
        cost = row["own"] + row["database"]
        print(f"{row['label']}: {(first['own'] + first['database']) / max(cost, 0.001):.0f} times less CPU than "
              f"{first['label']}, p50 {first['p50'] / row['p50']:.0f} times shorter")


def main():
    """Entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--leases", type=int, default=5000)
    parser.add_argument("--upstream", type=int, default=12, help="requests to upstream (some 7 s each)")
    parser.add_argument("--berth", type=int, default=500, help="requests to Berth")
    options = parser.parse_args()
    for foreign in [key for key in os.environ if key.startswith("OS_")]:
        del os.environ[foreign]
    os.environ.update(PYTHONWARNINGS="ignore", no_proxy=HOST, NO_PROXY=HOST)
    DATA.mkdir(parents=True, exist_ok=True)
    for leftover in DATA.glob("book-*"):
        shutil.rmtree(leftover)
    try:
        rows = [measure_upstream(options)] if options.upstream else []
        rows.append(measure_berth("Berth, no authentication, SQLite", options,
                                  ["--data", DATA / "book-sqlite", "--auth", "none"], {}, None, ()))
        bed.sql("DROP DATABASE berth; CREATE DATABASE berth CHARACTER SET utf8mb4")
        rows.append(measure_berth(
            "Berth, Keystone, MariaDB", options,
            ["--auth", "keystone", "--database", f"mysql://berth:{PASSWORD}@{HOST}:{PORTS['mariadb']}/berth"],
            settings.credentials("berth", "service"), population.connect().session.get_token(), ("mariadb",)))
    except processes.Failed as error:
        sys.exit(f"benches/upstream/compare: {error}")
    table(rows, options)
    sys.exit(1 if any(row["wrong"] for row in rows) else 0)


if __name__ == "__main__":
    main()
