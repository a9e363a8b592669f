"""The command itself."""

from __future__ import annotations

from telehealth import __version__
from tests.acceptance import platform_processes as processes


def test_version_and_help() -> None:
    """--version says it; --help names every command."""
    assert processes.telehealth("--version").stdout == f"telehealth {__version__}\n"
    shown = processes.telehealth("--help").stdout
    commands = ["demo", "serve", "migrate", "check", "ward", "resident", "device", "user", "token", "broker", "export"]
    for command in commands:
        assert f" {command} " in shown
