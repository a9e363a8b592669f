"""What each broker does when the service's queue is full, and when it is killed: prints what was seen.

    python -m tests.contract.observe_full_and_killed

Not a test: the answers belong to the brokers and are written down in docs/brokers.md. Takes about two minutes.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from paho.mqtt.client import MQTTMessageInfo

from telehealth.brokers import mosquitto
from tests.contract import brokers
from tests.contract.brokers import Broker
from tests.support import rabbitmq

SESSION = "telehealth-observe"


def topic(device_id: str) -> str:
    return f"telehealth/v1/{device_id}/readings"


def away(broker: Broker, device_id: str) -> None:
    """A session of the service that is not there."""
    with broker.service(SESSION, clean=False) as service:
        service.subscribe(topic(device_id))


def publish(broker: Broker, device_id: str, count: int, start: int = 0) -> tuple[int, bool]:
    """How many were acknowledged, and whether the broker hung up. Stops when nothing happens for a while."""
    with broker.device(device_id) as device:
        if device.code:
            return 0, True
        sent = [device.paho.publish(topic(device_id), str(n), qos=1) for n in range(start, start + count)]
        done, since = -1, time.monotonic()
        while time.monotonic() - since < 3 and not device.gone.is_set():
            now = sum(map(_is_published, sent))
            if now == count:
                break
            if now != done:
                done, since = now, time.monotonic()
            time.sleep(0.05)
        return sum(map(_is_published, sent)), device.gone.is_set()


def _is_published(message: MQTTMessageInfo) -> bool:
    try:
        return message.is_published()
    except RuntimeError:
        return False


def kept(broker: Broker) -> list[int]:
    """What the session got when it came back."""
    found: list[int] = []
    with broker.service(SESSION, clean=False) as service:
        while True:
            try:
                found.append(int(service.received.get(timeout=2)[1]))
            except queue.Empty:
                break
    with broker.service(SESSION):
        pass
    return found


def full(broker: Broker, limit: int) -> str:
    """Twice as many messages as fit."""
    device_id = broker.new()
    away(broker, device_id)
    acknowledged, hung_up = publish(broker, device_id, 2 * limit)
    there = kept(broker)
    first, last = (there[0], there[-1]) if there else (None, None)
    return (
        f"queue of {limit}: of {2 * limit} published {acknowledged} acknowledged"
        f"{', then hung up' if hung_up else ''}; {len(there)} were kept ({first} to {last})"
    )


def killed(broker: Broker, restart: Callable[[], Broker], *, wait: float, how: str) -> str:
    """500 messages acknowledged, then killed."""
    device_id = broker.new()
    away(broker, device_id)
    if wait:
        time.sleep(wait)
    acknowledged, _ = publish(broker, device_id, 500)
    again = restart()
    again.registry.update(broker.registry)
    there = kept(again)
    return f"{how}: {acknowledged} acknowledged, {len(there)} kept"


@contextlib.contextmanager
def saving(plan: mosquitto.Plan, old: str, new: str) -> Iterator[None]:
    """The configuration with one line changed."""
    path: Path = plan.directory / mosquitto.CONFIGURATION
    before = path.read_text()
    path.write_text(before.replace(old, new))
    try:
        yield
    finally:
        path.write_text(before)


def observe_mosquitto() -> None:
    print(subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False).stdout.splitlines()[0])
    with brokers.mosquitto_with_files() as broker:
        print(" ", full(broker, 1000))
    for line, how in (
        ("autosave_interval 60", "autosave_interval 60"),
        ("autosave_interval 100\nautosave_on_changes true", "autosave_on_changes, 100"),
    ):
        for signal_number in (9, 15):
            with brokers.mosquitto_with_files() as broker:
                assert broker.plan is not None
                assert broker.process is not None
                with contextlib.ExitStack() as stack, saving(broker.plan, "autosave_interval 60", line):
                    broker.process.terminate()
                    broker.process.wait(10)
                    process = stack.enter_context(brokers.started(broker.plan))

                    def restart(
                        process: subprocess.Popen[bytes] = process,
                        broker: Broker = broker,
                        stack: contextlib.ExitStack = stack,
                        number: int = signal_number,
                    ) -> Broker:
                        process.send_signal(number)
                        process.wait(20)
                        assert broker.plan is not None
                        stack.enter_context(brokers.started(broker.plan))
                        return broker

                    print(" ", killed(broker, restart, wait=0, how=f"signal {signal_number}, {how}"))


def observe_rabbitmq() -> None:
    with brokers.rabbitmq_starting() as (node, registry, loop):
        broker = brokers.rabbitmq_broker(node, registry, loop)
        print("RabbitMQ", _version(node))
        print(" ", full(broker, 1000))
        for signal_number in (9, 15):

            def restart(number: int = signal_number) -> Broker:
                node.stop(signal_number=number)
                node.start()
                return broker

            print(" ", killed(broker, restart, wait=0, how=f"signal {signal_number}"))


def _version(node: rabbitmq.Node) -> str:
    program = node.control().program
    done = subprocess.run(
        [program, "version"],
        env=node.environment,
        user=node.account,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def observe_embedded() -> None:
    print("embedded (amqtt behind the gate)")
    with brokers.embedded_broker() as broker:
        print(" ", full(broker, 1000))


def main() -> None:
    for observe in (observe_embedded, observe_mosquitto, observe_rabbitmq):
        observe()


if __name__ == "__main__":
    main()
