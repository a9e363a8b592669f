"""Credentials of relays, and coturn's configuration."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from telehealth import config, errors
from telehealth.model import turn

AT = datetime(2025, 11, 22, 9, 50, tzinfo=UTC)
SECRET = "between us two, sixteen"


def settings(urls: str | None, secret: str | None = SECRET) -> config.Settings:
    return config.from_environment({"turn_urls": urls, "turn_secret": secret})


class TestCredentials:
    def test_of_rfc_2202(self) -> None:
        # test case 2 of HMAC-SHA1: effcdf6a e5eb2fa2 d27416d5 f184df9c 259a7c79
        assert turn.password("Jefe", "what do ya want for nothing?") == "7/zfauXrL6LSdBbV8YTfnCWafHk="

    def test_as_openssl_makes_them(self) -> None:
        # printf '1763805600:41:7' | openssl dgst -sha1 -hmac 'between us two' -binary | base64
        name = turn.username(41, 7, datetime(2025, 11, 22, 10, 0, tzinfo=UTC))
        assert name == "1763805600:41:7"
        assert turn.password("between us two", name) == "nDUzfkvL0t+uvdTSp8PmC0+zU+w="

    def test_end_soon_and_name_who_they_are_for(self) -> None:
        (server,) = turn.ice_servers(settings("turn:relay.example:3478?transport=udp"), 41, 7, AT)
        until, visit, participant = server["username"].split(":")
        assert (visit, participant) == ("41", "7")
        assert timedelta(minutes=5) <= datetime.fromtimestamp(int(until), UTC) - AT <= timedelta(minutes=15)
        assert server["credential"] == turn.password(SECRET, server["username"])

    def test_name_every_relay(self) -> None:
        urls = ["turn:relay.example?transport=udp", "turn:relay.example?transport=tcp", "turns:relay.example:443"]
        (server,) = turn.ice_servers(settings(",".join(urls)), 1, 2, AT)
        assert server["urls"] == urls

    def test_none_without_relays(self) -> None:
        assert turn.ice_servers(settings(None, None), 1, 2, AT) == []

    def test_a_relay_without_its_secret_is_named(self) -> None:
        with pytest.raises(errors.SettingError, match="TELEHEALTH_TURN_SECRET"):
            turn.ice_servers(settings("turn:relay.example:3478", None), 1, 2, AT)


class TestRelays:
    def test_are_read(self) -> None:
        found = turn.relays(
            settings("turn:relay.example,turn:192.0.2.9:80?transport=tcp,turns:[2001:db8::1]:443?transport=tcp")
        )
        assert [(r.host, r.port, r.transport) for r in found] == [
            ("relay.example", 3478, "udp"),
            ("192.0.2.9", 80, "tcp"),
            ("2001:db8::1", 443, "tls"),
        ]

    @pytest.mark.parametrize(
        "url", ["turn:relay.example:0", "turn:relay.example:70000", "turn:a:1?transport=sctp", "turns:a?transport=udp"]
    )
    def test_that_no_browser_would_use_are_refused(self, url: str) -> None:
        with pytest.raises(errors.SettingError, match="TELEHEALTH_TURN_URLS"):
            turn.relays(settings(url))


PLAN = turn.Plan(
    secret="0123456789abcdef",
    realm="relay.example",
    listen=(ipaddress.ip_address("192.0.2.2"),),
    relay=ipaddress.ip_address("192.0.2.2"),
    media=(ipaddress.ip_network("192.0.2.8/31"),),
)


class TestConfiguration:
    def test_reaches_media_workers_and_nothing_else(self) -> None:
        lines = turn.configuration(PLAN).splitlines()
        assert [line for line in lines if "peer" in line] == [
            "denied-peer-ip=0.0.0.0-255.255.255.255",
            "denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "allowed-peer-ip=192.0.2.8-192.0.2.9",
            "no-multicast-peers",
        ]
        assert {"use-auth-secret", "fingerprint", "no-cli", "no-tcp-relay", "user-quota=12"} <= set(lines)

    def test_has_tls_where_there_is_a_certificate(self) -> None:
        assert "no-tls" in turn.configuration(PLAN).splitlines()
        lines = turn.configuration(replace(PLAN, certificate="/etc/ssl/r.pem", key="/etc/ssl/r.key")).splitlines()
        assert "no-tls" not in lines
        assert {"cert=/etc/ssl/r.pem", "pkey=/etc/ssl/r.key", "tls-listening-port=5349", "no-tlsv1"} <= set(lines)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"secret": "short"},
            {"secret": "a secret with\nno-auth"},
            {"realm": "relay.example\nno-auth"},
            {"media": ()},
            {"media": (ipaddress.ip_network("10.0.0.0/8"),)},
            {"ports": (50000, 49000)},
            {"ports": (3000, 4000)},
            {"certificate": "/etc/ssl/r.pem"},
            {"certificate": "/a b", "key": "/c"},
        ],
    )
    def test_refuses_what_would_be_misread_or_open(self, wrong: dict[str, object]) -> None:
        with pytest.raises(errors.SettingError):
            turn.configuration(replace(PLAN, **wrong))  # type: ignore[arg-type]  # one field at a time
