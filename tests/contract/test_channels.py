"""What every way to a recipient must do, against real servers on this machine."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from caregrid.errors import ChannelRefused, ChannelUnreachable, InputInvalid
from caregrid.webhooks import WebhookVerifier, encode_secret, new_secret
from ocw_sidecar.adapters.channels import RealChannels, apprise_channel, webhook
from ocw_sidecar.adapters.channels.addresses import is_public
from ocw_sidecar.adapters.channels.threads import Threads
from ocw_sidecar.notifications.feed import Posted
from ocw_sidecar.notifications.items import NoticeKind, notice
from ocw_sidecar.notifications.messages import Message, message_of
from ocw_sidecar.notifications.targets import Target, TargetType
from ocw_sidecar.settings.notifications import NotificationSettings
from tests.smtp_sink import SmtpSink, smtp_sink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from ocw_sidecar.notifications.port import Channel

T0 = datetime(2030, 1, 1, tzinfo=UTC)
SECRETS = (b"one" * 10, b"two" * 10)
RECORD, READER = "ab" * 16, "cd" * 32
SCHEMES = frozenset({"mailto", "mailtos", "ntfys"})
TOKEN = "canary-5b1e77c0"


def message() -> Message:
    """Return a message."""
    told = notice(NoticeKind.ACCESS_GRANTED, b"r" * 32, T0, record=RECORD, grantee=READER, block=7)
    return message_of([Posted(position=3, id=b"i" * 16, notice=told)])


@dataclass
class Receiver:
    """An HTTP server that notes what arrives."""

    status: int = 204
    answer: dict[str, str] = field(default_factory=dict)
    hangs: asyncio.Event | None = None  #: until it is set
    endless: bool = False
    arrived: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Note a request, and answer as told."""
        self.arrived.append((dict(request.headers), await request.read()))
        if self.hangs is not None:
            await self.hangs.wait()
        if self.endless:
            response = web.StreamResponse(status=self.status)
            await response.prepare(request)
            while True:
                await response.write(b"x" * 65536)
        return web.Response(status=self.status, headers=self.answer)


@asynccontextmanager
async def http_server(receiver: Receiver) -> AsyncIterator[str]:
    """Serve a receiver and give its URL."""
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    async with TestServer(app, skip_url_asserts=True) as server:
        yield f"http://127.0.0.1:{server.port}"
        if receiver.hangs is not None:
            receiver.hangs.set()


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[RealChannels]:
    """The real channels."""
    defaults: dict[str, Any] = {"apprise_schemes": SCHEMES, "private_targets": True}
    channels = RealChannels(NotificationSettings(**(defaults | settings)), lambda: T0)
    try:
        yield channels
    finally:
        await channels.close()


def hook(url: str) -> Target:
    """Return a webhook's target."""
    return Target(type=TargetType.WEBHOOK, url=url, secrets=SECRETS)


def mail(port: int, **parameters: str) -> Target:
    """Return a mail server's target."""
    given = {"from": "sidecar@example.org", "to": "reader@example.org"} | parameters
    text = "&".join(f"{name}={value}" for name, value in given.items())
    url = f"mailto://127.0.0.1:{port}/?{text}"
    return Target(type=TargetType.APPRISE, url=url)


@dataclass
class Way:
    """One kind of channel, whatever it needs, and what its other side has."""

    channel: Channel
    arrived: Callable[[], int]
    refuse: Callable[[], None]
    go_away: Callable[[], Awaitable[None]]


@pytest.fixture(params=["webhook", "mail"])
async def way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    """Each kind of channel with a real server behind it."""
    async with opened() as channels:
        if request.param == "webhook":
            receiver, server = Receiver(), web.Application()
            server.router.add_post("/hook", receiver.take)
            listening = TestServer(server, skip_url_asserts=True)
            await listening.start_server()
            yield Way(
                channel=channels.open(hook(f"http://127.0.0.1:{listening.port}/hook"), trusted=False),
                arrived=lambda: len(receiver.arrived),
                refuse=lambda: setattr(receiver, "status", 400),
                go_away=listening.close,
            )
            await listening.close()
        else:
            sink = SmtpSink()
            mails = await asyncio.start_server(sink.serve, "127.0.0.1", 0)
            port = mails.sockets[0].getsockname()[1]

            async def close() -> None:
                mails.close()
                await mails.wait_closed()

            yield Way(
                channel=channels.open(mail(port), trusted=False),
                arrived=lambda: len(sink.mails),
                refuse=lambda: setattr(sink, "refuses", True),
                go_away=close,
            )
            await close()


async def test_message_arrives(way: Way) -> None:
    """When `send` returns, the other side has the message; each time."""
    await way.channel.send(message())
    await way.channel.send(message())
    assert 2 == way.arrived()


async def test_refusal_is_an_error(way: Way) -> None:
    """What the other side does not take is never noted as sent."""
    way.refuse()
    with pytest.raises((ChannelRefused, ChannelUnreachable)):
        await way.channel.send(message())


