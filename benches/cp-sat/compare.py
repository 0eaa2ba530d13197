#!/usr/bin/env python3
"""Plan all pending leases of a problem anew at least cost with CP-SAT, on the class model.

    berth generate --hosts 1000 --classes 20 --days 20 --load 0.7 --output requests.json
    berth bench whole --problem requests.json --write leases.json
    python3 benches/cp-sat/compare.py leases.json --time-limit 60

Needs OR-Tools (`pip install ortools`). Reads a `berth-problem/1` document whose leases hold whole hosts. What has started stays;
for every other reservation CP-SAT chooses counts per class: every reservation gets its hosts, no class gives more than it has
at any instant. A host costs, for every second it is occupied, one more than the number of live expressions it satisfies, as in
`berth bench whole`, so the optima compare. Prints one JSON object.
"""

import argparse
import json
import time
from math import gcd

from ortools.sat.python import cp_model


def value(host, name):
    """What `$name` means on a host."""
    if name in ("id", "zone", "rack"):
        return host.get(name)
    return host.get("properties", {}).get(name)


def number(text):
    """A plain decimal number, or None."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def compare(operator, actual, wanted):
    """A comparison of the property language."""
    left, right = number(actual), number(wanted)
    if left is None or right is None:
        left, right = actual, wanted
    return {
        "==": left == right,
        "!=": left != right,
        ">=": left >= right,
        "<=": left <= right,
        ">": left > right,
        "<": left < right,
    }[operator]


def matches(host, where):
    """Whether a host satisfies an expression."""
    if not where:
        return True
    operator, *parts = where
    if operator == "and":
        return all(matches(host, part) for part in parts)
    if operator == "or":
        return any(matches(host, part) for part in parts)
    actual = value(host, parts[0].lstrip("$"))
    return actual is not None and compare(operator, actual, parts[1])


def classes_of(problem):
    """Hosts that no property tells apart: one of them, how many, and their names."""
    classes = {}
    for host in problem["hosts"]:
        if host.get("blocks") or not host.get("reservable", True):
            raise SystemExit("hosts with blocks or out of service are not modelled here")
        members = (host.get("zone"), host.get("rack"), tuple(sorted(host.get("properties", {}).items())))
        known = classes.setdefault(members, [host, 0, []])
        known[1] += 1
        known[2].append(host["id"])
    return list(classes.values())


def reservations_of(problem):
    """What stays where it is, and what is planned anew."""
    if problem.get("cleaning") or problem.get("freeze"):
        raise SystemExit("cleaning and freezing are not modelled here")
    fixed, pending = [], []
    for lease in problem["leases"]:
        for part in lease["reservations"]:
            if part["type"] != "host":
                raise SystemExit("only leases of whole hosts are modelled here")
            started = part["start"] <= problem["now"]
            if part.get("pinned") and not started:
                raise SystemExit("work pinned in the future is not modelled here")
            (fixed if started else pending).append(part)
    return fixed, pending


def cliques(intervals):
    """Starts that are followed by an end: nothing more is in use at any other instant."""
    events = sorted({(start, 1) for start, _ in intervals} | {(end, 0) for _, end in intervals})
    return [at for (at, begins), (_, next_begins) in zip(events, events[1:]) if begins and not next_begins]


def main():
    """Reads, models, solves, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problem")
    parser.add_argument("--time-limit", type=float, default=60.0, metavar="S")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    with open(arguments.problem, encoding="utf-8") as file:
        problem = json.load(file)
    classes = classes_of(problem)
    fixed, pending = reservations_of(problem)
    if not pending:
        raise SystemExit("no pending leases: see the head of this file")
    began = time.monotonic()
    class_of = {}
    for number, (_, _, members) in enumerate(classes):
        class_of.update((member, number) for member in members)
    live = [part.get("where", []) for part in fixed + pending if part["end"] > problem["now"]]
    live = {json.dumps(where): where for where in live}.values()
    prices = [1 + sum(matches(host, where) for where in live) for host, _, _ in classes]
    unit = 0
    for part in pending:
        unit = gcd(unit, part["end"] - part["start"])
    running = [[] for _ in classes]
    for part in fixed:
        for host in part["holds"]:
            running[class_of[host]].append((part["start"], part["end"]))
    model = cp_model.CpModel()
    uses = [[] for _ in classes]
    costs = []
    for part in pending:
        amount = sum(part["holds"].values())
        counts = []
        for number, (host, size, _) in enumerate(classes):
            if not matches(host, part.get("where", [])):
                continue
            count = model.new_int_var(0, min(amount, size), "")
            counts.append(count)
            uses[number].append((part["start"], part["end"], count))
            costs.append(prices[number] * ((part["end"] - part["start"]) // unit) * count)
        model.add(sum(counts) == amount)
    for number, (_, size, _) in enumerate(classes):
        spans = [(start, end) for start, end, _ in uses[number]] + running[number]
        for at in cliques(spans):
            here = [count for start, end, count in uses[number] if start <= at < end]
            busy = sum(start <= at < end for start, end in running[number])
            if here:
                model.add(sum(here) <= size - busy)
    model.minimize(sum(costs))
    written = time.monotonic() - began
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = arguments.time_limit
    solver.parameters.num_workers = arguments.workers
    began = time.monotonic()
    status = solver.solve(model)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    print(
        json.dumps(
            {
                "classes": len(classes),
                "reservations": len(pending),
                "columns": len(costs),
                "status": solver.status_name(status),
                "cost": round(solver.objective_value) * unit if found else None,
                "bound": round(solver.best_objective_bound) * unit,
                "seconds_to_write": round(written, 3),
                "seconds_to_solve": round(time.monotonic() - began, 3),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
