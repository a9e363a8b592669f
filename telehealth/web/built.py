"""The built browser code: logical names to hashed files, served as they are for ever."""

from __future__ import annotations

from pathlib import Path

import msgspec
from aiohttp import web

from telehealth import log
from telehealth.web import errors

_log = log.get("web")

FOLDER = Path(__file__).parent / "static"

#: A hashed name never means another content.
_FOR_EVER = "public, max-age=31536000, immutable"


class Built:
    """What the build left in static/dist, read once at the start; manifest.json comes last in a build."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.manifest: dict[str, str] = {}
        #: path below /static/ -> file
        self.files: dict[str, Path] = {file.name: file for file in folder.glob("*.*") if file.is_file()}
        dist = folder / "dist"
        try:
            self.manifest = msgspec.json.decode((dist / "manifest.json").read_bytes(), type=dict[str, str])
        except (OSError, msgspec.DecodeError):
            _log.error("the screens were not built: only the API works", do="make web")
        else:
            hashed = (file for file in dist.rglob("*") if file.is_file() and file.suffix != ".gz")
            self.files |= {file.relative_to(dist).as_posix(): file for file in hashed}
        self._hashed = frozenset(self.manifest.values())

    def url(self, name: str) -> str:
        """The address of a file by its logical name. NotBuilt if the build did not make it."""
        try:
            return f"/static/{self.manifest[name]}"
        except KeyError:
            raise errors.NotBuilt from None

    def is_hashed(self, path: str) -> bool:
        """Whether the name changes whenever the content does: all that the bundler names."""
        return path in self._hashed or "-" in Path(path).stem


BUILT = web.AppKey("built", Built)


async def static(request: web.Request) -> web.StreamResponse:
    """One file of the build; only names that were there at the start, so no path can lead elsewhere."""
    built = request.app[BUILT]
    path = request.match_info["path"]
    file = built.files.get(path)
    if file is None:
        raise web.HTTPNotFound
    response = web.FileResponse(file)
    response.headers["Cache-Control"] = _FOR_EVER if built.is_hashed(path) else "no-cache"
    return response
