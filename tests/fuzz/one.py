"""One target under the coverage-guided fuzzer, in a process of its own: python -m tests.fuzz.one TARGET ARGUMENTS."""

from __future__ import annotations

import sys

import atheris


def main() -> None:
    """Never returns; libFuzzer ends the process."""
    name = sys.argv[1]
    with atheris.instrument_imports(include=["devices", "telehealth.ingest"]):
        from tests.fuzz import targets
    target = targets.TARGETS[name]
    # Its warnings about inputs would be the slowest part.
    sys.set_int_max_str_digits(4300)
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target, enable_python_coverage=True)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
