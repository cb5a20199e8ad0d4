"""What fails beside the connections is logged, and costs nobody his connection."""

import socket

import trio
from trio.testing import wait_all_tasks_blocked

from smbd.server import status
from smbd.server.accepting import talk_to_each
from smbd.wall import kept_running
from tests.core import messages
from tests.core.messages import CLOSE, DELETE_ON_CLOSE, ECHO
from tests.scripted import connected
from tests.server.running import ONE_SHARE, running


async def test_a_helper_that_fails_begins_anew_after_a_pause(autojump_clock, caplog):
    began = []

    async def helper():
        began.append(trio.current_time())
        if len(began) < 3:
            raise RecursionError("our bug")

    await kept_running("helping", helper)
    assert len(began) == 3
    assert began[2] - began[1] == began[1] - began[0] > 0
    assert caplog.text.count("helping failed") == caplog.text.count("RecursionError: our bug") == 2


async def test_a_question_nested_thousands_deep_is_answered(tmp_path):
    async with running(tmp_path) as server, connected(server) as client:
        await client.connect()
        assert await server.ask(b"[" * 4000 + b"\n") == {"error": "not a JSON object"}
        assert await client.works()


async def test_a_status_that_fails_costs_nobody_the_connection(tmp_path, monkeypatch, caplog):
    metrics = "metrics = '127.0.0.1:0'"
    async with running(tmp_path, server=metrics) as server, connected(server) as client:
        await client.connect()

        def failing(*_):
            raise KeyError("our bug")

        monkeypatch.setattr(status, "_share", failing)
        address = server.server.metrics_addresses[0]
        async with await trio.open_tcp_stream(address.host, address.port) as stream:
            await stream.send_all(b"GET /metrics HTTP/1.1\r\n\r\n")
            assert await stream.receive_some() == b""
        async with await trio.open_unix_socket(tmp_path / "control") as stream:
            await stream.send_all(b'{"ask": "status"}\n')
            assert await stream.receive_some() == b""
        assert caplog.text.count("KeyError: 'our bug'") >= 2
        assert await client.works()


async def test_disconnect_during_closes_that_delete_leaves_nothing_and_ends_nobody_else(tmp_path):
    async with running(tmp_path) as server, connected(server) as one, connected(server) as two:
        await one.connect()
        await two.connect()
        names = [f"d{number}" for number in range(20)]
        opened = [await one.open(name, options=DELETE_ON_CLOSE) for name in names]
        closes = [one.peer.request(CLOSE, messages.close(file_id)) for file_id in opened[1:]]
        await one.send(*closes)
        await server.ask({"ask": "disconnect", "who": hex(one.session.session_id)})
        while await one.answers():
            pass
        assert (await two.ask(ECHO)).status == 0
        assert (await server.ask({"ask": "status"}))["opens"] == []
        assert not list((tmp_path / "one").iterdir())


async def test_a_client_that_cannot_be_welcomed_keeps_nobody_else_out(
    tmp_path, monkeypatch, caplog, autojump_clock
):
    autojump_clock.autojump_threshold = 0.02
    async with running(tmp_path) as server:
        admit = server.server._admission.admit
        monkeypatch.setattr(type(server.server._admission), "admit", lambda *_: 1 / 0)
        stream = await trio.open_tcp_stream(server.host, server.port)
        async with stream:
            assert await stream.receive_some() == b""
        monkeypatch.setattr(type(server.server._admission), "admit", lambda _, host: admit(host))
        async with connected(server) as client:
            await client.connect()
        assert "ZeroDivisionError" in caplog.text


async def test_a_reload_that_fails_unforeseen_changes_nothing(tmp_path, caplog):
    async with running(tmp_path) as server, connected(server) as client:
        server.write("a = " + "[" * 5000 + "]" * 5000 + "\n" + ONE_SHARE)
        assert not await server.reload()
        assert "nested too deeply" in caplog.text
        server.write("a = " + "9" * 5000 + "\n" + ONE_SHARE)
        assert not await server.reload()
        await client.connect()


async def test_more_than_so_many_that_ask_at_a_time_are_turned_away():
    send, receive = trio.open_memory_channel(9)

    async def talk(stream):
        send.send_nowait(stream)
        await stream.receive_some()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        port = listener.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk_to_each, "talking", listener, talk, 1)
            async with await trio.open_tcp_stream("127.0.0.1", port):
                await receive.receive()
                async with await trio.open_tcp_stream("127.0.0.1", port) as second:
                    assert await second.receive_some() == b""
            await wait_all_tasks_blocked(0.01)
            async with await trio.open_tcp_stream("127.0.0.1", port):
                await receive.receive()
            nursery.cancel_scope.cancel()
