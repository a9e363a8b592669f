"""What is pinned is what the module that reaches into aiortc was written against."""

from __future__ import annotations

import tomllib
from pathlib import Path

from telehealth.media import fitting, inside


async def test_the_self_test_passes_with_what_is_pinned() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    pins = dict(one.split("==") for one in project["optional-dependencies"]["consult"] if "==" in one)
    assert pins == inside.VERSIONS
    await fitting.self_test()
