"""The same sequences of requests to upstream Blazar and to Berth, on one cloud; every difference has to be one that is meant.

    python differential [--sequences N] [--seed S] [--report FILE]

Needs the bed (dev/openstack/up). Starts upstream and Berth on it and registers the same hosts and floating IPs with both.
Prints how often each known difference was seen and every one that is not known; exit status 1 if there is one.
"""
import argparse
import collections
import copy
import json
import pathlib
import random
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2] / "benches" / "upstream")]
# pylint: disable=wrong-import-position
import clients
import known
import lives
import peer
import peers
import processes
import sequences
import service


def prepare(two, network):
    """Registers hosts and addresses with both peers, the same; upstream may have them from an earlier run."""
    for one in two:
        one.clear()
        one.ids["{network:public}"] = network
        there = {host["hypervisor_hostname"]: host for host in one.call("admin", "GET", "/os-hosts")[1]["hosts"]}
        for number, name in enumerate(sequences.HOSTS):
            made = there.get(name) or created(one, "/os-hosts", "host", {
                "name": name, "gpu": "True" if number < 2 else "False", "rack": f"r{number}"})
            one.ids[f"{{host:{name}}}"] = made["id"]
        there = {found["floating_ip_address"]: found for found in one.call("admin", "GET", "/floatingips")[1]["floatingips"]}
        for address in sequences.ADDRESSES:
            made = there.get(address) or created(one, "/floatingips", "floatingip", {
                "floating_network_id": network, "floating_ip_address": address})
            one.ids[f"{{address:{address}}}"] = made["id"]


def created(one, path, member, body):
    """What a peer makes of a body that is right."""
    status, made = one.call("admin", "POST", path, body)
    if status != 201:
        raise processes.Failed(f"{one.name} refuses {body}: {status} {made}")
    return made[member]


class Comparison:
    """Runs sequences and keeps what was seen."""

    def __init__(self, two):
        self.upstream, self.berth = two
        self.two = two
        self.requests = 0
        self.seen = collections.Counter()
        self.unknown = []

    def run(self, number, dice):
        """One sequence from a book without leases."""
        history = {}
        for who, method, path, body, booked in sequences.sequence(dice):
            one, other = (peer_.ask(who, method, path, copy.deepcopy(body), booked) for peer_ in self.two)
            self.requests += 1
            if booked is not None and one.status == other.status == 201:
                history[booked] = body
            step = known.Step(who, method, path, body, one, other, history)
            self.judge(number, step)
            if path.startswith("/leases") and method != "GET":
                self.even(number, step, booked, history)
        for one in self.two:
            for name in sequences.HOSTS:
                one.ask("admin", "PUT", f"/os-hosts/{{host:{name}}}", {"extra": None})
            for lease, said in one.clear():
                self.unknown.append({"sequence": number, "step": f"clean up {lease} of {one.name}", "said": said})
            one.forget()

    def judge(self, number, step):
        """Compares the answers to a step."""
        differing = known.differing(step.upstream, step.berth)
        rows = {known.explanation(step)} if step.upstream.status != step.berth.status or step.upstream.status >= 400 else {
            known.of_member(step, *one) for one in differing}
        if not differing:
            return
        if None in rows:
            self.unknown.append({
                "sequence": number, "step": f"{step.who} {step.method} {step.path}", "body": step.body,
                "standing": list(step.history.values()), "differing": differing[:6]})
            return
        self.seen.update(rows)

    def even(self, number, step, booked, history):
        """Takes a lease from both peers when only one of them did what was asked, or one harmed it."""
        numbers = [booked] if booked is not None else [one for one in history if f"{{lease:{one}}}" in step.path]
        if step.method == "DELETE" and step.statuses == (204, 204):
            history.pop(numbers[0], None)
            numbers = []
        for lease in numbers:
            path = f"/leases/{{lease:{lease}}}"
            answers = [one.ask("admin", "GET", path) for one in self.two]
            look = known.Step("admin", "GET", path, None, *answers, history)
            left = [one for one in known.differing(*answers) if known.of_member(look, *one) is None]
            if not left:
                continue
            states = [one.body.get("lease", {}).get("status") if one.status == 200 else one.status for one in answers]
            if states[0] == "ERROR" and step.method == "PUT" and step.berth.status != 200:
                self.seen[HARMED] += 1
            elif step.upstream.status == step.berth.status:
                self.unknown.append({"sequence": number, "step": f"after {step.who} {step.method} {step.path}",
                                     "body": step.body, "differing": left[:6]})
            for one in self.two:
                one.ask("admin", "DELETE", path)
                one.forget(lease)
            history.pop(lease, None)


HARMED = "a refused request changes nothing"


def main():
    """Entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=300, metavar="N", help="sequences of leases of the future")
    parser.add_argument("--rounds", type=int, default=4, metavar="N", help="rounds of leases that start")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--report", type=pathlib.Path, metavar="FILE", help="write every unknown difference as JSON")
    arguments = parser.parse_args()
    missing = known.undocumented()
    if missing:
        sys.exit(f"docs/compatibility.md does not have: {missing}")
    begun = time.monotonic()
    berth = service.Berth()
    try:
        peer.up()
        berth.start()
        accounts = {name: clients.Account(name, name) for name in ("admin", "demo", "other")}
        network = accounts["admin"].cloud.network.find_network("public").id
        two = peers.both(accounts)
        prepare(two, network)
        comparison = Comparison(two)
        for number in range(arguments.sequences):
            comparison.run(number, random.Random(f"{arguments.seed}/{number}"))
            if number % 20 == 19:
                print(f"[{time.monotonic() - begun:5.0f} s] {number + 1} sequences, {comparison.requests} requests, "
                      f"{len(comparison.unknown)} unknown differences", flush=True)
        started, rows, differing = lives.compare(
            two, accounts, arguments.rounds, lambda text: print(f"[{time.monotonic() - begun:5.0f} s] {text}", flush=True))
        comparison.seen.update(rows)
        comparison.unknown.extend(differing)
    except processes.Failed as error:
        sys.exit(f"dev/openstack/differential: {error}")
    finally:
        berth.stop()
        peer.down()
    print(f"{arguments.sequences} sequences with {comparison.requests} requests, {started} leases that started")
    print("differences that are meant, by line of docs/compatibility.md:")
    for row, count in comparison.seen.most_common():
        print(f"{count:6} {row}")
    for one in comparison.unknown[:20]:
        print(json.dumps(one, indent=1, sort_keys=True))
    print(f"{len(comparison.unknown)} differences that are not meant")
    if arguments.report:
        arguments.report.write_text(json.dumps(comparison.unknown, indent=1, sort_keys=True), encoding="utf-8")
    sys.exit(1 if comparison.unknown else 0)


if __name__ == "__main__":
    main()
