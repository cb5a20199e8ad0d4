"""Prometheus asks, and is told in its own format."""

import re

import pytest
import trio

from tests.core import messages
from tests.core.messages import READ
from tests.scripted import connected
from tests.server.running import login_status, running

METRICS = "metrics = '127.0.0.1:0'"
LINE = re.compile(r'smbd_[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)+\})? \S+')


async def http(server, request):
    """Status line, headers, and body."""
    address = server.server.metrics_addresses[0]
    async with await trio.open_tcp_stream(address.host, address.port) as stream:
        await stream.send_all(request)
        received = b"".join([chunk async for chunk in stream])
    head, _, body = received.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    return status, dict(header.split(": ") for header in headers), body.decode()


async def figures(server):
    _, _, body = await http(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    return dict(line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#"))


async def test_every_line_is_in_the_format(tmp_path):
    text = "[shares.'a{b}']\npath = 'one'\n"
    async with running(tmp_path, text, METRICS) as server:
        request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"
        status, headers, body = await http(server, request)
        assert status == "HTTP/1.1 200 OK"
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert int(headers["Content-Length"]) == len(body)
        assert body.endswith("\n")
        seen, helped = set(), ""
        for line in body.splitlines():
            if found := re.fullmatch(r"# TYPE (smbd_[a-z_]+) (counter|gauge)", line):
                assert found[1] not in seen
                assert found[1] == helped, "what it means stands above it"
                assert found[1].endswith("_total") == (found[2] == "counter")
                seen.add(found[1])
            elif found := re.fullmatch(r"# HELP (smbd_[a-z_]+) [A-Z].*[.]", line):
                helped = found[1]
            else:
                assert LINE.fullmatch(line), line
        assert 'smbd_share_hits_total{share="a{b}",engine="nowait+threads"} 0' in body


async def test_figures_are_those_of_what_happened(tmp_path):
    async with running(tmp_path, server=METRICS) as server, connected(server) as client:
        (tmp_path / "one/a").write_bytes(b"data")
        await client.connect()
        file_id = await client.open("a")
        assert (await client.ask(READ, messages.read(file_id))).data == b"data"
        await login_status(server, "test", "wrong")
        told = await figures(server)
        labels = '{share="share",engine="nowait+threads"}'
        assert told["smbd_connections"] in {"1", "2"}
        assert told["smbd_sessions"] == "1"
        assert told["smbd_logins_failed_total"] == "1"
        assert told[f"smbd_share_reads_total{labels}"] == "1"
        assert told[f"smbd_share_bytes_read_total{labels}"] == "4"
        assert told[f"smbd_share_opens{labels}"] == "1"
        assert told[f"smbd_share_trees{labels}"] == "1"


@pytest.mark.parametrize(
    ("request_line", "status", "has_body"),
    [
        (b"HEAD /metrics HTTP/1.1", "200 OK", False),
        (b"GET /metrics?x=1 HTTP/1.0", "200 OK", True),
        (b"GET / HTTP/1.1", "404 Not Found", True),
        (b"POST /metrics HTTP/1.1", "400 Bad Request", True),
        (b"\xff\xfe", "400 Bad Request", True),
        (b"x" * 9000, "400 Bad Request", True),
    ],
)
async def test_other_requests(tmp_path, request_line, status, has_body):
    async with running(tmp_path, server=METRICS) as server:
        found, _, body = await http(server, request_line + b"\r\n\r\n")
        assert found == f"HTTP/1.1 {status}"
        assert bool(body) == has_body


async def test_a_program_that_hangs_up_or_hangs_harms_nobody(tmp_path):
    async with running(tmp_path, server=METRICS) as server:
        address = server.server.metrics_addresses[0]
        async with await trio.open_tcp_stream(address.host, address.port):
            for _ in range(5):
                stream = await trio.open_tcp_stream(address.host, address.port)
                await stream.send_all(b"GET /metrics HTTP/1.1\r\n\r\n")
                await stream.aclose()
            assert (await figures(server))["smbd_connections"] == "0"


async def test_without_the_key_there_is_no_such_port(tmp_path):
    async with running(tmp_path) as server:
        assert server.server.metrics_addresses == []
