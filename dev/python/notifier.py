"""Notifies with oslo.messaging, as Nova does of its compute services.

    notifier.py URL EXCHANGE TOPIC EVENT...

Sends one notification of each event type, and ends.
"""
import logging
import sys

import oslo_messaging
from oslo_config import cfg


def main():
    url, exchange, topic, *events = sys.argv[1:]
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    configuration = cfg.ConfigOpts()
    configuration([], project="berth-test")
    oslo_messaging.set_transport_defaults(exchange)
    transport = oslo_messaging.get_notification_transport(configuration, url=url)
    notifier = oslo_messaging.Notifier(transport, publisher_id="nova-compute:c1", driver="messagingv2", topics=[topic])
    for event in events:
        notifier.info({}, event, {"nova_object.data": {"host": "c1", "disabled": True, "forced_down": False}})
    transport.cleanup()


if __name__ == "__main__":
    main()
