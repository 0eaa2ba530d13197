"""Decides with oslo.policy what a test has decided with its own rules.

Reads a JSON list of cases from standard input, each `{"rules": {NAME: TEXT}, "asked": NAME, "credentials": {...},
"target": {...}}`, and prints the list of decisions.
"""
import json
import logging
import sys

from oslo_config import cfg
from oslo_policy import policy


def decide(case):
    configuration = cfg.ConfigOpts()
    configuration([], project="berth-test")
    enforcer = policy.Enforcer(configuration, use_conf=False, rules=policy.Rules.from_dict(case["rules"]))
    return bool(enforcer.enforce(case["asked"], case["target"], case["credentials"]))


def main():
    # Texts outside the language are logged with their traceback; the test wants the decision only.
    logging.disable(logging.CRITICAL)
    json.dump([decide(case) for case in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
