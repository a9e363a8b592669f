"""Packaging hook: builds the browser code into the wheel, or in place for an editable install.

TELEHEALTH_BUILD_WEB=0 leaves it out: an installation with the API only.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ARTIFACTS = "telehealth/web/static/dist/"


def _builder(root: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("telehealth_web_build", Path(root) / "web" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class BuildHook(BuildHookInterface[Any]):
    """Found by hatchling, see pyproject.toml."""

    def _wanted(self) -> bool:
        return self.target_name == "wheel" and os.environ.get("TELEHEALTH_BUILD_WEB", "1") != "0"

    def dependencies(self) -> list[str]:
        """The 60 MB of Node only where there is none and something is to be built."""
        if not self._wanted():
            return []
        web = _builder(self.root)
        return [] if web.fresh().is_enough(development=True) or web.tools_on_path() else [web.NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """version is "editable" or "standard"; the built files are in no repository, so they are named here."""
        if not self._wanted():
            return
        web = _builder(self.root)
        self.app.display_waiting("Building the browser code")
        try:
            web.build(development=version == "editable")
        except web.BuildFailed as failed:
            self.app.abort(f"{failed}\nWithout the web pages: TELEHEALTH_BUILD_WEB=0 pip install ...")
        build_data["artifacts"].append(ARTIFACTS)
