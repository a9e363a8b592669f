"""telehealth bench"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from telehealth.cli import terminal

if TYPE_CHECKING:
    from telehealth.bench.run import Report


def bench(
    runs: Annotated[int, typer.Option(min=1, max=50, help="Runs of each drain; medians are compared.")] = 5,
    messages: Annotated[
        int, typer.Option(min=1000, max=1_000_000, help="Messages of a preload, two readings each.")
    ] = 100_000,
    devices: Annotated[int, typer.Option(min=1, max=20_000, help="Devices that they come from.")] = 1000,
    seconds: Annotated[int, typer.Option(min=2, max=3600, help="Of publishing to a screen.")] = 20,
    json: terminal.Json = False,
) -> None:
    """Measure this computer: bare against durable drain, publish to screen, evaluation. See docs/bench.md.

    Starts a PostgreSQL and a Mosquitto of its own and removes them; takes some minutes.
    """

    async def job() -> None:
        from telehealth import log
        from telehealth.bench import drain, run

        log.configure("error")
        plan = drain.Plan(messages, devices, runs)
        report = await run.everything(plan, seconds, progress=lambda text: typer.echo(text, err=True))
        terminal.answer(_plain(report), as_json=json, text=_text(report))

    terminal.run(job)


def _plain(report: Report) -> object:
    import msgspec

    return msgspec.to_builtins(report)


def _text(report: Report) -> str:
    drained, seen, folded = report.drain, report.publish_to_screen_ms, report.evaluation
    shown = ", ".join(f"{name} {value}" for name, value in report.postgres.items())
    return "\n".join(
        [
            f"{report.cores} cores; Mosquitto {report.mosquitto}; PostgreSQL: {shown}",
            f"drain of {drained.messages:,} messages of {drained.readings_per_message} readings from"
            f" {drained.devices:,} devices, receive maximum {drained.receive_maximum}:",
            f"  bare     {_rates(drained.bare)}  median {drained.bare_median:,.0f} messages/s",
            f"  durable  {_rates(drained.durable)}  median {drained.durable_median:,.0f} messages/s,"
            " to the last receipt and the last episode",
            f"  ratio    {drained.ratio:.2f}",
            f"publish to screen at {seen.messages_a_second} messages/s, {seen.alerts} alerts:"
            f" p50 {seen.p50:.0f} ms, p99 {seen.p99:.0f} ms, longest {seen.longest:.0f} ms",
            f"evaluation: {folded.residents_a_second:,.0f} residents/s on one core,"
            f" {folded.readings_each} readings each",
        ]
    )


def _rates(rates: list[float]) -> str:
    return " ".join(f"{rate:,.0f}" for rate in rates)
