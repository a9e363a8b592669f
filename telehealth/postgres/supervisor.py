"""Start, watch, restart and stop the embedded PostgreSQL.

Everything is scram, the application's role is no superuser and not the owner, nothing listens but
127.0.0.1, and fsync is on: the demo keeps the same promises as production.
"""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import contextlib
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg

from telehealth import clock, log
from telehealth.errors import TelehealthError, Unavailable
from telehealth.model.health import Health
from telehealth.postgres import account, leftovers, place
from telehealth.postgres.place import Place

_log = log.get("postgres")

#: Purpose -> password; the same purpose gives the same password at every start.
Passwords = Callable[[str], str]

_SUPERUSER = "telehealth_super"
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "96MB",
    "max_wal_size": "1GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    # Neither statements nor rows reach the log: they hold residents' data.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "fsync": "on",
    "synchronous_commit": "on",
}
_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
_LOG_BYTES = 5_000_000
#: PostgreSQL writes its log ahead in files of 16 MiB.
_FULL_BYTES = 16 * 1024 * 1024


class Server:
    """One cluster. Its port stays the same for as long as this object lives."""

    def __init__(self, where: Place, passwords: Passwords, health: Health) -> None:
        self._place = where
        self._passwords = passwords
        self._health = health
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self.port = 0

    def url(self, role: str, database: str = "telehealth") -> str:
        """Where a role connects: telehealth_app or telehealth_owner."""
        return f"postgresql://{role}:{self._passwords(role)}@127.0.0.1:{self.port}/{database}"

    async def start(self) -> None:
        """Have it accept connections, making the cluster first if there is none."""
        if not self._place.cluster.exists():
            await self._initialise()
        await leftovers.stop(self._place.cluster)
        remembered = self._place.home / "port"
        with contextlib.suppress(OSError, ValueError):
            self.port = int(remembered.read_text())
        for _ in range(5):
            self.port = _free_port(prefer=self.port)
            if await self._launch(seconds=60):
                break
            self.port = 0
        else:
            raise Unavailable(f"PostgreSQL does not start: see {self._place.log}")
        remembered.write_text(f"{self.port}\n")
        await self._ensure_roles()
        self._health.good("postgres")

    async def keep_running(self) -> None:
        """Start it again whenever it dies; runs until cancelled."""
        pause = 0.1
        while True:
            assert self._process is not None
            since = clock.monotonic()
            status = await self._process.wait()
            if self._stopping:
                return
            self._health.bad("postgres", f"PostgreSQL ended and is being started again{self._why()}")
            _log.error("PostgreSQL ended; starting it again", status=status)
            pause = 0.1 if clock.monotonic() - since > 60 else min(pause * 2, 5)
            await asyncio.sleep(pause)
            try:
                await leftovers.stop(self._place.cluster)
                runs = await self._launch(seconds=60)
            except OSError as error:
                # Its log cannot be opened, or no process started; the one that ended is looked at again, after a pause.
                _log.error("PostgreSQL cannot be started now", error=type(error).__name__)
                continue
            if runs:
                self._health.good("postgres")
                _log.info("PostgreSQL runs again")

    def _why(self) -> str:
        """What keeps it from running, where that can be seen from outside."""
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self._place.cluster).free < _FULL_BYTES:
                return ": its disk is full; once there is space it runs again by itself"
        return ""

    async def stop(self) -> None:
        """Fast shutdown: sessions end, everything committed is kept. Killed if it hangs."""
        self._stopping = True
        process = self._process
        if process is None:
            return
        for signum, seconds in ((signal.SIGINT, 2.5), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 1.0)):
            if process.returncode is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signum)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await process.wait()
                    return

    async def _initialise(self) -> None:
        """initdb beside, then rename: an interrupted first start leaves nothing that looks whole."""
        home, new = self._place.home, self._place.home / "cluster-new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password = home / "superuser"
        password.touch(mode=0o600)
        password.write_text(self._passwords(_SUPERUSER) + "\n")
        if self._place.account is not None:
            for path in (new, password):
                os.chown(path, self._place.account.uid, self._place.account.gid)
        try:
            initdb = await asyncio.create_subprocess_exec(
                str(self._place.binaries / "initdb"),
                *("--pgdata", str(new), "--username", _SUPERUSER, "--auth", "scram-sha-256"),
                *("--pwfile", str(password), "--encoding", "UTF8", "--no-instructions"),
                *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                cwd=home,
                env=_ENVIRONMENT,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                preexec_fn=account.become(self._place.account, when_parent_dies=signal.SIGKILL),
            )
            try:
                _, said = await initdb.communicate()
            except asyncio.CancelledError:
                initdb.kill()
                raise
        finally:
            password.unlink()
        if initdb.returncode != 0:
            last = said.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            raise TelehealthError(f"initdb failed in {home}: {last[0]}")
        new.rename(self._place.cluster)

    async def _launch(self, *, seconds: float) -> bool:
        """Start postgres; True once it accepts connections, False if it ended instead."""
        cluster = self._place.cluster
        with contextlib.suppress(FileNotFoundError):
            if self._place.log.stat().st_size > _LOG_BYTES:
                self._place.log.unlink()
        options = [part for key, value in _OPTIONS.items() for part in ("-c", f"{key}={value}")]
        with self._place.log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                str(self._place.binaries / "postgres"),
                *("-D", str(cluster), "-p", str(self.port)),
                *options,
                cwd=cluster,
                env=_ENVIRONMENT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                # Ctrl-C at a terminal goes to the whole group; PostgreSQL must outlive the service.
                start_new_session=True,
                preexec_fn=account.become(self._place.account, when_parent_dies=signal.SIGINT),
            )
        self._process = process
        deadline = clock.monotonic() + seconds
        while process.returncode is None and clock.monotonic() < deadline:
            if _accepts(cluster, process.pid):
                return True
            await asyncio.sleep(0.01)
        if process.returncode is None:
            process.kill()
            await process.wait()
        return False

    async def _ensure_roles(self) -> None:
        """Both roles with the passwords of today, and the database; each start, as it is cheap and repairs."""
        connection = await asyncpg.connect(self.url(_SUPERUSER, "postgres"), timeout=10)
        try:
            there = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
            for role in ("telehealth_owner", "telehealth_app"):
                change = "ALTER" if role in there else "CREATE"
                await connection.execute(
                    f"{change} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS"
                    f" PASSWORD '{self._passwords(role)}'"
                )
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'telehealth'"):
                # file_copy and a checkpoint would be slower here: the database is still small.
                await connection.execute("CREATE DATABASE telehealth OWNER telehealth_owner")
                await connection.execute("REVOKE ALL ON DATABASE telehealth FROM PUBLIC")
                await connection.execute("GRANT CONNECT ON DATABASE telehealth TO telehealth_app")
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def running(data_directory: Path, passwords: Passwords, health: Health) -> AsyncIterator[Server]:
    """The cluster of a data directory, accepting connections inside the block.

    passwords must give text without quotes. Run Server.keep_running beside what uses it.
    """
    server = Server(await asyncio.to_thread(_find, data_directory, passwords), passwords, health)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


def _find(data_directory: Path, passwords: Passwords) -> Place:
    """The place of the cluster; one that belongs to an earlier, removed data directory of this name is cleared."""
    found = place.find(data_directory)
    mark, expected = found.home / "belongs-to", passwords("cluster mark")
    if found.cluster.exists() and (not mark.exists() or mark.read_text().strip() != expected):
        _log.warning("removing the cluster of a data directory that is gone", cluster=str(found.cluster))
        shutil.rmtree(found.cluster)
    if not mark.exists() or mark.read_text().strip() != expected:
        mark.write_text(expected + "\n")
    return found


def _free_port(*, prefer: int) -> int:
    for wanted in (prefer, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
            return int(probe.getsockname()[1])
    raise Unavailable("no free port on 127.0.0.1")


def _accepts(cluster: Path, pid: int) -> bool:
    """PostgreSQL writes "ready" to the last line of its lock file once it takes connections."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
