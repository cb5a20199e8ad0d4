"""`smbd.testing`, as somebody's test suite uses it."""

import asyncio
import socket
import threading
import time

import pytest
import trio

from smbd.config import Limits, ShareConfig, UserConfig
from smbd.testing import TestServer, serve, serve_in_thread
from tests.server.clients import PypiClient

START_UP = 1.0  # seconds of CPU, which other programs' load does not count in; 0.1 are promised


def can_connect(server):
    try:
        socket.create_connection((server.host, server.port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def round_trip(server, share=None):
    with PypiClient(server, share=share) as client:
        client.put("file", b"data")
        return client.get("file")


async def test_in_trio(tmp_path):
    async with serve(tmp_path) as server:
        assert isinstance(server, TestServer)
        assert (server.host, server.share) == ("127.0.0.1", "share")
        assert (server.user, server.password) == ("test", "test")
        assert server.port not in {0, 445}
        assert await trio.to_thread.run_sync(round_trip, server) == b"data"
    assert not can_connect(server)


def test_without_trio(tmp_path):
    with serve_in_thread(tmp_path) as server:
        assert round_trip(server) == b"data"
    assert not can_connect(server)


def test_a_folder_may_be_named_by_a_str(tmp_path):
    with serve_in_thread(str(tmp_path)) as server:
        assert round_trip(server) == b"data"
    assert (tmp_path / "file").read_bytes() == b"data"


def test_a_relative_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    with serve_in_thread("inner") as server:
        monkeypatch.chdir("/")
        assert round_trip(server) == b"data"
    assert (tmp_path / "inner" / "file").exists()


async def test_it_is_ready_soon(tmp_path, record_property):
    began = time.process_time()
    async with serve(tmp_path) as server:
        took = time.process_time() - began
        assert can_connect(server)
    record_property("start-up in ms", took * 1000)
    assert took < START_UP


def test_the_sync_form_is_ready_soon(tmp_path, record_property):
    began = time.process_time()
    with serve_in_thread(tmp_path) as server:
        took = time.process_time() - began
        assert can_connect(server)
    record_property("start-up in ms", took * 1000)
    assert took < START_UP


def test_a_hundred_servers_start_and_end_within_three_seconds(tmp_path, record_property):
    began = time.process_time()
    for _ in range(100):
        with serve_in_thread(tmp_path):
            pass
    took = time.process_time() - began
    record_property("CPU for a start and an end in ms", took * 10)
    assert took < 3


async def test_two_at_a_time(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with serve(tmp_path / "one") as one, serve(tmp_path / "two") as two:
        assert one.port != two.port
        await trio.to_thread.run_sync(round_trip, one)
        assert list((tmp_path / "two").iterdir()) == []
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["file"]


def test_two_at_a_time_in_threads_and_each_ends_alone(tmp_path):
    with serve_in_thread(tmp_path) as one:
        with serve_in_thread(tmp_path) as two:
            assert round_trip(two) == b"data"
        assert not can_connect(two)
        assert round_trip(one) == b"data"


async def test_the_sync_form_beside_a_running_trio(tmp_path):
    with serve_in_thread(tmp_path) as server:
        assert await trio.to_thread.run_sync(round_trip, server) == b"data"


def test_everything_has_a_name_of_its_own_if_wanted(tmp_path):
    (tmp_path / "more").mkdir()
    with serve_in_thread(
        tmp_path,
        share="files",
        user="alice",
        password="wonderland",
        shares=[ShareConfig(name="more", path=tmp_path / "more")],
        users=[UserConfig(name="bob", password="builder")],
    ) as server:
        assert (server.share, server.user, server.password) == ("files", "alice", "wonderland")
        assert round_trip(server) == b"data"
        assert round_trip(server, "more") == b"data"
        with PypiClient(server, user="bob", password="builder") as client:
            assert client.names() == {"file", "more"}


def test_a_port_can_be_asked_for_and_comes_free_again(tmp_path):
    with serve_in_thread(tmp_path) as server:
        port = server.port
    for _ in range(2):
        with serve_in_thread(tmp_path, port=port) as server:
            assert server.port == port
            assert round_trip(server) == b"data"


def test_a_port_that_is_taken_is_an_error(tmp_path):
    with serve_in_thread(tmp_path) as server:
        with pytest.raises(OSError, match="in use"), serve_in_thread(tmp_path, port=server.port):
            pass
        assert can_connect(server)


def test_an_option_that_there_is_not_is_an_error(tmp_path):
    with pytest.raises(TypeError, match="shraes"), serve_in_thread(tmp_path, shraes=[]):
        pass


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"min_dialect": "1.0"}, "min_dialect: must be one of 2.0.2, 2.1, "),
        ({"max_dialect": "4"}, "max_dialect: must be one of"),
        ({"min_dialect": "3.0", "max_dialect": "2.1"}, "min_dialect: must not be above"),
        ({"engine": "nowiat"}, "shares.share.engine: there is no engine 'nowiat'"),
        ({"engine_options": {"threads": 1}}, "shares.share.engine_options.threads: "),
        ({"signing": "always"}, 'server.signing: must be "required" or "enabled"'),
        ({"encryption": True}, "server.encryption: must be "),
        ({"encryption": "required", "guest": True}, "guests have no key to encrypt with"),
        ({"encryption": "required", "max_dialect": "2.1"}, 'needs a max_dialect of "3.0"'),
        ({"read_only": "no"}, "shares.share.read_only: must be true or false"),
        ({"share": "a/b"}, "shares.a/b: a share's name has 1 to 80"),
        ({"share": "IPC$"}, "this name is reserved"),
        ({"user": ""}, "a user's name has 1 to 64"),
        ({"password": ""}, "users.test.password: must be a string that is not empty"),
        ({"users": [UserConfig("TEST", password="x")]}, "users.TEST: is there twice"),
        ({"limits": Limits(opens=0)}, "server.limits.opens: must be an integer from 1"),
        ({"port": 70000}, "port: must be an integer from 0 to 65535"),
    ],
)
def test_a_value_that_makes_no_sense_is_an_error(tmp_path, options, told):
    with pytest.raises(ValueError) as caught, serve_in_thread(tmp_path, **options):
        pass
    assert told in str(caught.value)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    with pytest.raises(ValueError) as caught, serve_in_thread(tmp_path, user="", share=""):
        pass
    assert len(str(caught.value).splitlines()) == 2