async def test_server_that_is_away_is_an_error(way: Way) -> None:
    """A closed port is a passing fault."""
    await way.go_away()
    with pytest.raises(ChannelUnreachable):
        await way.channel.send(message())


async def test_webhook_is_signed_and_holds_the_details() -> None:
    """A receiver with either secret can check it; the id is the message's own."""
    receiver = Receiver()
    async with opened() as channels, http_server(receiver) as url:
        await channels.open(hook(url), trusted=False).send(message())
    ((headers, body),) = receiver.arrived
    for secret in SECRETS:
        verifier = WebhookVerifier([encode_secret(secret)], now=T0.timestamp)
        received = verifier.verify(headers, body)
        assert (message().id, "access_granted") == (received.id, received.type)
        assert [message().posted[0].described()] == received.notices
    assert "application/json" == headers["Content-Type"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (299, None),
        (301, ChannelRefused),
        (400, ChannelRefused),
        (410, ChannelRefused),
        (429, ChannelUnreachable),
        (500, ChannelUnreachable),
        (503, ChannelUnreachable),
    ],
)
async def test_webhook_follows_the_status(status: int, error: type[Exception] | None) -> None:
    """Only a 2xx is a delivery; what may pass is told from what will not; no redirect is followed."""
    elsewhere, receiver = Receiver(), Receiver(status=status)
    async with opened() as channels, http_server(elsewhere) as trap, http_server(receiver) as url:
        receiver.answer = {"Location": trap}
        channel = channels.open(hook(url), trusted=False)
        if error is None:
            await channel.send(message())
        else:
            with pytest.raises(error):
                await channel.send(message())
    assert [] == elsewhere.arrived


async def test_webhook_that_hangs_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that takes the request and says nothing costs the deadline, no more."""
    monkeypatch.setattr(webhook, "WEBHOOK_TIMEOUT_S", 0.2)
    receiver = Receiver(hangs=asyncio.Event())
    async with opened() as channels, http_server(receiver) as url:
        began = time.monotonic()
        with pytest.raises(ChannelUnreachable):
            await channels.open(hook(url), trusted=False).send(message())
        assert time.monotonic() - began < 5


async def test_webhooks_answer_is_not_read() -> None:
    """A body without end is cut off; its status counts."""
    receiver = Receiver(status=200, endless=True)
    async with opened() as channels, http_server(receiver) as url:
        async with asyncio.timeout(5):
            await channels.open(hook(url), trusted=False).send(message())


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "ftp://example.org/hook",
        "https://user:pass@example.org/hook",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://10.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/hook",
        "https://[::ffff:10.0.0.1]/hook",
        "https://[fe80::1]/hook",
        "https://[fd00::1]/hook",
        "https:///hook",
        "https://[broken/hook",
        "https://example.org:99999/hook",
    ],
)
async def test_webhook_leads_outside_over_tls(url: str) -> None:
    """No recipient makes the sidecar talk to its own network, or in the clear."""
    async with opened(private_targets=False) as channels:
        with pytest.raises(ChannelRefused) as refused:
            channels.open(hook(url), trusted=False)
    assert "hook" not in str(refused.value).replace("webhook", "")


async def test_operators_webhook_may_be_private_but_not_in_the_clear() -> None:
    """The organisation's own channels lead where its operator says; beyond this machine over TLS."""
    async with opened(private_targets=False) as channels:
        channels.open(hook("https://10.0.0.1/hook"), trusted=True)
        channels.open(hook("http://127.0.0.1:9/hook"), trusted=True)
        with pytest.raises(ChannelRefused):
            channels.open(hook("http://10.0.0.1/hook"), trusted=True)


