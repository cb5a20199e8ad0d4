"""A share of homes: one name, and a folder for each user (`path = "/srv/homes/{user}"`)."""

import logging

import pytest
import trio

from smbd.config import ShareConfig, UserConfig
from smbd.ntstatus import NtStatus
from smbd.server.sweeping import sweep_stores
from smbd.testing import serve, serve_in_thread
from tests.core import messages
from tests.scripted import clients, connected
from tests.scripted.caching import BATCH, durable_v2, reconnect_v2
from tests.server.clients import PypiClient, SambaClient, refusal
from tests.server.running import running

USERS = [UserConfig(name=name, password=name) for name in ("ann", "Bob", "carl", ".dora")]


def homes(folder, name="{user}", **keys):
    share = ShareConfig(name="home", path=folder / name, **keys)
    return {"shares": [share], "users": USERS}


def as_user(server, name, **more):
    return PypiClient(server, user=name, password=more.pop("password", name), share="home", **more)


@pytest.fixture
def home(tmp_path):
    """The folder that holds the homes of ann and Bob."""
    for name in ("ann", "Bob"):
        (tmp_path / "homes" / name).mkdir(parents=True)
    return tmp_path / "homes"


def test_each_user_sees_a_folder_of_its_own(folder, home):
    with serve_in_thread(folder, **homes(home)) as server:
        with as_user(server, "ann") as ann, as_user(server, "BOB", password="Bob") as bob:
            ann.put("diary", b"mine")
            assert bob.names() == set()
            bob.put("diary", b"mine alone")
            assert ann.get("diary") == b"mine"
            for way in (r"..\Bob\diary", r"..\..\homes\Bob\diary"):
                got = refusal(ann.open, way)
                assert got == NtStatus.OBJECT_PATH_SYNTAX_BAD, way
    assert (home / "ann/diary").read_bytes() == b"mine"
    assert (home / "Bob/diary").read_bytes() == b"mine alone"


def test_samba_s_client_reaches_its_own_by_any_spelling_of_its_name(folder, home):
    (home / "Bob/hello").write_bytes(b"from Bob")
    with serve_in_thread(folder, **homes(home)) as server:
        with SambaClient(server, user="bOB", password="Bob", share="HOME") as bob:
            assert bob.get("hello") == b"from Bob"


async def test_who_has_no_folder_is_refused_and_the_log_says_which(folder, home, caplog):
    caplog.set_level(logging.INFO)
    async with serve(folder, **homes(home)) as server:
        for name in ("carl", ".dora"):
            async with connected(server) as client:
                await client.negotiate()
                await client.log_in(name, name)
                assert (await client.enter("home")).status == NtStatus.BAD_NETWORK_NAME
            assert f"home: {home}/{name} cannot be served: No such file or directory" in caplog.text
    assert {one.name for one in home.iterdir()} == {"ann", "Bob"}


async def test_with_create_a_missing_folder_is_made_when_its_user_connects(folder, home, caplog):
    caplog.set_level(logging.INFO)
    async with serve(folder, **homes(home, create=True)) as server:
        assert not (home / "carl").exists()
        async with connected(server) as carl:
            await carl.connect("home", user="carl", password="carl")
            await carl.open("file")
            assert f"home: made the folder {home}/carl" in caplog.text
        shares = list(server.server.service.shares.values())
        await sweep_stores(shares, shares, users=[user.name for user in USERS])
    assert (home / "carl").stat().st_mode & 0o777 == 0o700
    assert (home / "carl/file").exists()
    assert not (home / ".dora").exists(), "the sweep makes none"


def test_a_home_may_be_a_symbolic_link_of_the_administrator_s(folder, home, tmp_path):
    (tmp_path / "disk").mkdir()
    (home / "carl").symlink_to(tmp_path / "disk")
    with serve_in_thread(folder, **homes(home)) as server, as_user(server, "carl") as carl:
        carl.put("file", b"on another disk")
    assert (tmp_path / "disk/file").read_bytes() == b"on another disk"


