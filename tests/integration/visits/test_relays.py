"""coturn as telehealth sets it up: what `telehealth check` finds, and media through it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from telehealth import check, clock, config, errors
from telehealth.media import relay_probe
from telehealth.model import turn
from tests.support import certificates, relays

ROOT = Path(__file__).parents[3]
DENIED = "denied-peer-ip=0.0.0.0-255.255.255.255\ndenied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n"


@pytest.fixture(scope="module")
def coturn() -> Iterator[relays.Coturn]:
    with relays.coturn() as server:
        yield server


def settings(*urls: str, secret: str | None = relays.SECRET) -> config.Settings:
    return config.from_environment({"turn_urls": ",".join(urls), "turn_secret": secret})


async def found(*urls: str, secret: str | None = relays.SECRET) -> list[str | None]:
    """What is wrong with each relay."""
    results = await check.everything(settings(*urls, secret=secret))
    return [result.trouble for result in results if result.name.startswith("relay")]


class TestCheck:
    async def test_relays_by_every_url(self, coturn: relays.Coturn) -> None:
        assert await found(coturn.url("udp"), coturn.url("tcp")) == [None, None]

    async def test_by_tls(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        authority = certificates.Authority(tmp_path)
        with relays.coturn(authority=authority) as server:
            (trouble,) = await found(server.url("tls"))
            assert trouble is not None
            assert "certificate is not good" in trouble
            monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
            assert await found(server.url("tls")) == [None]

    async def test_names_the_secret(self, coturn: relays.Coturn) -> None:
        (wrong,) = await found(coturn.url("udp"), secret="another secret")
        (missing,) = await found(coturn.url("udp"), secret=None)
        assert wrong is not None
        assert missing is not None
        assert wrong.startswith("TELEHEALTH_TURN_SECRET:")
        assert missing.startswith("TELEHEALTH_TURN_SECRET:")
        assert "another secret" not in wrong

    async def test_names_the_url_where_nobody_is(self) -> None:
        (trouble,) = await found(f"turn:{relays.own_address()}:9?transport=tcp")
        assert trouble is not None
        assert trouble.startswith("TELEHEALTH_TURN_URLS: turn:")

    @pytest.mark.parametrize(
        ("spoilt", "said"),
        [
            ({DENIED: ""}, "it relays to 10.255.255.254, too"),
            ({f"use-auth-secret\nstatic-auth-secret={relays.SECRET}": "no-auth"}, "takes an expired credential"),
            ({"allowed-peer-ip=": "denied-peer-ip="}, "may not relay to this computer"),
        ],
    )
    async def test_finds_a_relay_that_is_too_open_or_too_closed(self, spoilt: dict[str, str], said: str) -> None:
        with relays.coturn(change=spoilt) as server:
            (trouble,) = await found(server.url("udp"))
        assert trouble is not None
        assert said in trouble

    async def test_finds_a_stranger_that_it_is_told_of(self) -> None:
        with relays.coturn(change={DENIED: f"{DENIED}allowed-peer-ip=203.0.113.9\n"}) as server:
            (relay,) = turn.relays(settings(server.url("tcp")))
            await relay_probe.probe(relay, relays.SECRET, now=clock.real_now())
            with pytest.raises(errors.SettingError, match=r"203\.0\.113\.9"):
                await relay_probe.probe(relay, relays.SECRET, now=clock.real_now(), strangers=["203.0.113.9"])


class TestCommand:
    def test_prints_a_configuration_that_coturn_runs_with(self) -> None:
        told = subprocess.run(
            [sys.executable, "-m", "telehealth", "turn", "config", "--relay-ip", "192.0.2.2", "--sfu", "192.0.2.7"],
            cwd=ROOT,
            env={"PATH": "/usr/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        secret = next(line for line in told.stdout.splitlines() if line.startswith("static-auth-secret="))
        assert told.stderr.splitlines()[0] == f"TELEHEALTH_TURN_SECRET={secret.partition('=')[2]}"
        assert "allowed-peer-ip=192.0.2.7" in told.stdout
        (urls,) = [line for line in told.stderr.splitlines() if line.startswith("TELEHEALTH_TURN_URLS=")]
        assert turn.relays(settings(urls.partition("=")[2]))
