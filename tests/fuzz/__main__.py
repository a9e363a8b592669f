"""make fuzz ARGS="--runs N --target T": a coverage-guided fuzzer on every decoder and on the handlers of messages, and
another on a running service (live-mqtt, live-http).
"""

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

from tests.fuzz import seeds, targets, words

#: One input may take so long; and so much memory, inputs kept by the fuzzer included, before it is a failure.
_HANG_SECONDS = 5
_MEMORY_MB = 1024
#: Bytes of an input; what is longer is for the live targets, that are not so many inputs.
_LONGEST = 2048
#: Between a tenth of the inputs and the end it may grow by so much, beside what the inputs take that the fuzzer keeps.
_GROWTH_MB = 32
#: Targets that are a running service, and what a run in them costs beside one elsewhere: half a minute by default.
_LIVE = {"live-http": 8, "live-mqtt": 1}
_NAMES = [*sorted(targets.TARGETS), *_LIVE]


@dataclass(frozen=True)
class Result:
    """inputs: how many ran. good: of how many something was taken. peak_mb: of the process. grown_mb: since a tenth of
    the inputs. covered: places in the code; of live targets, kinds of outcomes. failure: what is wrong, or the last
    lines it said, where it did not end well.
    """

    target: str
    inputs: int
    good: int
    seconds: float
    peak_mb: int
    grown_mb: int
    covered: int
    failure: str | None


def main() -> int:
    """0: every target ran all its inputs; 1: one crashed, hung or grew."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000, metavar="N", help="inputs for each target (20,000)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the fuzzer (1)")
    parser.add_argument("--target", action="append", choices=_NAMES, help="only this; may be repeated")
    parser.add_argument("--jobs", type=int, default=2, metavar="J", help="targets at one time (2)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the inputs found there and go on from them")
    parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")
    given = parser.parse_args()
    names = given.target or _NAMES
    console = Console(stderr=True)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="th-fuzz-") as folder,
            Progress(console=console, disable=not console.is_terminal) as progress,
            ThreadPoolExecutor(given.jobs) as pool,
        ):
            task = progress.add_task("targets", total=len(names))

            def run(name: str) -> Result:
                if name in _LIVE:
                    result = _live(name, max(1, given.runs // _LIVE[name]), given.seed)
                else:
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
    dictionary = folder.with_suffix(".dict")
    dictionary.write_text(words.dictionary())
    started = time.monotonic()
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.one", name, str(runs), str(folder), f"-runs={runs}", f"-seed={seed}"),
            *(
                f"-timeout={_HANG_SECONDS}",
                f"-rss_limit_mb={_MEMORY_MB}",
                "-print_final_stats=1",
                f"-max_len={_LONGEST}",
            ),
            *(f"-artifact_prefix={folder}/", f"-dict={dictionary}"),
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    said = ran.stderr + ran.stdout
    inputs = _number(r"stat::number_of_executed_units:\s+(\d+)", said)
    on_the_way = [tuple(map(int, found)) for found in re.findall(r"progress (\d+) (\d+) (\d+)", said)]
    kept_kb = _kilobytes(re.findall(r"corp: \d+/(\d+)(b|Kb|Mb)", said))
    grown = on_the_way[-1][1] - on_the_way[0][1] if on_the_way else 0
    failure = None
    if ran.returncode or inputs < runs:
        failure = "\n".join(said.strip().splitlines()[-30:])
    elif grown > _GROWTH_MB * 1024 + kept_kb:
        failure = f"memory grew by {grown} kB, of which the inputs kept are {kept_kb} kB"
    covered = re.findall(r"cov: (\d+)", said)
    return Result(
        name,
        inputs,
        on_the_way[-1][2] if on_the_way else 0,
        round(time.monotonic() - started, 1),
        _number(r"stat::peak_rss_mb:\s+(\d+)", said),
        round(grown / 1024),
        int(covered[-1]) if covered else 0,
        failure,
    )


def _live(name: str, inputs: int, seed: int) -> Result:
    command = (sys.executable, "-m", "tests.fuzz.live", name, str(inputs), str(seed))
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    try:
        found = json.loads(ran.stdout)
    except ValueError:
        return Result(name, 0, 0, 0.0, 0, 0, 0, (ran.stderr + ran.stdout)[-3000:])
    return Result(name, **found)


def _kilobytes(sizes: list[tuple[str, str]]) -> int:
    """Of the last of these."""
    if not sizes:
        return 0
    number, unit = sizes[-1]
    return int(number) * {"b": 1, "Kb": 1024, "Mb": 1024 * 1024}[unit] // 1024


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0


def _show(results: list[Result]) -> None:
    console = Console()
    columns = ("target", "inputs", "good", "seconds", "peak MB", "grown MB", "covered", "result")
    table = Table(*columns, title="fuzzing")
    for result in results:
        numbers = (
            *(f"{result.inputs:,}", f"{result.good:,}", str(result.seconds)),
            *(str(result.peak_mb), str(result.grown_mb), str(result.covered)),
        )
        table.add_row(result.target, *numbers, "good" if result.failure is None else "[bold]FAILED")
    console.print(table)
    for result in results:
        if result.failure is not None:
            console.print(f"{result.target}:\n{result.failure}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
