"""`python -m alerts news2` and `python -m alerts evaluate [FILE]`: the engine on standard input and output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TextIO

from alerts import errors, observation, scenario

USAGE = """usage: python -m alerts news2 < sets.jsonl
       python -m alerts evaluate [scenario.json]

news2     one observation set per line (rr spo2 spo2_scale on_oxygen sbp pulse acvpu temp; null is missing);
          writes one line each: total, parameters, band, complete, missing. A line that cannot be used is
          answered by {"error": ...} and makes the exit status 1.
evaluate  a scenario (rules, readings, spells, pauses, now); writes its episodes with reasons.
Formats: docs/schemas/news2*.json, docs/schemas/evaluate*.json.
"""


def main(arguments: list[str], source: TextIO, target: TextIO, complaints: TextIO) -> int:
    """Exit status: 0 done, 1 some of the input could not be used, 2 called wrongly."""
    match arguments:
        case ["news2"]:
            return _news2(source, target)
        case ["evaluate"]:
            return _evaluate(source.read(), target, complaints)
        case ["evaluate", name]:
            try:
                text = Path(name).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as problem:
                print(f"cannot read the scenario: {type(problem).__name__}", file=complaints)
                return 2
            return _evaluate(text, target, complaints)
        case ["-h"] | ["--help"]:
            print(USAGE, end="", file=target)
            return 0
        case _:
            print(USAGE, end="", file=complaints)
            return 2


def _news2(source: TextIO, target: TextIO) -> int:
    status = 0
    for line in source:
        if not line.strip():
            continue
        try:
            answer = observation.answer(line)
        except errors.AlertError as problem:
            answer = {"error": str(problem)}
            status = 1
        print(json.dumps(answer), file=target, flush=True)
    return status


def _evaluate(text: str, target: TextIO, complaints: TextIO) -> int:
    try:
        result = scenario.evaluate(text)
    except errors.AlertError as problem:
        print(str(problem), file=complaints)
        return 1
    print(json.dumps(result, indent=2, ensure_ascii=False), file=target)
    return 0


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]  # always a TextIOWrapper here
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # as above
    raise SystemExit(main(sys.argv[1:], sys.stdin, sys.stdout, sys.stderr))
