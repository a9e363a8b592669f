"""telehealth bench"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from telehealth.cli import terminal

if TYPE_CHECKING:
    from telehealth.bench.run import Report
    from telehealth.bench.targets import Figures

_FULL_SECONDS = 600
_FULL_SCREEN_SECONDS = 120


def bench(
    runs: Annotated[int, typer.Option(min=1, max=50, help="Runs of each drain; medians are compared.")] = 5,
    messages: Annotated[
        int, typer.Option(min=1000, max=1_000_000, help="Messages of a preload, two readings each.")
    ] = 100_000,
    devices: Annotated[int, typer.Option(min=1, max=20_000, help="Devices that they come from.")] = 1000,
    seconds: Annotated[
        int, typer.Option(min=2, max=3600, help="Of publishing to a screen, and of media of visits.")
    ] = 20,
    steady: Annotated[int, typer.Option(min=2, max=3600, help="Seconds of live, memory and overload.")] = 30,
    connections: Annotated[int, typer.Option(min=1, max=20_000, help="Connected devices of memory.")] = 5000,
    backlog: Annotated[int, typer.Option(min=1, max=20_000, help="Devices with 48 hours of readings.")] = 1000,
    residents: Annotated[int, typer.Option(min=100, max=100_000, help="Residents of wards.")] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, max=10_000, help="Of people who come to visits and go.")] = 200,
    minutes: Annotated[float, typer.Option(min=0, max=1440, help="Of one video visit that goes on.")] = 0,
    month: Annotated[float, typer.Option(min=0.5, max=366, help="Days of the simulated ward.")] = 30,
    only: Annotated[str, typer.Option(help="Phases, by commas; see docs/bench.md.")] = "",
    whole_pathways: Annotated[
        bool,
        typer.Option("--pathways", help="drain and live: residents of all pathways in turn, with their schedules."),
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Ten minutes of each phase that goes on for a time.")] = False,
    json: terminal.Json = False,
) -> None:
    """Measure this computer: drains, latencies, memory, a backlog, an overload. See docs/bench.md.

    Starts a PostgreSQL and a Mosquitto of its own and removes them; takes about ten minutes, with --full about fifty.
    """

    async def job() -> None:
        from telehealth import log
        from telehealth.bench import drain, run, visits
        from telehealth.bench import month as months
        from telehealth.errors import SettingError

        phases = [name.strip() for name in only.split(",") if name.strip()] or list(run.PHASES)
        if unknown := [name for name in phases if name not in run.PHASES]:
            raise SettingError("--only", f"{unknown[0]} is not one of {', '.join(run.PHASES)}")
        log.configure("error")
        plan = run.Plan(
            drains=drain.Plan(messages, devices, runs, whole_pathways),
            phases=phases,
            screen_seconds=_FULL_SCREEN_SECONDS if full else seconds,
            seconds=_FULL_SECONDS if full else steady,
            connections=connections,
            backlog_devices=backlog,
            residents=residents,
            simulated=months.Plan(
                days=month,
                connections=min(10_000, 2 * connections),
                seconds=_FULL_SECONDS if full else steady,
            ),
            visits=visits.Plan(
                seconds=_FULL_SCREEN_SECONDS if full else seconds,
                repeats=min(30, 3 + seconds),
                rounds=rounds,
                runs=runs,
                minutes=minutes,
            ),
        )
        report = await run.everything(plan, progress=lambda text: typer.echo(text, err=True))
        if json:
            terminal.answer(_plain(report), as_json=True, text="")
        else:
            _show(report)

    terminal.run(job)


def _plain(report: Report) -> object:
    import msgspec

    return msgspec.to_builtins(report)


def _show(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    shown = ", ".join(f"{name} {value}" for name, value in report.postgres.items())
    console.print(f"{report.cores} cores, load {report.load:.2f}; Mosquitto {report.mosquitto}; PostgreSQL: {shown}")
    for line in _lines(report):
        console.print(line, soft_wrap=True)
    table = Table("Target", "Found", "Wanted", "", box=None, pad_edge=False)
    for target in report.targets:
        sign = "at least" if target.at_least else "at most"
        table.add_row(
            target.name,
            f"{target.found:,.4g} {target.unit}",
            f"{sign} {target.wanted:,.4g} {target.unit}",
            "met" if target.met else "NOT MET",
        )
    if report.targets:
        console.print(table)


def _lines(report: Report) -> list[str]:
    figures = report.figures
    found = [*_of_folds(figures), *_of_ingest(figures), *_of_strain(figures)]
    if figures.visits is not None:
        found += _of_visits(figures.visits)
    if figures.simulator is not None:
        found += _of_simulator(figures.simulator)
    return found


def _of_folds(figures: Figures) -> list[str]:
    found = []
    if (folded := figures.evaluation) is not None:
        found.append(
            f"evaluation: {folded.residents_a_second:,.0f} residents/s on one core,"
            f" {folded.readings_each} readings each"
        )
    if (wards := figures.wards) is not None:
        found.append(
            f"wards: {wards.residents:,} residents of all pathways, one new set each: {wards.milliseconds:,.0f} ms"
            f" ({wards.micros_of_few:.0f} us each among a tenth, {wards.micros_of_many:.0f} us among five times);"
            f" replay of {wards.replayed:,} readings {wards.replay_seconds:.1f} s"
        )
    return found


def _of_ingest(figures: Figures) -> list[str]:
    found = [
        f"publish to screen at {seen.messages_a_second} messages/s, {seen.alerts} alerts: {_ms(seen)}"
        for seen in figures.screen
    ]
    if (drain := figures.drain) is not None:
        found += [
            f"drain of {drain.messages:,} messages of {drain.readings_per_message} readings from"
            f" {drain.devices:,} devices, receive maximum {drain.receive_maximum}:",
            f"  bare     {_rates(drain.bare)}  median {drain.bare_median:,.0f} messages/s",
            f"  durable  {_rates(drain.durable)}  median {drain.durable_median:,.0f} messages/s,"
            " to the last receipt and the last episode",
            f"  ratio    {drain.ratio:.2f}",
            f"  bytes per reading: {drain.storage.table_and_indexes:.0f} (table {drain.storage.table:.0f}, "
            + ", ".join(f"{name} {size:.0f}" for name, size in drain.storage.indexes.items())
            + f"); with all other tables {drain.storage.everything:.0f}; write-ahead log {drain.storage.wal:.0f}",
        ]
    if (two := figures.two) is not None:
        found.append(f"ingest without alerting: one process {_rates(two.one)}, two {_rates(two.two)} messages/s")
    return found


def _of_strain(figures: Figures) -> list[str]:
    found = [
        f"{steady.messages_a_second:,} messages/s for {steady.seconds} s from {steady.devices:,} devices by"
        f" {steady.connections:,} connections: receipt {_ms(steady.receipt_ms)};"
        f" service {steady.service_bytes / 1e6:.0f} MB"
        for steady in (figures.live, figures.memory)
        if steady is not None
    ]
    if (backlog := figures.backlog) is not None:
        found.append(
            f"backlog of {backlog.hours} h from {backlog.devices:,} devices, {backlog.readings:,} readings: answered"
            f" after {backlog.received_seconds:.0f} s, evaluated after {backlog.evaluated_seconds:.0f} s;"
            f" live red meanwhile: {backlog.live_ms.count} alerts, {_ms(backlog.live_ms)}"
        )
    if (over := figures.overload) is not None:
        found.append(
            f"overload: {over.offered_a_second:,.0f} messages/s offered for {over.seconds} s, of"
            f" {over.tried_a_second:,} tried; drained {over.drain_seconds:.0f} s later;"
            f" service {over.service_bytes / 1e6:.0f} MB; {over.residents_alerted} of {over.residents_red} red alerted"
        )
    return found


def _of_simulator(simulated: Any) -> list[str]:
    done = simulated.month
    return [
        f"simulator: {done.days:g} days of {done.residents} residents in {done.seconds:.0f} s,"
        f" {done.days_a_minute:.1f} days a minute; {done.messages:,} messages, {done.readings:,} readings,"
        f" {done.lost} lost, {done.alerts:,} alerts; service {done.service_bytes / 1e6:.0f} MB",
        *(
            f"simulator: {held.devices:,} devices, {held.made_a_second:,.0f} messages/s for {held.seconds:.0f} s:"
            f" {held.cores:.2f} cores, {held.bytes / 1e6:.0f} MB, {held.lost} lost;"
            f" PUBACK p50 {held.puback_p50_ms:.1f} ms, p99 {held.puback_p99_ms:.1f} ms"
            for held in (simulated.many, simulated.quick)
        ),
    ]


def _of_visits(visits: Any) -> list[str]:
    kinds = (
        ("forwarded", visits.two),
        ("decoded and encoded", visits.decoded),
        ("forwarded", visits.many),
        ("by Janus", visits.janus),
    )
    return [
        *(
            f"visits: {some.people} people {name}: {some.cpu:.1f} % of a core, {some.each:.2f} % a stream,"
            f" {100 * some.delivered:.1f} % delivered"
            for name, some in kinds
            if some is not None
        ),
        f"visits: joins {_seconds(visits.joins)}; after an outage {_seconds(visits.recoveries)};"
        f" after a crash {_seconds(visits.crashes)}",
        f"visits: 5 % loss each way for {visits.lossy.seconds:.0f} s: {visits.lossy.frames:,} frames,"
        f" {visits.lossy.freezes} freezes, longest {visits.lossy.longest:.2f} s",
        f"visits: {visits.rounds.rounds} rounds of {visits.rounds.people} people:"
        f" {visits.rounds.before.bytes / 1e6:.0f} to {visits.rounds.after.bytes / 1e6:.0f} MB,"
        f" threads {visits.rounds.before.threads} to {visits.rounds.after.threads},"
        f" descriptors {visits.rounds.before.files} to {visits.rounds.after.files}",
        *([] if visits.long is None else [_of_long(visits.long)]),
        *(f"visits: {note}" for note in visits.notes),
    ]


def _of_long(long: Any) -> str:
    first, last = long.sizes[0], long.sizes[-1]
    return (
        f"visits: one call of {long.minutes:g} minutes: {first.bytes / 1e6:.1f} to {last.bytes / 1e6:.1f} MB, at most"
        f" {max(size.bytes for size in long.sizes) / 1e6:.1f}; threads {first.threads} to {last.threads}, descriptors"
        f" {first.files} to {last.files}; {100 * long.delivered:.2f} % delivered, {long.freezes} freezes,"
        f" loop p99 {long.lag_ms:.1f} ms"
    )


def _seconds(found: list[float]) -> str:
    return f"{min(found):.2f} to {max(found):.2f} s"


def _ms(found: Any) -> str:
    return f"p50 {found.p50:.0f} ms, p99 {found.p99:.0f} ms, longest {found.longest:.0f} ms"


def _rates(rates: list[float]) -> str:
    return " ".join(f"{rate:,.0f}" for rate in rates)
