"""make fuzz ARGS="--runs N --target T": a coverage-guided fuzzer on every decoder and on the handlers of messages."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.fuzz import seeds, targets

#: One input may take so long; and so much memory, inputs kept by the fuzzer included, before it is a failure.
_HANG_SECONDS = 5
_MEMORY_MB = 1024


@dataclass(frozen=True)
class Result:
    """inputs: how many ran. peak_mb: of the process. failure: the last lines it said, where it did not end well."""

    target: str
    inputs: int
    seconds: float
    peak_mb: int
    covered: int
    failure: str | None


def main() -> int:
    """0: every target ran all its inputs; 1: one crashed, hung or grew."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000, metavar="N", help="inputs for each target (20,000)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the fuzzer (1)")
    parser.add_argument("--target", action="append", choices=sorted(targets.TARGETS), help="only this; may be repeated")
    parser.add_argument("--jobs", type=int, default=2, metavar="J", help="targets at one time (2)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the inputs found there and go on from them")
    parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")
    given = parser.parse_args()
    names = given.target or sorted(targets.TARGETS)
    console = Console(stderr=True)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="th-fuzz-") as folder,
            Progress(console=console, disable=not console.is_terminal) as progress,
            ThreadPoolExecutor(given.jobs) as pool,
        ):
            task = progress.add_task("targets", total=len(names))

            def run(name: str) -> Result:
                result = _fuzz(name, given.runs, given.seed, (given.keep or Path(folder)) / name)
                progress.advance(task)
                return result

            results = list(pool.map(run, names))
    except KeyboardInterrupt:
        return 130
    if given.json:
        print(json.dumps([asdict(result) for result in results]))
    else:
        _show(results)
    return int(any(result.failure for result in results))


def _fuzz(name: str, runs: int, seed: int, folder: Path) -> Result:
    folder.mkdir(parents=True, exist_ok=True)
    for n, content in enumerate(seeds.SEEDS.get(name, [])):
        (folder / f"seed-{n}").write_bytes(content)
    started = time.monotonic()
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.one", name, str(folder), f"-runs={runs}", f"-seed={seed}"),
            *(f"-timeout={_HANG_SECONDS}", f"-rss_limit_mb={_MEMORY_MB}", "-print_final_stats=1", "-max_len=8192"),
            f"-artifact_prefix={folder}/",
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    said = ran.stderr + ran.stdout
    inputs = _number(r"stat::number_of_executed_units:\s+(\d+)", said)
    failure = None if ran.returncode == 0 and inputs >= runs else "\n".join(said.strip().splitlines()[-30:])
    covered = re.findall(r"cov: (\d+)", said)
    return Result(
        name,
        inputs,
        round(time.monotonic() - started, 1),
        _number(r"stat::peak_rss_mb:\s+(\d+)", said),
        int(covered[-1]) if covered else 0,
        failure,
    )


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0


def _show(results: list[Result]) -> None:
    console = Console()
    table = Table("target", "inputs", "seconds", "peak MB", "places covered", "result", title="fuzzing")
    for result in results:
        numbers = (f"{result.inputs:,}", str(result.seconds), str(result.peak_mb), str(result.covered))
        table.add_row(result.target, *numbers, "good" if result.failure is None else "[bold]FAILED")
    console.print(table)
    for result in results:
        if result.failure is not None:
            console.print(f"{result.target}:\n{result.failure}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
