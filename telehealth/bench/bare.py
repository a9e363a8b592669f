"""The bare drain, in a process of its own: paho-mqtt as its documentation shows it, and nothing done with it."""

from __future__ import annotations

import sys

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from telehealth import clock

CLIENT_ID = "bench-bare"


def drain(port: int, count: int, window: int) -> float:
    """Seconds from connecting until the last message is there; QoS 1, acknowledged by paho. count 0: subscribe only."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=CLIENT_ID, protocol=MQTTProtocolVersion.MQTTv5)
    seen = 0

    def on_message(_client: paho.Client, _userdata: object, _message: paho.MQTTMessage) -> None:
        nonlocal seen
        seen += 1
        if seen == count:
            client.disconnect()

    def on_connect(*_: object) -> None:
        client.subscribe("telehealth/v1/+/readings", qos=1)

    def on_subscribe(*_: object) -> None:
        if not count:
            client.disconnect()

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
    properties.SessionExpiryInterval = 3600
    properties.ReceiveMaximum = window
    started = clock.monotonic()
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    client.loop_forever()
    return clock.monotonic() - started


if __name__ == "__main__":
    sys.stdout.write(f"{drain(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))}\n")