def test_a_folder_in_a_home_is_served_unless_its_user_leads_out_of_it(folder, home):
    (home / "ann/shared").mkdir()
    (home / "ann/shared/file").write_bytes(b"ann's")
    (home / "Bob/elsewhere").mkdir()
    (home / "Bob/shared").symlink_to("elsewhere")
    (home / "carl").mkdir()
    (home / "carl/shared").symlink_to("../ann/shared")
    (home / ".dora").mkdir()
    (home / ".dora/shared").symlink_to("/")
    with serve_in_thread(folder, **homes(home, "{user}/shared")) as server:
        with as_user(server, "ann") as ann, as_user(server, "Bob") as bob:
            assert ann.get("file") == b"ann's"
            bob.put("file", b"Bob's")
        for name in ("carl", ".dora"):
            assert refusal(as_user, server, name) == NtStatus.BAD_NETWORK_NAME, name
    assert (home / "Bob/elsewhere/file").read_bytes() == b"Bob's"


async def test_a_home_that_was_removed_is_made_again_though_somebody_still_uses_it(folder, home):
    async with serve(folder, **homes(home, create=True)) as server:
        async with connected(server) as first, connected(server) as second:
            await first.connect("home", user="carl", password="carl")
            (home / "carl").rename(home / "moved")
            await second.connect("home", user="carl", password="carl")
            await second.open("new")
    assert (home / "carl/new").exists()


@pytest.mark.parametrize("name", ["..", "."])
def test_a_name_that_leads_elsewhere_is_no_user_s_of_such_a_share(folder, home, name):
    user = UserConfig(name=name, password="x")
    share = ShareConfig(name="home", path=home / "{user}")
    with pytest.raises(ValueError, match="there can be no folder for the user"):
        with serve_in_thread(folder, shares=[share], users=[user]):
            pass
    beside = ShareConfig(name="home", path=home / "home of {user}", create=True)
    with serve_in_thread(folder, shares=[beside], users=[user]) as server:
        with PypiClient(server, user=name, password="x", share="home") as client:
            client.put("file", b"")
    assert (home / f"home of {name}" / "file").exists()
    others = ShareConfig(name="home", path=home / "{user}", users=("test",), create=True)
    with serve_in_thread(folder, shares=[others], users=[user]):
        pass


async def test_a_home_that_is_made_anew_is_seen_by_the_next_connection(folder, home):
    async with serve(folder, **homes(home)) as server:
        async with connected(server) as first, connected(server) as second:
            await first.connect("home", user="ann", password="ann")
            await first.open("old")
            (home / "ann").rename(home / "gone")
            (home / "ann").mkdir()
            await second.connect("home", user="ann", password="ann")
            await second.open("new")
        assert [one.name for one in (home / "ann").iterdir()] == ["new"]


async def test_a_lost_handle_comes_back_to_its_user_in_its_home_alone(folder, home, mock_clock):
    async with serve(folder, **homes(home)) as server, clients(server) as new_client:
        ann, bob = new_client(), new_client()
        first = await ann.connect("home", user="ann", password="ann")
        wanted = {"oplock": BATCH, "contexts": [durable_v2(b"create guid 16 b")]}
        before = await first.open("file", **wanted)
        await ann.lose(first)
        while server.server.document()["parked"] != 1:
            await trio.lowlevel.checkpoint()
        context = reconnect_v2(before, b"create guid 16 b")
        foreign = await bob.connect("home", user="Bob", password="Bob")
        answer = await foreign.create("", contexts=[context])
        assert answer.status == NtStatus.OBJECT_NAME_NOT_FOUND
        again = await ann.connect("home", user="ann", password="ann")
        assert (await again.create("", contexts=[context])).status == 0


async def test_a_share_becomes_one_of_homes_by_a_reload(tmp_path):
    async with running(tmp_path) as server, connected(server) as client:
        await client.connect()
        kept = await client.open("before")
        (tmp_path / "homes/test").mkdir(parents=True)
        server.write("[shares.share]\npath = 'homes/{user}'\n")
        assert await server.reload()
        assert (await client.ask(messages.WRITE, messages.write(kept, b"x"))).status == 0
        await client.enter()
        await client.open("after")
        server.write("[shares.share]\npath = 'no homes/{user}'\n")
        assert not await server.reload()
    assert (tmp_path / "homes/test/after").exists()
