"""What a package knows by name, read from its source: keys, codes, units, systems, characteristics."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import devices

#: Where the decoders are.
DEVICES = Path(devices.__file__).parent
_LONGEST = 48


@functools.cache
def words(package: Path = DEVICES) -> tuple[str, ...]:
    """Every short text in its modules that is no docstring and no sentence, sorted."""
    found = set[str]()
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())
        found |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and 0 < len(node.value) <= _LONGEST
            and node.value.count(" ") < 3
            and not node.value.startswith("\n")
        }
    return tuple(sorted(found))


def dictionary() -> str:
    """For libFuzzer's -dict: the words as they are, and as JSON texts."""
    return "".join(f'"{_escaped(text)}"\n' for word in words() for text in (word, f'"{word}"'))


def _escaped(text: str) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in text.encode())
