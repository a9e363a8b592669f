"""The table of every default with its source and state, for clinicians who approve them."""

from __future__ import annotations

from collections.abc import Iterator

from alerts import pathways
from alerts.pathways.model import Pathway

_HEAD = """# Defaults: every number of the packaged pathways

Made by `telehealth pathway defaults`; a test keeps it equal to the files. **Nothing here is approved by being here:**
what needs local approval is not to be used for a real resident before somebody has given it ([how](approving.md)). What
a source marks [K] is general knowledge that nobody has confirmed here. Limits are strict: a value equal to a limit is
inside it. "not set" is a value that is set for each resident; until then its rule decides nothing and says so.

"""
_TAIL = """## The engine

Of the engine, not of a pathway; chosen, needs local approval.

| what | value |
|---|---|
| an amber spot reading waits for its repeat | 1,800 s |
| a level must hold, of continuous measurement | 60 s |
| readings farther apart than this are not continuous | 300 s |
| an alert learnt of this long after its onset is marked late | 15 min |
| words for the resident (`resident_text`) are shown until so long after the answer, and not sent later | 1 h |
"""


def markdown() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name in (*pathways.names(), "unassigned"):
        for version in reversed(pathways.versions(name)):
            newest = version == pathways.versions(name)[-1]
            parts.append("\n".join(_section(pathways.load(name, version), newest)) + "\n")
    return "\n".join([*parts, _TAIL]).replace("\n\n\n", "\n\n")


def _section(pathway: Pathway, newest: bool) -> Iterator[str]:
    which = "" if newest else ", kept for those who were admitted with it"
    yield f"## {pathway.title}: {pathway.name}@{pathway.version}{which}"
    yield ""
    yield "| rule | number | value | source | state |"
    yield "|---|---|---|---|---|"
    for number in pathway.numbers:
        value, source = (text.replace("|", "/") for text in (number.text, number.source))
        yield f"| {number.rule} | {number.field} | {value} | {source} | {number.approval} |"
