"""Checks what receivers were told against docs/webhooks.md: every document against the JSON schema, every signature with
the example of that page.

    webhooks.py SECRET < DELIVERIES

DELIVERIES is a JSON list of objects with `headers` and `body`, both texts as they arrived. Prints how many were checked.
"""

import json
import pathlib
import sys

import jsonschema

docs = pathlib.Path(__file__).parents[2] / "docs"
schema = json.loads((docs / "webhooks.schema.json").read_text())
validator = jsonschema.Draft202012Validator(schema)
validator.check_schema(schema)
example = {}
exec((docs / "webhooks.md").read_text().split("```python\n")[1].split("```")[0], example)
secret = sys.argv[1].encode()
deliveries = json.load(sys.stdin)
for delivery in deliveries:
    headers, body = delivery["headers"], delivery["body"].encode()
    document = json.loads(body)
    validator.validate(document)
    assert headers["webhook-id"] == headers["idempotency-key"] == document["idempotency_key"], headers
    assert example["is_from_berth"](secret, headers, body), headers
    assert not example["is_from_berth"](secret + b"x", headers, body)
    assert not example["is_from_berth"](secret, headers, body + b" ")
    late = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1000)}
    assert not example["is_from_berth"](secret, late, body)
print(len(deliveries))
