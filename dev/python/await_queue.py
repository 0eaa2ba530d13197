"""Waits until a queue exists at a broker and holds so many messages.

    await_queue.py URL QUEUE MESSAGES
"""
import sys
import time

import kombu

PATIENCE = 60


def main():
    url, queue, messages = sys.argv[1:]
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with kombu.Connection(url.replace("rabbit://", "amqp://")) as connection:
            try:
                found = connection.default_channel.queue_declare(queue=queue, passive=True)
                if found.message_count >= int(messages):
                    return
            except connection.channel_errors:
                pass  # it does not exist yet
        time.sleep(0.05)
    sys.exit(f"no queue {queue} with {messages} messages within {PATIENCE} s")


if __name__ == "__main__":
    main()
