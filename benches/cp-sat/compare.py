#!/usr/bin/env python3
"""Place all requests of a problem at least cost with CP-SAT, on the class model.

    berth generate --hosts 1000 --classes 20 --days 20 --load 0.7 --output problem.json
    python3 benches/cp-sat/compare.py problem.json --time-limit 60

Needs OR-Tools (`pip install ortools`). Reads a `berth-problem/1` document whose requests ask for whole hosts, takes as many
of them in order of arrival as fit (by a greedy choice per class, so that the model has a solution), and asks CP-SAT for the
cheapest counts per class: every reservation gets its hosts, no class gives more than it has at any instant. One host-hour
costs the number of properties the host has, as in `berth bench fleet --whole`. Prints one JSON object.
"""

import argparse
import json
import time
from bisect import bisect_left

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
    """Hosts that no property tells apart: one of them, and how many."""
    classes = {}
    for host in problem["hosts"]:
        if host.get("blocks") or not host.get("reservable", True):
            raise SystemExit("hosts with blocks or out of service are not modelled here")
        members = (host.get("zone"), host.get("rack"), tuple(sorted(host.get("properties", {}).items())))
        classes.setdefault(members, [host, 0])[1] += 1
    return list(classes.values())


class Load:
    """How many hosts of one class are in use, by instant."""

    def __init__(self):
        self.times, self.used = [], []

    def _cut(self, at):
        place = bisect_left(self.times, at)
        if place == len(self.times) or self.times[place] != at:
            self.times.insert(place, at)
            self.used.insert(place, self.used[place - 1] if place else 0)
        return place

    def peak(self, start, end):
        """Most in use during the interval."""
        first, last = self._cut(start), self._cut(end)
        return max(self.used[first:last])

    def add(self, start, end, count):
        """Uses hosts during the interval."""
        first, last = self._cut(start), self._cut(end)
        for place in range(first, last):
            self.used[place] += count


def fitting(problem, classes):
    """Reservations that fit one after another, with the classes that suit them."""
    loads = [Load() for _ in classes]
    chosen = []
    for request in problem["requests"]:
        for part in request["reservations"]:
            if part["type"] != "host" or request.get("replaces"):
                continue
            where = part.get("where", [])
            suit = [number for number, (host, _) in enumerate(classes) if matches(host, where)]
            suit.sort(key=lambda number: (len(classes[number][0].get("properties", {})), number))
            left, taken = part["min"], []
            for number in suit:
                room = classes[number][1] - loads[number].peak(part["start"], part["end"])
                count = min(left, room)
                if count > 0:
                    taken.append((number, count))
                    left -= count
            if left == 0:
                for number, count in taken:
                    loads[number].add(part["start"], part["end"], count)
                chosen.append((part, suit))
    return chosen


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
    chosen = fitting(problem, classes)
    began = time.monotonic()
    model = cp_model.CpModel()
    uses = [[] for _ in classes]
    costs = []
    for part, suit in chosen:
        hours = -((part["start"] - part["end"]) // 3600)
        counts = []
        for number in suit:
            host, size = classes[number]
            count = model.new_int_var(0, min(part["min"], size), "")
            counts.append(count)
            uses[number].append((part["start"], part["end"], count))
            costs.append(len(host.get("properties", {})) * hours * count)
        model.add(sum(counts) == part["min"])
    for number, (_, size) in enumerate(classes):
        for at in cliques([(start, end) for start, end, _ in uses[number]]):
            model.add(sum(count for start, end, count in uses[number] if start <= at < end) <= size)
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
                "reservations": len(chosen),
                "columns": len(costs),
                "status": solver.status_name(status),
                "cost": round(solver.objective_value) if found else None,
                "bound": round(solver.best_objective_bound),
                "seconds_to_write": round(written, 3),
                "seconds_to_solve": round(time.monotonic() - began, 3),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
