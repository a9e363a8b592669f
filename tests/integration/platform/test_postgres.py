"""The supervisor of the embedded PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from telehealth.model.health import Health
from telehealth.postgres import leftovers, place, supervisor
from telehealth.store import migrate

pytestmark = pytest.mark.postgres

#: Runs a supervisor until it is killed; says so when it is up.
_CHILD = """
from telehealth import log
log.configure('warning')
import asyncio, pathlib, sys
from tests.integration.platform import test_postgres as t
async def main():
    async with t.running(pathlib.Path(sys.argv[1])) as (server, _):
        print(server.port, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data directory that PostgreSQL's account can reach, so that nothing is left elsewhere."""
    made = Path(tempfile.mkdtemp(prefix="th-demo-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@contextlib.asynccontextmanager
async def running(folder: Path, secret: str = "") -> AsyncIterator[tuple[supervisor.Server, Health]]:
    health = Health()

    def passwords(purpose: str) -> str:
        return hashlib.sha256(f"{secret}{purpose}".encode()).hexdigest()

    async with supervisor.running(folder, passwords, health) as server:
        yield server, health


async def query(server: supervisor.Server, role: str, text: str) -> object:
    connection = await asyncpg.connect(server.url(role), timeout=10)
    try:
        return await connection.fetchval(text)
    finally:
        await connection.close()


async def test_a_cluster_with_two_roles(folder: Path) -> None:
    """The owner migrates; the application's role is bound by row-level security; a second start keeps everything."""
    async with running(folder) as (server, health):
        await migrate.migrate(server.url("telehealth_owner"))
        flags = "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = user"
        assert await query(server, "telehealth_app", flags) is False
        assert await query(server, "telehealth_app", "SELECT count(*) FROM ward") == 0
        for setting, value in (("fsync", "on"), ("synchronous_commit", "on"), ("listen_addresses", "127.0.0.1")):
            assert await query(server, "telehealth_app", f"SHOW {setting}") == value
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.url("telehealth_app").replace(":", ":x", 2).replace(":x//", "://", 1))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await query(server, "telehealth_app", "CREATE TABLE t (a int)")
        assert health.ready
        url = server.url("telehealth_app")
    async with running(folder) as (server, _):
        assert server.url("telehealth_app") == url
        assert await query(server, "telehealth_app", "SELECT count(*) FROM ward") == 0


async def test_starts_it_again_when_it_dies(folder: Path) -> None:
    """Killed, it is back on the same port; meanwhile the health says so."""
    async with running(folder) as (server, health), asyncio.TaskGroup() as group:
        keeper = group.create_task(server.keep_running())
        before = int((folder / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(before, signal.SIGKILL)
        said = []
        for _ in range(500):
            said.append(health.parts()["postgres"])
            if said[-1] is None and any(said):
                break
            await asyncio.sleep(0.02)
        assert any(said)
        assert await query(server, "telehealth_app", "SELECT 1") == 1
        keeper.cancel()


@pytest.mark.parametrize("postgres_too", [False, True])
async def test_recovers_from_a_killed_run(folder: Path, postgres_too: bool) -> None:
    """After kill -9 of the service, and of PostgreSQL with it, the next start works, with what was committed."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CHILD, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    await child.stdout.readline()
    postmaster = int((folder / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()[0])
    child.kill()
    if postgres_too:
        with contextlib.suppress(ProcessLookupError):
            os.kill(postmaster, signal.SIGKILL)
    async with running(folder) as (server, _):
        assert await query(server, "telehealth_app", "SELECT 1") == 1
    await child.communicate()


async def test_a_lock_file_of_somebody_else(folder: Path) -> None:
    """A lock file whose number meanwhile is another program's does not keep PostgreSQL from starting, nor harm it."""
    async with running(folder):
        lock = (folder / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()
    (folder / "postgres" / "cluster" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lock[1:]]) + "\n")
    async with running(folder) as (server, _):
        assert await query(server, "telehealth_app", "SELECT 1") == 1


async def test_a_cluster_of_a_data_directory_that_is_gone(folder: Path) -> None:
    """A new secret means a new demo: the old cluster, whose passwords nobody knows, does not stop it."""
    async with running(folder) as (server, _):
        await migrate.migrate(server.url("telehealth_owner"))
    async with running(folder, "another secret") as (server, _):
        assert await query(server, "telehealth_app", "SELECT to_regclass('ward') IS NULL") is True


async def test_an_interrupted_first_start(folder: Path) -> None:
    """What was made half is made again."""
    half = folder / "postgres" / "cluster-new"
    half.mkdir(parents=True)
    (folder / "postgres").chmod(0o711)
    (half / "PG_VERSION").write_text("18\n")
    async with running(folder) as (server, _):
        assert await query(server, "telehealth_app", "SELECT 1") == 1


async def test_leftovers_of_nobody(folder: Path) -> None:
    """No lock file, nothing running: nothing to do."""
    await leftovers.stop(folder)


async def test_binaries_that_the_account_cannot_reach(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root with the environment in a private folder, they are copied with their libraries."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    programs = place.copy_install(place.installed(), private / "environment")
    monkeypatch.setattr(place, "installed", lambda: programs)
    async with running(folder) as (server, _):
        assert await query(server, "telehealth_app", "SELECT 1") == 1
