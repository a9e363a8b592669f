"""Every supported broker behind one face: started as an operator would, in step with a registry that tests change."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from telehealth.brokers import authority, control, dynamic, embedded, mosquitto
from telehealth.model import secrets
from tests.integration.platform import clients
from tests.support import certificates, rabbitmq, servers

T = TypeVar("T")
SERVICE_PASSWORD, ADMIN_PASSWORD = "service", "administrator"
_numbers = itertools.count(1)


@dataclass
class Broker:
    """registry holds device_id -> password hash; keep() brings the broker in step with it."""

    name: str
    port: int
    service_port: int
    keep: Callable[[], None]
    registry: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    service_tls: ssl.SSLContext | None = None
    process: subprocess.Popen[bytes] | None = None
    account: control.Account | None = None
    authority: certificates.Authority | None = None
    certificate_port: int = 0
    plan: mosquitto.Plan | None = None

    def new(self) -> str:
        """A device_id of a device that nobody else uses, registered; its password is password(device_id)."""
        device_id = f"dev-{next(_numbers)}"
        self.registry[device_id] = secrets.hash_device_password(password(device_id))
        self.keep()
        # Mosquitto hears a signal some time later.
        for _ in range(100):
            with self.device(device_id) as tried:
                if not tried.code:
                    return device_id
        raise AssertionError(f"{self.name} does not let a new device in: {tried.code}")

    def revoke(self, device_id: str) -> None:
        del self.registry[device_id]
        self.keep()

    def device(self, device_id: str, **options: Any) -> AbstractContextManager[clients.Client]:
        """A connection of this device with its own password; client id: its device_id."""
        options.setdefault("client_id", device_id)
        word = options.pop("word", password(device_id))
        return clients.connected(self.port, device_id, word, tls=self.tls, **options)

    def service(self, client_id: str = "", **options: Any) -> AbstractContextManager[clients.Client]:
        """A session of the service."""
        name = client_id or f"telehealth-test-{next(_numbers)}"
        return clients.connected(
            self.service_port, "telehealth", SERVICE_PASSWORD, tls=self.service_tls, client_id=name, **options
        )


def password(device_id: str) -> str:
    return f"secret of {device_id}"


class Loop:
    """An event loop in a thread, for what runs in the service's own process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    @contextlib.contextmanager
    def running(self) -> Iterator[Loop]:
        self._thread.start()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    @contextlib.contextmanager
    def inside(self, manager: contextlib.AbstractAsyncContextManager[T]) -> Iterator[T]:
        made = self.call(_enter(manager))
        try:
            yield made
        finally:
            self.call(_leave(manager))


async def _enter(manager: contextlib.AbstractAsyncContextManager[T]) -> T:
    return await manager.__aenter__()


async def _leave(manager: contextlib.AbstractAsyncContextManager[T]) -> None:
    await manager.__aexit__(None, None, None)


@contextlib.contextmanager
def embedded_broker() -> Iterator[Broker]:
    """amqtt behind our gate."""
    registry: dict[str, str] = {}
    port = servers.free_port()

    async def lookup(device_id: str) -> str | None:
        return registry.get(device_id)

    with (
        Loop().running() as loop,
        loop.inside(embedded.running(port, lookup, SERVICE_PASSWORD)) as running,
    ):
        yield Broker("embedded", port, port, lambda: loop.call(running.recheck()), registry)


