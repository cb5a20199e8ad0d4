"""SIGHUP: shares.toml is read again, and nobody who works notices."""

import logging

import pytest
from trio.testing import wait_all_tasks_blocked

from smbd.ntstatus import NtStatus
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, READ, TREE_DISCONNECT, WRITE
from tests.scripted import connected
from tests.server.running import ONE_SHARE, USERS, connect_status, login_status, running

TWO = "[shares.two]\npath = 'two'\n"


async def test_a_new_share_appears_and_sessions_go_on(tmp_path):
    async with running(tmp_path) as server, connected(server) as client:
        await client.connect()
        file_id = await client.open("a.txt")
        assert await connect_status(server, "two") == NtStatus.BAD_NETWORK_NAME

        server.write(ONE_SHARE + TWO)
        assert await server.reload()

        assert await connect_status(server, "two") == 0
        assert (await client.ask(WRITE, messages.write(file_id, b"same handle"))).status == 0
        assert (tmp_path / "one/a.txt").read_bytes() == b"same handle"
        await client.send(client.peer.tree_connect("two"))
        assert (await client.answer()).status == 0, "the same session, a new tree"


async def test_a_share_that_is_gone_lives_on_for_its_tree_connects(tmp_path):
    async with running(tmp_path, ONE_SHARE + TWO) as server, connected(server) as client:
        await client.connect("two")
        file_id = await client.open("a.txt")
        server.write(ONE_SHARE)
        assert await server.reload()
        assert await connect_status(server, "two") == NtStatus.BAD_NETWORK_NAME
        assert (await client.ask(WRITE, messages.write(file_id, b"still"))).status == 0
        assert (await client.ask(CREATE, messages.create("b.txt"))).status == 0
        shown = server.server.document()["shares"]
        assert [(one["name"], one.get("retired", False)) for one in shown] == [
            ("share", False),
            ("two", True),
        ]


@pytest.mark.parametrize("leaving", ["TREE_DISCONNECT", "hanging up"])
async def test_the_old_share_is_closed_with_its_last_tree(tmp_path, leaving):
    async with running(tmp_path, ONE_SHARE + TWO) as server:
        async with connected(server) as client:
            await client.connect("two")
            file_id = await client.open("a.txt")
            old = server.server.service.shares["two"]
            closed = watch_closing(old)
            server.write(ONE_SHARE + TWO.replace("'two'", "'one'"))
            assert await server.reload()
            new = server.server.service.shares["two"]
            assert new is not old
            assert (await client.ask(CLOSE, messages.close(file_id))).status == 0
            await wait_all_tasks_blocked()
            assert not closed, "the tree connect is still there"
            folder = old.roots[0].lookup
            assert folder.fd != -1
            if leaving == "TREE_DISCONNECT":
                assert (await client.ask(TREE_DISCONNECT)).status == 0
        await wait_all_tasks_blocked(0.01)
        assert closed == ["engine"]
        assert server.server.service.retired == []
        assert folder.fd == -1, "closed with its last use"


def watch_closing(share):
    """A list that gets an entry when the share's engine is closed."""
    closed = []
    close = share.engine.aclose

    async def aclose():
        closed.append("engine")
        await close()

    share.engine.aclose = aclose
    return closed


def names(folder):
    return [path.name for path in folder.iterdir()]


async def test_a_share_that_moved_is_another_one_for_the_next_tree_connect(tmp_path):
    async with running(tmp_path) as server, connected(server) as old, connected(server) as new:
        await old.connect()
        server.write(ONE_SHARE.replace("'one'", "'two'") + "engine = 'threads'\n")
        assert await server.reload()
        await new.connect()
        await old.open("old.txt")
        await new.open("new.txt")
        assert names(tmp_path / "one") == ["old.txt"]
        assert names(tmp_path / "two") == ["new.txt"]
        assert server.server.service.shares["share"].engine.name == "threads"


async def test_a_folder_that_was_replaced_is_opened_again(tmp_path):
    async with running(tmp_path) as server, connected(server) as client:
        (tmp_path / "one").rmdir()
        (tmp_path / "one").mkdir()
        assert await server.reload()
        await client.connect()
        await client.open("a.txt")
        assert names(tmp_path / "one") == ["a.txt"]


async def test_a_share_that_stays_keeps_its_engine_and_gets_its_new_rules(tmp_path):
    async with running(tmp_path) as server:
        share = server.server.service.shares["share"]
        server.write(ONE_SHARE + "users = ['test']\ncomment = 'new'\nhidden = true\n")
        assert await server.reload()
        assert server.server.service.shares["share"] is share
        assert share.config.comment == "new"
        assert share.config.hidden
        other = "[users.other]\npassword = 'x'\n"
        server.write(ONE_SHARE + "users = ['other']\n", users=USERS + other)
        assert await server.reload()
        assert await connect_status(server, "share") == NtStatus.ACCESS_DENIED


