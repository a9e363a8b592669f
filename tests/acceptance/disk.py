"""A disk that can be filled and freed: a small one of its own where that may be mounted, else a limit on files.

The limit is the kernel's on the size of files (RLIMIT_FSIZE), set on every process of the cluster: what PostgreSQL
then sees is a write that fails, at whatever file is large enough, its log of changes among them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support import servers

_MEGABYTES = 220
_LIMIT_BYTES = "8192"


class Disk:
    """Where a cluster may be made. full() and free()."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.folder = folder
        self.mounted = mounted
        self._limiting: asyncio.Task[None] | None = None

    async def full(self) -> None:
        """No byte more fits."""
        if not self.mounted:
            self._limiting = asyncio.create_task(self._limit())
            return
        with (self.folder / "filler").open("wb", buffering=0) as filler:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        filler.write(bytes(size))

    async def free(self) -> None:
        if self._limiting is None:
            (self.folder / "filler").unlink()
            return
        self._limiting.cancel()
        await asyncio.wait([self._limiting])
        await self._set("unlimited")

    async def _limit(self) -> None:
        """Also those that PostgreSQL starts meanwhile."""
        while True:
            await self._set(_LIMIT_BYTES)
            await asyncio.sleep(0.2)

    async def _set(self, size: str) -> None:
        """As the cluster's account: even root may lack the right to do it to somebody else's processes."""
        found = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdigit() and Path(os.readlink(f"/proc/{name}/cwd")).is_relative_to(self.folder):
                    found.append(name)
        script = f'for pid in {" ".join(found)}; do prlimit --pid "$pid" --fsize={size}:unlimited; done'
        null = asyncio.subprocess.DEVNULL
        account = servers.unprivileged()
        group = None if account is None else pwd.getpwnam(account).pw_gid
        process = await asyncio.create_subprocess_exec("sh", "-c", script, stderr=null, user=account, group=group)
        await process.wait()


@contextlib.contextmanager
def small() -> Iterator[Disk]:
    """Unmounted, or emptied, at the end."""
    folder = Path(tempfile.mkdtemp(prefix="th-disk-", dir="/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m,mode=755", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        folder.chmod(0o755)
        yield Disk(folder, mounted=mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)
            folder.rmdir()
        else:
            subprocess.run(["rm", "-rf", folder], check=True)
