"""The operator's commands for recordings, on files that a recorder wrote."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
from pathlib import Path

import av
import pytest
from typer.testing import CliRunner

from telehealth import check, clock, config
from telehealth.cli import app
from telehealth.media import recording
from telehealth.model import media
from telehealth.store import recorded_visits
from telehealth.store.db import Database
from telehealth.store.recordings import Place
from tests.conftest import Urls
from tests.integration.visits import scene
from tests.integration.visits.scene import T0, WEB
from tests.integration.visits.test_recordings import policy, recorded
from tests.support import rtp


async def telehealth(urls: Urls, *arguments: str) -> tuple[int, str, str]:
    """A command with its exit status, what it answers and what it says."""
    done = await asyncio.to_thread(CliRunner().invoke, app.app, arguments, env={"DATABASE_URL": urls.app})
    return done.exit_code, done.stdout, done.stderr


def data_of(to: media.RecordingTo) -> bytes:
    return Path(to.path).read_bytes()


def put(to: media.RecordingTo, data: bytes | None) -> None:
    """Another file in its place, or none."""
    if data is None:
        Path(to.path).unlink()
    else:
        Path(to.path).write_bytes(data)


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """As the settings of the commands say it too."""
    from telehealth.model import recording_keys

    key = base64.b64encode(secrets.token_bytes(32)).decode()
    folder = tmp_path / "recordings"
    folder.mkdir()
    monkeypatch.setenv("TELEHEALTH_RECORDINGS_DIR", str(folder))
    monkeypatch.setenv("TELEHEALTH_RECORDING_KEYS", key)
    return Place(str(folder), recording_keys.masters(key))


async def written(database: Database, where: Place) -> tuple[media.RecordingTo, media.RecordingTo]:
    """Two files of a visit that has been recorded: of the nurse and of Anna."""
    at = await scene.build(database)
    await policy(database, at)
    visit, nurse, anna, found = await recorded(database, at, where)
    for to in found.values():
        told: asyncio.Queue[media.Recorded] = asyncio.Queue()
        tap = recording.open(to, lambda kind: None, told.put_nowait)
        zero = clock.monotonic()
        for one in rtp.sent(3.0):
            tap.packet(one.kind, one.packet, zero + one.at)
        tap.close()
        while not (last := await told.get()).over:
            pass
        async with database.transaction(WEB) as connection:
            await recorded_visits.progress(connection, last, now=T0)
    async with database.transaction(WEB) as connection:
        await recorded_visits.stop(connection, visit, why="asked", actor=None, now=T0)
    return found[nurse], found[anna]


async def test_verify_names_what_is_wrong_and_its_status_tells_how_bad(
    urls: Urls, database: Database, where: Place
) -> None:
    first, second = await written(database, where)
    status, out, said = await telehealth(urls, "recording", "verify")
    assert status == 0, said
    assert [line.split("  ")[1].split(":")[0] for line in out.splitlines()] == ["intact", "intact"]
    whole = data_of(first)
    put(first, whole[: len(whole) // 2])
    status, out, _ = await telehealth(urls, "recording", "verify", str(first.recording))
    assert status == 3
    assert "cut: ends without its last chunk" in out
    assert "chunks are lost" in out
    put(first, whole[:-200] + b"!" + whole[-199:])
    status, out, _ = await telehealth(urls, "recording", "verify", "--json")
    assert status == 4
    found = {one["id"]: one for one in json.loads(out)}
    assert found[str(first.recording)]["state"] == "altered"
    assert found[str(second.recording)]["state"] == "intact"
    # One in the place of the other.
    put(first, data_of(second))
    status, out, _ = await telehealth(urls, "recording", "verify", str(first.recording))
    assert (status, "written with another key" in out) == (4, True)
    put(first, None)
    status, out, _ = await telehealth(urls, "recording", "verify", str(first.recording))
    assert (status, "there is no file" in out) == (3, True)


async def test_another_master_key_opens_nothing(
    urls: Urls, database: Database, where: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, _ = await written(database, where)
    kept = base64.b64encode(where.masters[0].key).decode()
    other = base64.b64encode(secrets.token_bytes(32)).decode()
    monkeypatch.setenv("TELEHEALTH_RECORDING_KEYS", other)
    status, out, _ = await telehealth(urls, "recording", "verify")
    assert (status, "not judged: master key" in out) == (1, True)
    target = str(tmp_path / "out.webm")
    status, _, said = await telehealth(urls, "recording", "export", str(first.recording), target, "--reason", "x")
    assert (status, "is not in TELEHEALTH_RECORDING_KEYS" in said) == (1, True)
    # A new key before the old one: what is there still opens.
    monkeypatch.setenv("TELEHEALTH_RECORDING_KEYS", f"{other},{kept}")
    assert (await telehealth(urls, "recording", "verify"))[0] == 0


async def test_a_key_that_was_swapped_in_the_database_is_told_from_a_missing_master_key(
    urls: Urls, database: Database, where: Place, tmp_path: Path
) -> None:
    first, second = await written(database, where)
    async with database.transaction(WEB) as connection:
        await connection.execute(
            "UPDATE recording SET wrapped_key = (SELECT wrapped_key FROM recording WHERE id = $2) WHERE id = $1",
            first.recording,
            second.recording,
        )
    status, out, _ = await telehealth(urls, "recording", "verify", str(first.recording))
    assert (status, "its key in the database was altered" in out) == (1, True)
    target = str(tmp_path / "out.webm")
    status, _, said = await telehealth(urls, "recording", "export", str(first.recording), target, "--reason", "x")
    assert (status, "its key in the database was altered" in said) == (1, True)
    assert (await telehealth(urls, "recording", "verify", str(second.recording)))[0] == 0


async def test_export_and_delete_say_why(urls: Urls, database: Database, where: Place, tmp_path: Path) -> None:
    first, second = await written(database, where)
    name, target = str(first.recording), tmp_path / "out.webm"
    for wrong in (["export", name, str(target)], ["delete", name]):
        assert (await telehealth(urls, "recording", *wrong))[0] == 2
    assert (await telehealth(urls, "recording", "export", name, str(target), "--reason", " "))[0] == 1
    status, out, said = await telehealth(
        urls, "recording", "export", name, str(target), "--reason", "Asked for by the resident", "--json"
    )
    assert status == 0, said
    assert json.loads(out)["state"] == "intact"
    assert target.stat().st_mode & 0o777 == 0o600
    with av.open(str(target), "r") as container:
        assert sum(1 for _ in container.decode(video=0)) == 45
    again = await telehealth(urls, "recording", "export", name, str(target), "--reason", "x")
    assert (again[0], "is there already" in again[2]) == (1, True)
    status, out, _ = await telehealth(urls, "recording", "delete", name, "--reason", "Consent withdrawn afterwards")
    assert (status, "the file is gone" in out) == (0, True)
    with pytest.raises(FileNotFoundError):
        data_of(first)
    for more in (["export", name, str(tmp_path / "b"), "--reason", "x"], ["delete", name, "--reason", "x"]):
        assert (await telehealth(urls, "recording", *more))[0] == 1
    status, out, _ = await telehealth(urls, "recording", "list", "--json")
    assert [one["id"] for one in json.loads(out)] == [str(second.recording)]
    status, out, _ = await telehealth(urls, "recording", "list", "--deleted")
    assert name in out
    async with database.transaction(WEB) as connection:
        rows = await connection.fetch(
            "SELECT action, detail FROM audit WHERE action IN ('recording.export', 'recording.delete') ORDER BY id"
        )
    assert [(row["action"], row["detail"]["reason"]) for row in rows] == [
        ("recording.export", "Asked for by the resident"),
        ("recording.export", "x"),
        ("recording.delete", "Consent withdrawn afterwards"),
    ]


async def test_check_writes_reads_back_and_looks_for_keys(
    urls: Urls, database: Database, where: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(database, where)
    monkeypatch.setenv("DATABASE_URL", urls.app)

    async def troubles() -> dict[str, str | None]:
        found = await check.everything(config.from_environment())
        return {one.name.removeprefix("recordings: "): one.trouble for one in found if "recordings" in one.name}

    assert await troubles() == {"write, read back and delete": None, "keys of all that are kept": None}
    assert len(os.listdir(where.directory)) == 2
    monkeypatch.setenv("TELEHEALTH_RECORDING_KEYS", base64.b64encode(secrets.token_bytes(32)).decode())
    monkeypatch.setenv("TELEHEALTH_RECORDINGS_DIR", f"{where.directory}/nowhere")
    assert await troubles() == {
        "write, read back and delete": "TELEHEALTH_RECORDINGS_DIR: cannot be written (FileNotFoundError)",
        "keys of all that are kept": "TELEHEALTH_RECORDING_KEYS: lacks the keys of 2 recordings that are kept",
    }


async def test_wrong_settings_and_ids_are_one_line(
    urls: Urls, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await telehealth(urls, "recording", "verify"))[0] == 2
    monkeypatch.setenv("TELEHEALTH_RECORDINGS_DIR", "/somewhere")
    status, _, said = await telehealth(urls, "recording", "verify")
    assert (status, said.count("\n"), "TELEHEALTH_RECORDING_KEYS" in said) == (2, 1, True)
    monkeypatch.setenv("TELEHEALTH_RECORDING_KEYS", "c2hvcnQ=")
    status, _, said = await telehealth(urls, "recording", "verify")
    assert (status, "32 bytes" in said, "c2hvcnQ" in said) == (2, True, False)
    assert (await telehealth(urls, "recording", "delete", "seven", "--reason", "x"))[0] == 1
