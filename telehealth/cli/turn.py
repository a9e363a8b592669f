"""telehealth turn config"""

from __future__ import annotations

import ipaddress
import secrets
from typing import Annotated

import typer

from telehealth import errors
from telehealth.cli import terminal
from telehealth.model import turn

app = typer.Typer(help="Relays for browsers behind firewalls.", no_args_is_help=True)


@app.callback()
def root() -> None:
    pass


@app.command("config")
def config(
    relay_ip: Annotated[str, typer.Option(help="The relay's own address, where it listens and relays from.")],
    sfu: Annotated[
        list[str], typer.Option(help="Address or network of the media workers, several times; all else is denied.")
    ],
    external_ip: Annotated[
        str | None, typer.Option(help="The relay's address as the world sees it, behind NAT.")
    ] = None,
    realm: Annotated[str, typer.Option(help="The relay's name.")] = "telehealth",
    port: Annotated[int, typer.Option(help="For UDP and TCP.", min=1, max=65535)] = 3478,
    tls_port: Annotated[int, typer.Option(help="For TLS.", min=1, max=65535)] = 5349,
    relay_ports: Annotated[str, typer.Option(help="UDP ports of relayed packets, FIRST-LAST.")] = "49160-49959",
    certificate: Annotated[str | None, typer.Option(help="PEM, for turns:.")] = None,
    key: Annotated[str | None, typer.Option(help="PEM, of the certificate.")] = None,
    user_quota: Annotated[int, typer.Option(help="Relayings of one participant at one time.", min=1)] = 12,
    total_quota: Annotated[int, typer.Option(help="Relayings at one time.", min=1)] = 600,
) -> None:
    """Print a turnserver.conf for coturn that relays to the media workers and to nothing else.

    The secret is TELEHEALTH_TURN_SECRET's if that is set, else a new one; what the service must be told then is
    printed on standard error.
    """

    async def job() -> None:
        from telehealth import config as settings

        known = settings.from_environment().turn_secret
        secret = secrets.token_urlsafe(32) if known is None else known.get_secret_value()
        relay = _address("--relay-ip", relay_ip)
        plan = turn.Plan(
            secret=secret,
            realm=realm,
            listen=(relay,),
            relay=relay,
            media=tuple(_network(text) for text in sfu),
            external=None if external_ip is None else _address("--external-ip", external_ip),
            port=port,
            tls_port=tls_port,
            ports=_ports(relay_ports),
            certificate=certificate,
            key=key,
            quota=(user_quota, total_quota),
        )
        typer.echo(turn.configuration(plan), nl=False)
        if known is None:
            host = f"[{relay_ip}]" if relay.version == 6 else relay_ip
            urls = [f"turn:{host}:{port}?transport=udp", f"turn:{host}:{port}?transport=tcp"]
            if certificate is not None:
                urls.append(f"turns:{host}:{tls_port}")
            typer.echo(f"TELEHEALTH_TURN_SECRET={secret}\nTELEHEALTH_TURN_URLS={','.join(urls)}", err=True)

    terminal.run(job)


def _address(option: str, text: str) -> turn.Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise errors.SettingError(option, "must be an IP address") from None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise errors.SettingError("--sfu", "must be an IP address, or a network like 10.1.2.0/28") from None


def _ports(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    try:
        return int(first), int(last)
    except ValueError:
        raise errors.SettingError("--relay-ports", "must be FIRST-LAST") from None
