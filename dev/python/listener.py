"""Listens with oslo.messaging, as a consumer of notifications in a cloud does.

    listener.py URL EXCHANGE TOPIC

Prints `ready`, then each notification as a line of JSON, until standard input is closed.
"""
import json
import logging
import sys

import oslo_messaging
from oslo_config import cfg


class Printer:
    """An endpoint for every priority; whatever comes is printed."""

    def __getattr__(self, priority):
        if priority not in ("audit", "debug", "info", "warn", "error", "critical", "sample"):
            raise AttributeError(priority)

        def heard(context, publisher_id, event_type, payload, metadata):
            line = json.dumps({"priority": priority, "context": context, "publisher_id": publisher_id,
                               "event_type": event_type, "payload": payload, "metadata": metadata})
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        return heard


def main():
    url, exchange, topic = sys.argv[1:]
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    configuration = cfg.ConfigOpts()
    configuration([], project="berth-test")
    transport = oslo_messaging.get_notification_transport(configuration, url=url)
    listener = oslo_messaging.get_notification_listener(
        transport, [oslo_messaging.Target(exchange=exchange, topic=topic)], [Printer()], executor="threading")
    # Several threads would hear them in an order of their own, and write into each other's lines.
    listener.start(override_pool_size=1)
    print("ready", flush=True)
    sys.stdin.read()
    listener.stop()
    listener.wait()


if __name__ == "__main__":
    main()
