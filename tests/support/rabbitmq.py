"""A RabbitMQ node of the tests' own: name, ports, data and port mapper apart from whatever else runs here."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from telehealth.brokers import rabbitmq
from tests.support import servers

_PROGRAMS = Path("/usr/lib/rabbitmq/bin")


@dataclass
class Node:
    """plan says what it runs with. start() and stop() or kill() in any order."""

    plan: rabbitmq.Plan
    environment: dict[str, str]
    account: str | None
    process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        self.process = subprocess.Popen(
            [_PROGRAMS / "rabbitmq-server"],
            env=self.environment,
            user=self.account,
            cwd=self.plan.directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if wait:
            self.wait()

    def wait(self) -> None:
        for _, port in filter(None, (self.plan.devices, self.plan.service)):
            servers.wait_for_port(port, seconds=90, process=self.process)
        # Its listeners are there before its users are.
        subprocess.run(
            [self.control().program, "await_startup"],
            env=self.environment,
            user=self.account,
            cwd="/",
            check=True,
            capture_output=True,
            timeout=60,
        )

    def stop(self, *, signal_number: int = 15) -> None:
        """By signal to the node itself: what was started is a script that waits for it."""
        if self.process is not None:
            children = psutil.Process(self.process.pid).children() if self.process.poll() is None else []
            for child in children:
                child.send_signal(signal_number)
            if not children:
                self.process.kill()
            self.process.wait(30)
            self.process = None
            self._wait_for_the_end()

    def _wait_for_the_end(self) -> None:
        """Until nothing listens any more."""
        with contextlib.suppress(OSError):
            while True:
                socket.create_connection(("127.0.0.1", self.plan.devices[1]), 1).close()
                time.sleep(0.05)

    def control(self) -> rabbitmq.Control:
        return rabbitmq.Control(str(_PROGRAMS / "rabbitmqctl"), self.environment, self.account)


@contextlib.contextmanager
def node(authority_port: int, password: str, *, queued_messages: int = 200_000) -> Iterator[Node]:
    """A node that is starting: wait() for it. As root it runs as Debian's account for it."""
    if not (_PROGRAMS / "rabbitmq-server").exists():
        raise RuntimeError("RabbitMQ is missing: apt-get install rabbitmq-server")
    folder = Path(tempfile.mkdtemp(prefix="th-rabbitmq-", dir="/tmp"))
    account = "rabbitmq" if os.geteuid() == 0 else None
    plan = rabbitmq.Plan(
        folder,
        devices=("127.0.0.1", servers.free_port()),
        service=("127.0.0.1", servers.free_port()),
        authority_port=authority_port,
        queued_messages=queued_messages,
    )
    files = {
        rabbitmq.CONFIGURATION: rabbitmq.configuration(plan),
        rabbitmq.DEFINITIONS: rabbitmq.definitions(plan, rabbitmq.hash_password(password)),
        rabbitmq.PLUGINS: rabbitmq.plugins(),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    mapper_port = servers.free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "RABBITMQ_NODENAME": f"telehealth-{plan.devices[1]}@localhost",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / rabbitmq.CONFIGURATION),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / rabbitmq.PLUGINS),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_DIST_PORT": str(servers.free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": str(mapper_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    if account is not None:
        owner = pwd.getpwnam(account)
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    # Erlang would leave one behind for all nodes of the computer; ours ends with us.
    mapper = subprocess.Popen(
        ["epmd", "-port", str(mapper_port), "-address", "127.0.0.1"],
        user=account,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    made = Node(plan, environment, account)
    try:
        servers.wait_for_port(mapper_port, process=mapper)
        made.start(wait=False)
        yield made
    finally:
        made.stop(signal_number=9)
        mapper.terminate()
        mapper.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