@pytest.mark.parametrize("host", ["rebound.example.org", "127.1", "0x7f.1", "2130706433"])
async def test_name_of_a_private_address_is_refused_when_it_is_used(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a name means is looked at where it is connected to, so changing it in between gains nothing."""
    reached: list[str] = []

    def looked_up(name: str | None, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if name == "rebound.example.org" else name, *args, **kwargs)

    async def trap(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(host)
        writer.close()

    real, server = socket.getaddrinfo, await asyncio.start_server(trap, "127.0.0.1", 0)
    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    port = server.sockets[0].getsockname()[1]
    async with opened(private_targets=False) as channels, server:
        channel = channels.open(hook(f"https://{host}:{port}/"), trusted=False)
        with pytest.raises((ChannelRefused, ChannelUnreachable)):
            await channel.send(message())
    assert [] == reached


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("0.0.0.0", False),  # noqa: S104 - an address, not a listener
        ("100.64.0.1", False),
        ("192.168.1.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::8.8.8.8", True),
        ("2002:7f00:1::", False),
    ],
)
def test_public_addresses(address: str, *, public: bool) -> None:
    """Addresses that stand for others count as those."""
    assert public is is_public(ipaddress.ip_address(address))


async def test_mail_holds_the_outline_alone() -> None:
    """A mail server, and whoever reads along, learns no id that stands on the chain."""
    async with opened() as channels, smtp_sink() as sink:
        await channels.open(mail(sink.port), trusted=False).send(message())
    (text,) = sink.mails
    assert "CareGrid: Access was granted to you" in text
    assert message().id in text
    assert (False, False) == (RECORD[:16] in text, READER[:16] in text)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "dbus://",
        "syslog://",
        "json://example.org",
        "mailtos://",
        "mailtos://example.org/?to=a@example.org&verify=no",
        "mailtos://example.org/?to=a@example.org&pgpkey=file:///etc/passwd",
        "mailtos://example.org/?to=a@example.org&mode=insecure",
        "ntfys://example.org/topic?redirect=yes",
    ],
)
async def test_only_allowed_services_and_parameters(url: str) -> None:
    """Nothing reads this machine's files, runs its programs, or turns checks off."""
    async with opened() as channels:
        with pytest.raises((ChannelRefused, InputInvalid)) as refused:
            channels.open(Target(type=TargetType.APPRISE, url=url), trusted=False)
    assert "passwd" not in str(refused.value)


async def test_default_services_are_known_to_apprise() -> None:
    """Every scheme of the default settings exists, and carries over TLS."""
    async with opened(apprise_schemes=NotificationSettings().apprise_schemes) as channels:
        for url in (
            "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
            "mailtos://user:pass@example.org/?to=a@example.org",
            "ntfys://topic",
            "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
            "tgram://123456789:abcdefg_hijklmnop/lead2gold/",
            "twilio://AC00000000000000000000000000000000:00000000000000000000000000000000@+15555555555/+15555555556",
        ):
            channels.open(Target(type=TargetType.APPRISE, url=url), trusted=False)
        with pytest.raises(ChannelRefused):
            channels.open(mail(25), trusted=False)


async def test_mail_server_inside_the_network_is_the_operators_alone() -> None:
    """A recipient's mail server is looked up before it is talked to; the operator's is trusted."""
    async with opened(private_targets=False) as channels, smtp_sink() as sink:
        with pytest.raises(ChannelRefused):
            await channels.open(mail(sink.port), trusted=False).send(message())
        hidden = Target(
            type=TargetType.APPRISE,
            url=f"mailto://example.org:{sink.port}/?to=a@example.org&from=b@example.org&smtp=127.0.0.1",
        )
        with pytest.raises(ChannelRefused):
            await channels.open(hidden, trusted=False).send(message())
        assert [] == sink.mails
        await channels.open(mail(sink.port), trusted=True).send(message())
    assert 1 == len(sink.mails)


async def test_nothing_of_a_channel_is_logged(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Addresses and tokens show up nowhere, not even when delivering fails."""
    caplog.set_level(0)
    async with opened() as channels, smtp_sink() as sink:
        sink.refuses = True
        secret = mail(sink.port, to=f"{TOKEN}@example.org", name=TOKEN)
        with pytest.raises(ChannelUnreachable) as failed:
            await channels.open(secret, trusted=False).send(message())
        closed = hook(f"http://127.0.0.1:1/{TOKEN}")
        with pytest.raises(ChannelUnreachable) as unreachable:
            await channels.open(closed, trusted=False).send(message())
    out, err = capfd.readouterr()
    chains = repr(failed.value.__cause__) + repr(unreachable.value.__cause__)
    said = [*caplog.messages, out, err, chains, str(failed.value), str(unreachable.value)]
    assert [] == [text for text in said if TOKEN in text or "example.org" in text]


async def test_hanging_mail_server_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """What blocks in a library is left behind in its thread."""
    monkeypatch.setattr(apprise_channel, "APPRISE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(apprise_channel, "SOCKET_TIMEOUT_S", 1.0)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with opened() as channels, server:
        port = server.sockets[0].getsockname()[1]
        channel = channels.open(mail(port), trusted=False)
        began = time.monotonic()
        with pytest.raises(ChannelUnreachable):
            await channel.send(message())
        assert time.monotonic() - began < 5
        await asyncio.sleep(1.2)  # the thread's own end, so that the server can go


async def test_threads_are_bounded() -> None:
    """Past the bound nothing new begins, and a thread that ends makes room."""
    threads, release = Threads(limit=1), asyncio.Event()
    loop = asyncio.get_running_loop()

    def block() -> None:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(10)

    with pytest.raises(ChannelUnreachable):
        await threads.run(block, 0.05)
    with pytest.raises(ChannelUnreachable, match="too many"):
        await threads.run(block, 0.05)
    release.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert 7 == await threads.run(lambda: 7, 1.0)
                break
            except ChannelUnreachable:
                await asyncio.sleep(0.01)


def test_secret_is_no_part_of_a_targets_text() -> None:
    """A target that ends up in a trace shows nothing."""
    target = Target(type=TargetType.WEBHOOK, url=f"https://example.org/{TOKEN}", secrets=SECRETS)
    assert (False, False) == (TOKEN in repr(target), "one" in repr(target))
    assert TOKEN in json.loads(target.to_bytes())["url"]
    assert new_secret() != new_secret()
