"""The MQTT handler of a running service: every topic below a device and beside it, every format, size and quality."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from telehealth import clock
from tests.fuzz.messages import Messages
from tests.fuzz.service import TYPED, Broken, Running
from tests.support import world

_SETTLES_SECONDS = 180.0
#: Of a flood.
_FLOOD = 400
#: Published and not yet acknowledged by the broker, beyond which we wait.
_AHEAD = 1000
_CONTENT_TYPES = (
    *("application/json", "application/cbor", "application/fhir+json", "application/vnd.telehealth.gatt+json"),
    *(
        "application/vnd.telehealth.omh",
        "application/vnd.telehealth.nobody",
        "text/plain; charset=utf-8",
        "",
        "é" * 200,
    ),
    *(TYPED, "application/vnd.telehealth.", "APPLICATION/CBOR;x=y", "a" * 5000),
)


class Fuzzer:
    """Publishes; good() afterwards."""

    def __init__(self, service: Running, chosen: random.Random, client: paho.Client) -> None:
        self._service = service
        self._chosen = chosen
        self._client = client
        self._messages = Messages(chosen)
        self._receipts: dict[str, asyncio.Event] = {}
        self._loop = asyncio.get_running_loop()
        client.on_message = self._on_message
        self.done = 0

    @property
    def outcomes(self) -> int:
        return len(self._messages.seen)

    @property
    def good(self) -> int:
        """Inputs of which a reading could be taken."""
        return self._messages.good

    async def some(self, inputs: int) -> None:
        """So many more."""
        until = self.done + inputs
        while self.done < until:
            message = self._messages.next()
            times = _FLOOD if self._chosen.random() < 0.001 and len(message.payload) < 2000 else 1
            topic = self._topic(message.format)
            qos, retain = self._chosen.randrange(2), self._chosen.random() < 0.1
            properties = self._properties()
            for _ in range(times):
                self._client.publish(topic, message.payload, qos=qos, retain=retain, properties=properties)
                self.done += 1
            while len(self._client._out_messages) > _AHEAD or self._client.want_write():  # noqa: ASYNC110  # paho tells nobody
                await asyncio.sleep(0.002)

    def _properties(self) -> Properties | None:
        if self._chosen.random() < 0.6:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types here
        properties.ContentType = self._chosen.choice(_CONTENT_TYPES)
        if self._chosen.random() < 0.3:
            properties.UserProperty = (TYPED, "x" * self._chosen.choice((0, 10, 3000)))
            properties.CorrelationData = self._chosen.randbytes(20)
            properties.ResponseTopic = f"telehealth/v1/{TYPED}"
            properties.MessageExpiryInterval = self._chosen.choice((1, 60, 2**32 - 1))
            properties.PayloadFormatIndicator = self._chosen.randrange(2)
        return properties

    def _topic(self, format: str) -> str:
        chosen = self._chosen
        device = chosen.choice(("fuzz-1", "fuzz-2", "kit", "spare"))
        channel = chosen.choice(("readings", "readings", "backlog"))
        match chosen.randrange(16):
            case 0:
                return f"telehealth/v1/{device}/status"
            case 1:
                device = chosen.choice(
                    (f"nobody{chosen.randrange(3000)}", f"{TYPED}", "a" * 64, "a" * 65, "x.y", "ß", " ")
                )
            case 2:
                return f"telehealth/v1/{device}/{channel}/{chosen.choice(('none', 'a' * 33, 'X', TYPED, '', 'native'))}"
            case 3:
                return f"telehealth/v1/{device}/{channel}/{format}/{TYPED}"
            case 4:
                return chosen.choice(
                    (
                        f"telehealth/v1/{device}/{TYPED}",
                        f"telehealth/v1/{device}/commands",
                        f"telehealth/v1/{device}",
                        f"telehealth/v2/{device}/readings",
                        "telehealth/v1//readings",
                        f"telehealth/v1/{'b' * 3000}/readings",
                        "telehealth/check",
                        "/",
                    )
                )
            case _:
                pass
        return f"telehealth/v1/{device}/{channel}" + (
            "" if format == "native" and chosen.random() < 0.7 else f"/{format}"
        )

    def _on_message(self, _client: object, _userdata: object, message: paho.MQTTMessage) -> None:
        try:
            said = json.loads(message.payload)
        except ValueError:
            return  # one that we wrote
        stream = said.get("stream") if isinstance(said, dict) else None
        if isinstance(stream, str) and stream in self._receipts and said.get("through") == 1:
            self._loop.call_soon_threadsafe(self._receipts[stream].set)

    async def settle(self) -> None:
        """Until everything that was sent is taken in. Raises Broken."""
        deadline = clock.monotonic() + _SETTLES_SECONDS
        before = -1.0
        while clock.monotonic() < deadline:
            taken = await self._service.metric("telehealth_messages_total")
            waiting = await self._service.metric("telehealth_unsettled_messages")
            if taken == before and not waiting and not self._client._out_messages:
                return
            before = taken
            await asyncio.sleep(0.5)
        raise Broken("what was sent is not taken in")

    async def good_messages(self) -> None:
        """A good message of every device is stored and receipted. Raises Broken."""
        for device in self._service.passwords:
            stream = f"good-{device}-{self.done}"
            taken_at = datetime.now(UTC).replace(microsecond=self._chosen.randrange(1000) * 1000)
            reading = {
                "code": "pulse",
                "value": 71,
                "unit": "/min",
                "taken_at": taken_at.isoformat(),
                "source_id": stream,
            }
            payload = json.dumps({"stream": stream, "seq": 1, "readings": [reading]})
            self._receipts[stream] = asyncio.Event()
            self._client.publish(f"telehealth/v1/{device}/readings", payload, qos=1)
            try:
                async with asyncio.timeout(_SETTLES_SECONDS):
                    await self._receipts[stream].wait()
            except TimeoutError:
                raise Broken(f"a good message of {device} has no receipt") from None
            async with self._service.database.transaction(world.ACTOR, read_only=True) as connection:
                if not await connection.fetchval("SELECT count(*) FROM reading WHERE source_id = $1", stream):
                    raise Broken(f"a good message of {device} is receipted and not stored")


@asynccontextmanager
async def fuzzing(service: Running, seed: int) -> AsyncIterator[Fuzzer]:
    """Connected and listening for receipts."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="fuzzer", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(200)
    fuzzer = Fuzzer(service, random.Random(f"mqtt {seed}"), client)
    client.connect("127.0.0.1", service.mqtt_port)
    client.loop_start()
    client.subscribe("telehealth/v1/+/receipts", qos=1)
    try:
        yield fuzzer
    finally:
        client.disconnect()
        client.loop_stop()