def test_a_test_of_asyncio_uses_the_form_with_a_thread(tmp_path):
    async def test():
        with serve_in_thread(tmp_path) as server:
            _, writer = await asyncio.open_connection(server.host, server.port)
            writer.close()
            await writer.wait_closed()

    asyncio.run(test())


def test_what_is_raised_in_the_block_comes_out_and_the_server_ends(tmp_path):
    with pytest.raises(ZeroDivisionError), serve_in_thread(tmp_path) as server:
        1 / 0  # noqa: B018
    assert not can_connect(server)


async def test_what_is_raised_in_the_async_block_comes_out_as_it_is(tmp_path):
    with pytest.raises(ZeroDivisionError):
        async with serve(tmp_path) as server:
            1 / 0  # noqa: B018
    assert not can_connect(server)


async def test_cancelling_ends_it(tmp_path):
    with trio.CancelScope() as scope:
        async with serve(tmp_path) as server:
            scope.cancel()
            await trio.sleep_forever()
    assert not can_connect(server)


def test_no_thread_is_left_behind(tmp_path):
    before = set(threading.enumerate())
    with serve_in_thread(tmp_path, engine="threads") as server:
        round_trip(server)
    left = {
        thread.name
        for thread in set(threading.enumerate()) - before
        if "smbd" in thread.name or "aio" in thread.name
    }
    assert left == set()


def test_clients_that_are_still_there_do_not_keep_it_from_ending(tmp_path):
    with serve_in_thread(tmp_path) as server:
        client = PypiClient(server)
        client.open("left open")
    client.connection.disconnect(close=False)
    assert not can_connect(server)


async def test_a_bug_in_the_server_comes_out_of_the_block(tmp_path, monkeypatch):
    async def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("smbd.server.server.Server.accept", broken)
    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with serve(tmp_path) as server:
            assert server.port
            await trio.sleep_forever()
