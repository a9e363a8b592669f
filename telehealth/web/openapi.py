"""The OpenAPI document of /api/v1; docs/schemas/openapi.json is the same, for review.

`python -m telehealth.web.openapi` prints it.
"""

from __future__ import annotations

import functools
import json

from telehealth.web import device_api, operations, requests, routes, schemas
from telehealth.web.operations import Operation

#: In which formats of others come, beside JSON.
_MEDIA = ("application/cbor", "application/fhir+json")

for _handler in (device_api.post_readings, device_api.post_backlog):
    _native = Operation(schemas.Receipt, body=requests.DeviceMessage, media=_MEDIA, tag="devices")
    operations.OPERATIONS.setdefault(_handler, _native)
for _handler in (device_api.post_readings_format, device_api.post_backlog_format):
    _foreign = Operation(schemas.Receipt, media=("application/json", *_MEDIA), tag="devices")
    operations.OPERATIONS.setdefault(_handler, _foreign)
operations.OPERATIONS.setdefault(device_api.get_commands, Operation(schemas.Outstanding, tag="devices"))


@functools.cache
def text() -> str:
    """The document as it is served and committed."""
    described = (operations.Described(r.method, r.path, r.who, r.handler) for r in routes.API)
    return json.dumps(operations.document(described), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    print(text(), end="")  # noqa: T201  # what the command is for
