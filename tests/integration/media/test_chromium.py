"""A real browser's offers and packets: Chromium with fake devices."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from playwright import async_api

from telehealth.model.media import Allowed
from tests.integration.media.conftest import Visit

pytestmark = pytest.mark.browser

FLAGS = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
]

PAGE = """<!doctype html><title>visit</title><script>
async function join(voices, pictures) {
  const media = await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 320, frameRate: 15}})
  const pc = window.pc = new RTCPeerConnection({iceServers: [], bundlePolicy: 'max-bundle'})
  pc.addTransceiver(media.getAudioTracks()[0], {direction: 'sendonly', streams: [media]})
  pc.addTransceiver(media.getVideoTracks()[0], {direction: 'sendonly', streams: [media]})
  window.screenLine = pc.addTransceiver('video', {direction: 'sendonly'})
  for (let i = 0; i < voices; i++) pc.addTransceiver('audio', {direction: 'recvonly'})
  for (let i = 0; i < pictures; i++) pc.addTransceiver('video', {direction: 'recvonly'})
  pc.ontrack = event => {
    const video = document.body.appendChild(document.createElement(event.track.kind))
    video.srcObject = new MediaStream([event.track]); video.autoplay = true
  }
  return offer(false)
}
async function offer(restart) {
  await pc.setLocalDescription(await pc.createOffer({iceRestart: restart}))
  while (pc.iceGatheringState != 'complete') await new Promise(r => { pc.onicegatheringstatechange = r })
  return pc.localDescription.sdp
}
const answer = sdp => pc.setRemoteDescription({type: 'answer', sdp})
async function frames(mid) {
  const line = pc.getTransceivers().find(one => one.mid == mid)
  for (const [, one] of await line.receiver.getStats())
    if (one.type == 'inbound-rtp') return one.framesDecoded ?? one.packetsReceived
  return 0
}
async function until(mid, more) {
  const target = await frames(mid) + more
  while (await frames(mid) < target) await new Promise(r => setTimeout(r, 50))
}
async function share() {
  const canvas = document.createElement('canvas'); canvas.width = 320; canvas.height = 240
  const pen = canvas.getContext('2d')
  setInterval(() => { pen.fillStyle = `hsl(${Date.now() / 20 % 360} 80% 50%)`; pen.fillRect(0, 0, 320, 240) }, 66)
  await screenLine.sender.replaceTrack(canvas.captureStream(15).getVideoTracks()[0])
}
</script><body>"""


class Tab:
    """A browser's tab in a visit."""

    def __init__(self, page: async_api.Page, participant: int, visit: Visit) -> None:
        self._page, self.participant, self._visit = page, participant, visit
        self.slots: dict[str, Any] = {}

    async def join(self) -> None:
        sdp = await self._page.evaluate("join(9, 10)")
        visit = self._visit
        visit.people[self.participant] = self  # type: ignore[assignment]  # its slots are kept in the same way
        answer = await visit.workers.join(visit.room, self.participant, sdp, Allowed())
        self.slots |= answer.slots
        await self._page.evaluate("sdp => answer(sdp)", answer.sdp)

    async def restart(self) -> None:
        sdp = await self._page.evaluate("offer(true)")
        answer = await self._visit.workers.restart(self._visit.room, self.participant, sdp)
        await self._page.evaluate("sdp => answer(sdp)", answer.sdp)

    def mid_of(self, participant: int, source: str) -> str | None:
        found = (
            mid for mid, slot in self.slots.items() if slot and (slot.participant, slot.source) == (participant, source)
        )
        return next(found, None)

    async def sees(self, participant: int, source: str = "video", *, more: int = 8) -> None:
        mid = self.mid_of(participant, source)
        assert mid is not None
        async with asyncio.timeout(30):
            await self._page.evaluate("([mid, more]) => until(mid, more)", [mid, more])

    async def share(self) -> None:
        await self._page.evaluate("share()")


@pytest.fixture
async def page_url() -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_get("/", _page)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def _page(_request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[async_api.Browser]:
    async with async_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        await browser.close()


async def test_browsers_see_each_other_share_a_screen_and_restart(visit: Visit, page_url: str) -> None:
    async with chromium() as browser:
        tabs = []
        for number in (1, 2):
            page = await browser.new_page()
            await page.goto(page_url)
            tabs.append(Tab(page, number, visit))
            await tabs[-1].join()
        one, two = tabs
        await visit.watched.until(lambda: one.mid_of(2, "video") is not None)
        await asyncio.gather(one.sees(2), two.sees(1), one.sees(2, "audio"), two.sees(1, "audio"))
        three = await visit.join(3)
        await visit.watched.until(lambda: one.mid_of(3, "video") is not None)
        await asyncio.gather(three.sees(1), three.sees(2), one.sees(3))
        await visit.workers.allow(visit.room, 2, Allowed(screen=True))
        await two.share()
        await visit.watched.until(lambda: one.mid_of(2, "screen") is not None)
        await asyncio.gather(one.sees(2, "screen"), three.sees(2, "screen"), one.sees(2))
        await two.restart()
        await asyncio.gather(two.sees(1, more=15), one.sees(2, more=15))
        # The fake microphone beeps, and says so.
        await visit.watched.until(lambda: any(type(e).__name__ == "Speaking" for e in visit.watched.events))
