"""One target under the coverage-guided fuzzer, in a process of its own: python -m tests.fuzz.one TARGET RUNS ARGUMENTS.

Ten times on the way it says what there is: "progress RUNS RESIDENT_KB GOOD", where good are the inputs of which a
reading was taken.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import atheris

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def main() -> None:
    """Never returns; libFuzzer ends the process."""
    name, runs = sys.argv[1], int(sys.argv[2])
    with atheris.instrument_imports(include=["devices", "telehealth.ingest"]):
        from tests.fuzz import mutate, seeds, targets
    target = targets.TARGETS[name]
    every = max(1, runs // 10)
    done = 0

    def counted(payload: bytes) -> None:
        nonlocal done
        done += 1
        target(payload)
        if done % every == 0:
            print(f"progress {done} {_resident_kb()} {targets.good}", file=sys.stderr, flush=True)

    # Its warnings about inputs would be the slowest part.
    sys.set_int_max_str_digits(4300)
    own = {} if name in seeds.BARE else {"custom_mutator": mutate.mutator(name)}
    atheris.Setup([sys.argv[0], *sys.argv[3:]], counted, enable_python_coverage=True, **own)
    atheris.Fuzz()


def _resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_KB


if __name__ == "__main__":
    main()
