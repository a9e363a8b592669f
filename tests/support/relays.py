"""A real coturn for tests, with the configuration that telehealth writes."""

from __future__ import annotations

import contextlib
import ipaddress
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from aioice import ice

from telehealth.model import turn
from tests.support import certificates, servers

SECRET = "only-for-tests-0123456789"


def own_address() -> str:
    """Of this computer, not the loopback's, which aioice leaves out; where media workers are."""
    return ice.get_host_addresses(use_ipv4=True, use_ipv6=False)[0]


@dataclass(frozen=True)
class Coturn:
    """Listens at an address of this computer for UDP, TCP and, with a certificate, TLS."""

    address: str
    port: int
    tls_port: int | None
    log: Path

    def url(self, transport: turn.Transport) -> str:
        if transport == "tls":
            return f"turns:{self.address}:{self.tls_port}"
        return f"turn:{self.address}:{self.port}?transport={transport}"


@contextlib.contextmanager
def coturn(
    *, change: dict[str, str] | None = None, authority: certificates.Authority | None = None
) -> Iterator[Coturn]:
    """A relay that reaches this computer only. change: of lines, to spoil them. authority: for TLS."""
    address = own_address()
    ports = servers.free_port(), servers.free_port()
    plan = turn.Plan(
        secret=SECRET,
        realm="relay.test",
        listen=(ipaddress.ip_address(address),),
        relay=ipaddress.ip_address(address),
        media=(ipaddress.ip_network(address),),
        port=ports[0],
        tls_port=ports[1],
        # Below what sockets are given by themselves.
        ports=(20000, 20999),
    )
    account = servers.unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="th-turn-", dir="/tmp"))
    if account:
        shutil.chown(folder, account)
    if authority is not None:
        pair = authority.issue("relay", address=address)
        shown = folder / "relay.pem", folder / "relay.key"
        for made, copy in zip((pair.certificate, pair.key), shown, strict=True):
            shutil.copy(made, copy)
        plan = replace(plan, certificate=str(shown[0]), key=str(shown[1]))
    text = turn.configuration(plan)
    for line, other in (change or {}).items():
        assert line in text
        text = text.replace(line, other)
    written = folder / "turnserver.conf"
    log = folder / "log"
    written.write_text(f"{text}userdb={folder / 'turndb'}\npidfile={folder / 'pid'}\n")
    if account:
        shutil.chown(written, account)
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["turnserver", "-c", written], user=account, cwd=folder, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        _until_listening(address, ports[0], process, log)
        yield Coturn(address, ports[0], ports[1] if plan.certificate else None, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _until_listening(address: str, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    import socket

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"turnserver exited with {process.returncode}: {log.read_text()[-500:]}")
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError("turnserver does not listen")