@contextlib.contextmanager
def folder_for_mosquitto() -> Iterator[Path]:
    """A folder that Mosquitto's account can reach, which pytest's own is not."""
    made = Path(tempfile.mkdtemp(prefix="th-mosquitto-", dir="/tmp"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


def accounts() -> dict[str, str]:
    """Of the service and of the administrator."""
    return {
        "telehealth": secrets.hash_device_password(SERVICE_PASSWORD),
        dynamic.ADMIN: secrets.hash_device_password(ADMIN_PASSWORD),
    }


def set_up(plan: mosquitto.Plan, registry: dict[str, str]) -> None:
    """What mosquitto-config writes."""
    files = {
        mosquitto.PASSWORDS: mosquitto.passwords(registry, accounts()),
        mosquitto.CONFIGURATION: mosquitto.configuration(plan),
    }
    if plan.plugin is None:
        files[mosquitto.TOPICS] = mosquitto.topics(plan.service_user)
    else:
        files[mosquitto.DYNAMIC] = mosquitto.dynamic_security(registry, plan)
    mosquitto.write(plan, files)


@contextlib.contextmanager
def started(plan: mosquitto.Plan) -> Iterator[subprocess.Popen[bytes]]:
    """A Mosquitto with what was set up. It may be killed inside the block."""
    process = subprocess.Popen(["mosquitto", "-c", plan.directory / mosquitto.CONFIGURATION], stderr=subprocess.DEVNULL)
    try:
        for _, port in filter(None, (plan.devices, plan.service, plan.certified)):
            servers.wait_for_port(port, process=process)
        yield process
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def mosquitto_with_files() -> Iterator[Broker]:
    """Password file and topic rules, as mosquitto-config writes them; a change is a SIGHUP."""
    registry: dict[str, str] = {}
    with folder_for_mosquitto() as folder:
        plan = mosquitto.Plan(
            folder / "broker",
            devices=("127.0.0.1", servers.free_port()),
            service=("127.0.0.1", servers.free_port()),
            pid_file=folder / "broker" / "data" / "pid",
            queued_messages=1000,
        )
        set_up(plan, registry)
        with started(plan) as process:
            made = Broker("mosquitto", *_ports(plan), lambda: _keep_files(made), registry, process=process, plan=plan)
            yield made


@contextlib.contextmanager
def mosquitto_with_plugin() -> Iterator[Broker]:
    """TLS, passwords or client certificates, and dynamic security."""
    registry: dict[str, str] = {}
    with folder_for_mosquitto() as folder:
        signer = certificates.Authority(folder)
        server = signer.issue("broker")
        plan = mosquitto.Plan(
            folder / "broker",
            devices=("127.0.0.1", servers.free_port()),
            service=("127.0.0.1", servers.free_port()),
            certificate=server.certificate,
            key=server.key,
            service_tls=True,
            authority=signer.certificate,
            certified=("127.0.0.1", servers.free_port()),
            plugin=mosquitto.plugin(),
            pid_file=folder / "broker" / "data" / "pid",
            queued_messages=1000,
        )
        set_up(plan, registry)
        account = control.Account("127.0.0.1", _ports(plan)[1], dynamic.ADMIN, ADMIN_PASSWORD, signer.context())
        with started(plan) as process:
            made = Broker(
                "mosquitto-dynamic",
                *_ports(plan),
                lambda: _keep_plugin(made),
                registry,
                tls=signer.context(),
                service_tls=signer.context(),
                process=process,
                account=account,
                authority=signer,
                certificate_port=plan.certified[1] if plan.certified is not None else 0,
                plan=plan,
            )
            yield made


def _ports(plan: mosquitto.Plan) -> tuple[int, int]:
    assert plan.service is not None
    return plan.devices[1], plan.service[1]


def _keep_files(broker: Broker) -> None:
    plan = broker.plan
    assert plan is not None
    mosquitto.keep_passwords(plan.directory, broker.registry, ("telehealth", dynamic.ADMIN), plan.pid_file)


def _keep_plugin(broker: Broker) -> None:
    assert broker.account is not None
    _keep_files(broker)
    done = control.bring_in_step(broker.account, dynamic.wanted(broker.registry, "telehealth", dynamic.ADMIN))
    assert done.errors == ()


@contextlib.contextmanager
def rabbitmq_starting() -> Iterator[tuple[rabbitmq.Node, dict[str, str], Loop]]:
    """Debian's RabbitMQ, asking our authority; still starting."""
    registry: dict[str, str] = {}
    port = servers.free_port()

    async def lookup(device_id: str) -> str | None:
        return registry.get(device_id)

    with (
        Loop().running() as loop,
        loop.inside(authority.running(port, lookup)),
        rabbitmq.node(port, SERVICE_PASSWORD, queued_messages=1000) as node,
    ):
        yield node, registry, loop


def rabbitmq_broker(node: rabbitmq.Node, registry: dict[str, str], loop: Loop) -> Broker:
    """Once it has started."""
    node.wait()
    assert node.plan.service is not None
    known: set[str] = set()

    async def keep() -> None:
        gone = known - set(registry)
        known.update(registry)
        if gone:
            known.difference_update(gone)
            # As `broker rabbitmq-auth` does when it is told of a change.
            strangers = await node.control().connected() - set(registry) - {"telehealth"}
            await node.control().cut(strangers)

    return Broker(
        "rabbitmq",
        node.plan.devices[1],
        node.plan.service[1],
        lambda: loop.call(keep()),
        registry,
        process=node.process,
    )