async def test_users_and_passwords_count_for_the_next_login(tmp_path):
    async with running(tmp_path) as server, connected(server) as client:
        await client.connect()
        server.write(ONE_SHARE, users="[users.test]\npassword = 'changed'\n")
        assert await server.reload()
        assert await login_status(server) == NtStatus.LOGON_FAILURE
        assert await login_status(server, "test", "changed") == 0
        server.write(ONE_SHARE, users="[users.other]\npassword = 'x'\n")
        assert await server.reload()
        assert await login_status(server, "test", "changed") == NtStatus.LOGON_FAILURE
        assert await login_status(server, "other", "x") == 0
        assert await client.works(), "a session stays"


@pytest.mark.parametrize(
    ("text", "told", "share"),
    [
        (
            "[shares.share]\npath = 'one'\nread_olny = true\n",
            "shares.toml:9: shares.share.read_olny",
            "share",
        ),
        (
            "[shares.share]\npath = 'one'\n[shares.new]\npath = 'nowhere'\n",
            "shares.toml:10: shares.new",
            "new",
        ),
        ("[shares.share]\npath = \n", "shares.toml:8: ", ""),
    ],
)
async def test_a_wrong_file_changes_nothing_and_is_logged(tmp_path, caplog, text, told, share):
    async with running(tmp_path) as server:
        before = server.server.service.shares
        server.write(text, users="[users.test]\npassword = 'changed'\n")
        with caplog.at_level(logging.INFO, "smbd"):
            assert not await server.reload()
        assert server.server.service.shares is before
        assert await login_status(server) == 0, "with the old password"
        assert any(told in one.message for one in caplog.records if one.levelname == "ERROR")
        assert {one.event for one in caplog.records} == {"reload failed"}
        assert getattr(caplog.records[0], "share", "") == share
        assert "nothing was changed" in caplog.text
        assert "changed'" not in caplog.text


async def test_a_file_that_is_gone_changes_nothing(tmp_path, caplog):
    async with running(tmp_path) as server:
        (tmp_path / "shares.toml").unlink()
        assert not await server.reload()
        assert "shares.toml: No such file or directory" in caplog.text
        assert await connect_status(server, "share") == 0


async def test_a_folder_that_goes_while_shares_are_opened_leaves_nothing_open(
    tmp_path, monkeypatch
):
    async with running(tmp_path) as server:

        def vanishing(path, read_only, name, **options):
            if path.name == "two":
                raise FileNotFoundError(2, "No such file or directory", str(path))
            root = Root(path, read_only, name, **options)
            opened.append(root.lookup)
            return root

        from smbd import share
        from smbd.vfs import Root

        opened = []
        monkeypatch.setattr(share, "Root", vanishing)
        server.write("[shares.new]\npath = 'one'\n" + TWO)
        assert not await server.reload()
        assert [lookup.fd for lookup in opened] == [-1]
        assert await connect_status(server, "share") == 0


async def test_what_counts_from_the_next_start_on_is_said(tmp_path, caplog):
    async with running(tmp_path) as server:
        server.write(ONE_SHARE, server="log_format = 'json'\n[server.limits]\nopens = 1\n")
        assert await server.reload()
        text = "server.log_format: a change counts from the next start on"
        assert ("restart needed", text) in [(one.event, one.message) for one in caplog.records]
        assert server.server.service.config.server.log_format == "text"
        assert server.server.service.config.server.limits.opens == 1
        async with connected(server) as client:
            await client.connect()
            await client.open("a")
            refused = await client.ask(CREATE, messages.create("b"))
            assert refused.status == NtStatus.INSUFFICIENT_RESOURCES


async def test_a_share_becomes_continuous_by_the_next_start(tmp_path, caplog):
    async with running(tmp_path) as server:
        folder = f"state_directory = '{tmp_path}/state'\n"
        server.write(ONE_SHARE + "continuous = true\n", server=folder)
        assert await server.reload()
        text = "shares.share.continuous: a change counts from the next start on"
        assert ("restart needed", text) in [(one.event, one.message) for one in caplog.records]


async def test_the_log_says_what_changed(tmp_path, caplog):
    async with running(tmp_path, ONE_SHARE + TWO) as server:
        server.write("[shares.three]\npath = 'two'\n" + TWO.replace("'two'", "'one'"))
        with caplog.at_level(logging.INFO, "smbd"):
            assert await server.reload()
        assert "read again: new: three; gone: share; moved: two" in caplog.text


async def test_reading_goes_on_while_a_share_is_retired_under_it(tmp_path):
    (tmp_path / "big").write_bytes(bytes(1 << 20))
    async with running(tmp_path) as server, connected(server) as client:
        (tmp_path / "big").rename(tmp_path / "one/big")
        await client.connect()
        file_id = await client.open("big")
        server.write(TWO)
        assert await server.reload()
        for offset in range(0, 1 << 20, 1 << 16):
            read = await client.ask(READ, messages.read(file_id, offset, 65536))
            assert read.status == 0
            assert len(read.data) == 65536
