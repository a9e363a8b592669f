"""The built files: complete, compressed beside themselves, asking no other host."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from tests.browser.service import ROOT

DIST = ROOT / "telehealth" / "web" / "static" / "dist"
pytestmark = pytest.mark.browser


def test_manifest_names_what_is_there() -> None:
    manifest = json.loads((DIST / "manifest.json").read_text())
    assert set(manifest) >= {"main.css", "board.js", "queue.js", "resident.js", "page.js"}
    for name in manifest.values():
        assert gzip.decompress((DIST / f"{name}.gz").read_bytes()) == (DIST / name).read_bytes()


def test_no_other_host_is_named() -> None:
    """Neither fonts nor logos nor maps come from elsewhere; names of XML namespaces are no addresses to fetch."""
    for file in [*DIST.glob("*.css"), *DIST.glob("*.js")]:
        named = set(re.findall(r"https?://[^\s\"')]+", file.read_text()))
        assert {url for url in named if not url.startswith("http://www.w3.org/")} == set(), file.name


def test_lock_file_names_no_registry() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("integrity" in entry and "resolved" not in entry for entry in packages.values())


def test_small_enough_for_a_ward_computer() -> None:
    """Everything that a page loads, compressed; a board is opened on old computers over slow lines."""
    assert sum(file.stat().st_size for file in DIST.glob("*.gz")) < 120_000
