"""SIGTERM: what is in work ends, replies leave, what was written is on the disk; and in time."""

import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import smbd.testing
from smbd.ntstatus import NtStatus
from tests.core import messages
from tests.core.messages import EXCLUSIVE, FLUSH, LOCK, READ, WRITE
from tests.scripted import PENDING, connected
from tests.server.running import ONE_SHARE, write

ALL = (0, 100, EXCLUSIVE)
MIB = 1 << 20
HERE = Path(__file__).parents[2]


@asynccontextmanager
async def ending(server):
    """The server ends in the background of the block, and has ended at its end."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.server.drain)
        yield


def hold_fsync(server, monkeypatch):
    """Fsyncs of the one share wait for the event; the descriptors that they were for."""
    engine = server.server.service.shares["share"].engine
    synced, release = [], trio.Event()

    def begin_fsync(fd, done):
        async def end():
            await release.wait()
            done(0, None)

        synced.append(fd)
        trio.lowlevel.spawn_system_task(end)
        return SimpleNamespace(withdraw=lambda: None)

    monkeypatch.setattr(engine, "begin_fsync", begin_fsync)
    return synced, release


def path_of(fd):
    return Path(f"/proc/self/fd/{fd}").readlink()


async def test_what_is_in_work_is_answered_and_nothing_new_is_taken(tmp_path, monkeypatch):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        file_id = await client.open("a")
        _, release = hold_fsync(server, monkeypatch)
        await client.send(client.peer.request(FLUSH, messages.flush(file_id)))
        [interim] = await client.answers()
        assert interim.status == PENDING
        async with ending(server):
            await wait_all_tasks_blocked(0.01)
            with pytest.raises(OSError, match="all attempts to connect"):
                await trio.open_tcp_stream(server.host, server.port)
            await client.send(client.peer.request(READ, messages.read(file_id)))
            await wait_all_tasks_blocked(0.01)
            release.set()
        assert (await client.answer()).status == 0
        assert await client.hung_up(), "the READ came too late"


async def test_replies_that_wait_for_a_slow_client_still_leave(tmp_path):
    (tmp_path / "big").write_bytes(bytes(MIB))
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        await client.ask(messages.ECHO, asked=512)
        file_id = await client.open("big")
        read = messages.read(file_id, 0, MIB)
        await client.send(*(client.peer.request(READ, read, charge=16) for _ in range(16)))
        await wait_all_tasks_blocked(0.01)
        async with ending(server):
            await wait_all_tasks_blocked(0.01)
            for _ in range(16):
                assert len((await client.answer()).data) == MIB
        assert await client.hung_up()


async def test_a_waiting_lock_is_told_that_it_will_not_come(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        holder, waiter = await client.open("a"), await client.open("a")
        assert (await client.ask(LOCK, messages.lock(holder, ALL))).status == 0
        await client.send(client.peer.request(LOCK, messages.lock(waiter, ALL)))
        assert [one.status for one in await client.answers()] == [PENDING]
        await server.server.drain()
        assert (await client.answer()).status == NtStatus.CANCELLED
        assert await client.hung_up()


async def test_what_was_written_is_flushed_once_a_file_before_its_handles_close(
    tmp_path, monkeypatch
):
    (tmp_path / "old").write_bytes(b"x")
    async with (
        smbd.testing.serve(tmp_path) as server,
        connected(server) as client,
        connected(server) as other,
    ):
        await client.connect()
        await other.connect()
        for one in (client, other):
            file_id = await one.open("written")
            assert (await one.ask(WRITE, messages.write(file_id, b"data"))).status == 0
        await client.open("old", access=0x120089)  # to read
        await client.open("folder", options=1)
        synced, release = hold_fsync(server, monkeypatch)
        async with ending(server):
            await wait_all_tasks_blocked(0.01)
            [fd] = synced
            assert path_of(fd) == tmp_path / "written"
            release.set()
        assert await client.hung_up()


async def test_a_flush_that_fails_is_told_to_the_operator(tmp_path, monkeypatch, caplog):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        await client.open("a")

        async def fsync(_fd):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(server.server.service.shares["share"].engine, "fsync", fsync)
        await server.server.drain()
    [told] = [one for one in caplog.records if one.message == "share: a: Input/output error"]
    assert (told.event, told.share) == ("flush failed", "share")


async def test_a_client_that_never_takes_replies_cannot_keep_the_server(tmp_path, autojump_clock):
    (tmp_path / "big").write_bytes(bytes(MIB))
    autojump_clock.autojump_threshold = 0.05
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        await client.ask(messages.ECHO, asked=512)
        file_id = await client.open("big")
        read = messages.read(file_id, 0, MIB)
        await client.send(*(client.peer.request(READ, read, charge=16) for _ in range(16)))
        await wait_all_tasks_blocked(0.01)
        began = trio.current_time()
        await server.server.drain()
        assert trio.current_time() - began < 6


async def test_draining_twice_is_draining_once(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        await server.server.drain()
        await server.server.drain()
        assert await client.hung_up()


async def test_what_a_block_raises_is_raised_as_it_is(tmp_path):
    with pytest.raises(KeyError, match="mine"):
        async with smbd.testing.serve(tmp_path):
            raise KeyError("mine")


async def test_a_client_that_takes_nothing_is_waited_for_once(tmp_path, autojump_clock):
    autojump_clock.autojump_threshold = 0.05
    (tmp_path / "big").write_bytes(bytes(MIB))
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        await client.ask(messages.ECHO, asked=512)
        file_id = await client.open("big")
        read = messages.read(file_id, 0, MIB)
        await client.send(*(client.peer.request(READ, read, charge=16) for _ in range(30)))
        [served] = server.server._clients
        while served.transport.stalled_since == float("inf"):
            await trio.lowlevel.checkpoint()
        began = trio.current_time()
        await server.server.drain()
        assert trio.current_time() - began == pytest.approx(5, abs=0.5)
        await server.server.drain()  # as the end of the block does
        assert trio.current_time() - began == pytest.approx(5, abs=0.5)


# --- the process ---


@contextmanager
def process(folder, *words):
    """`smbd serve`, or the Python program `words`, on folder/shares.toml; gone at the end."""
    (folder / "one").mkdir()
    write(folder, ONE_SHARE)
    program = subprocess.Popen(
        [sys.executable, *(words or ("-m", "smbd", "serve"))],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE), "XDG_RUNTIME_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with program:
        try:
            yield program
        finally:
            program.kill()


class Place:
    """Where a process serves, once it says so."""

    host = "127.0.0.1"

    def __init__(self, program):
        line = next(line for line in program.stdout if line.startswith("tsmbd serves on "))
        self.port = int(line.rpartition(":")[2])


def logged(program, text):
    """The first line of the log from now on that has this."""
    line = next((line for line in program.stderr if text in line), None)
    assert line is not None
    return line


async def test_sigterm_ends_in_order_with_clients_on(tmp_path):
    with process(tmp_path) as program:
        async with connected(Place(program)) as client:
            await client.connect()
            file_id = await client.open("a.txt")
            assert (await client.ask(WRITE, messages.write(file_id, b"kept"))).status == 0
            program.send_signal(signal.SIGTERM)
            assert await client.hung_up()
            out, errors = await trio.to_thread.run_sync(program.communicate)
        assert program.returncode == 0, errors
        assert "SIGTERM: ending" in errors
        assert "share: 1 connected, 1 files open, engine " in out
        assert not (tmp_path / "control").exists()
        assert (tmp_path / "one/a.txt").read_bytes() == b"kept"


async def test_sighup_reads_shares_toml_again(tmp_path):
    with process(tmp_path) as program:
        async with connected(Place(program)) as client:
            await client.connect()
            (tmp_path / "two").mkdir()
            write(tmp_path, ONE_SHARE + "[shares.new]\npath = 'two'\n")
            program.send_signal(signal.SIGHUP)
            await trio.to_thread.run_sync(logged, program, "read again: new: new")
            await client.send(client.peer.tree_connect("new"))
            assert (await client.answer()).status == 0
            write(tmp_path, "[shares.new]\npaht = 'two'\n")
            program.send_signal(signal.SIGHUP)
            line = await trio.to_thread.run_sync(logged, program, "error")
            assert 'paht: unknown key; did you mean "path"?' in line
            await client.send(client.peer.tree_connect("share"))
            assert (await client.answer()).status == 0


async def test_sighup_while_shares_toml_is_away_changes_nothing(tmp_path):
    with process(tmp_path) as program:
        async with connected(Place(program)) as client:
            await client.connect()
            (tmp_path / "shares.toml").rename(tmp_path / "away")
            program.send_signal(signal.SIGHUP)
            line = await trio.to_thread.run_sync(logged, program, "error")
            assert "there is no shares.toml here" in line
            (tmp_path / "away").rename(tmp_path / "shares.toml")
            program.send_signal(signal.SIGHUP)
            await trio.to_thread.run_sync(logged, program, "read again: the same shares")
            assert await client.works()


async def test_sighup_before_the_server_is_there_ends_nothing(tmp_path):
    program = (
        "import os, signal, sys, smbd.cli.serve as serve\n"
        "from smbd.cli import main\n"
        "start_logging = serve.start_logging\n"
        "def early(log_format):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    start_logging(log_format)\n"
        "serve.start_logging = early\n"
        "sys.exit(main(['serve']))\n"
    )
    with process(tmp_path, "-c", program) as served:
        async with connected(Place(served)) as client:
            await client.connect()
        served.send_signal(signal.SIGTERM)
        _, errors = await trio.to_thread.run_sync(served.communicate)
    assert served.returncode == 0, errors


async def test_a_reload_that_hangs_does_not_keep_the_process(tmp_path):
    # As above, the clock that ends it is set to a blink.
    program = (
        "import logging, sys, time, smbd.cli.serve as serve, smbd.server.running as running\n"
        "running._END_SECONDS = 0.3\n"
        "def hang(*_):\n"
        "    logging.getLogger('smbd').info('reading')\n"
        "    time.sleep(60)\n"
        "serve._reread = hang\n"
        "from smbd.cli import main\n"
        "sys.exit(main(['serve']))\n"
    )
    with process(tmp_path, "-c", program) as stuck:
        Place(stuck)
        stuck.send_signal(signal.SIGHUP)
        await trio.to_thread.run_sync(logged, stuck, "reading")
        stuck.send_signal(signal.SIGTERM)
        _, errors = await trio.to_thread.run_sync(stuck.communicate)
    assert stuck.returncode == 128 + signal.SIGALRM, errors


async def test_a_second_signal_ends_at_once(tmp_path):
    (tmp_path / "big").write_bytes(bytes(MIB))
    with process(tmp_path) as program:
        (tmp_path / "big").rename(tmp_path / "one/big")
        async with connected(Place(program)) as client:
            await client.connect()
            await client.ask(messages.ECHO, asked=512)
            file_id = await client.open("big")
            read = messages.read(file_id, 0, MIB)
            await client.send(*(client.peer.request(READ, read, charge=16) for _ in range(16)))
            assert (await client.answer()).status == 0
            program.send_signal(signal.SIGTERM)
            await trio.to_thread.run_sync(logged, program, "SIGTERM: ending")
            program.send_signal(signal.SIGTERM)
            _, errors = await trio.to_thread.run_sync(program.communicate)
        assert program.returncode == 128 + signal.SIGTERM
        assert "SIGTERM again: ending at once" in errors


def test_a_closed_terminal_ends_a_server_that_has_no_file_to_read_again(tmp_path):
    with process(tmp_path, "-m", "smbd", "serve", "one", "--port", "0") as program:
        Place(program)
        program.send_signal(signal.SIGHUP)
        _, errors = program.communicate()
    assert program.returncode == 0
    assert "SIGHUP: ending" in errors


async def test_a_disk_that_never_answers_does_not_keep_the_process(tmp_path):
    # The clock that ends it is set to a blink: what it does is the same.
    program = (
        "import os, sys, time, smbd.server.running as running\n"
        "os.environ['AIO_EXTENSIONS'] = 'off'  # threads in C ask no os.fsync\n"
        "running._END_SECONDS = 0.3\n"
        "os.fsync = lambda fd: time.sleep(60)\n"
        "from smbd.cli import main\n"
        "sys.exit(main(['serve']))\n"
    )
    with process(tmp_path, "-c", program) as stuck:
        async with connected(Place(stuck)) as client:
            await client.connect()
            file_id = await client.open("a.txt")
            assert (await client.ask(WRITE, messages.write(file_id, b"data"))).status == 0
            stuck.send_signal(signal.SIGTERM)
            _, errors = await trio.to_thread.run_sync(stuck.communicate)
    assert stuck.returncode == 128 + signal.SIGALRM
    assert "not everything was flushed" in errors


def test_a_ctrl_c_that_comes_twice_is_one_and_a_later_one_ends_at_once():
    program = (
        "import os, signal, smbd.server.running as running\n"
        "running._end_in_time(signal.SIGINT)\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "print('the same one', flush=True)\n"
        "running._SAME_SIGNAL_SECONDS = -1\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "print('not reached', flush=True)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=HERE, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (128 + signal.SIGINT, "the same one\n")
