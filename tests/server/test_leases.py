"""Leases between clients, over real sockets ([MS-SMB2] 3.3.4.7, 3.3.5.9.8, 3.3.5.22.2)."""

from itertools import count

import pytest
import trio

from smbd.config import ShareConfig, UserConfig
from smbd.memory import CACHING
from smbd.ntstatus import NtStatus
from smbd.testing import serve
from smbd.wire.header import Capabilities
from tests.core import messages
from tests.core.messages import CREATE, SET_INFO
from tests.scripted import WINDOWS, caching, clients, frames
from tests.scripted.caching import BY_LEASE, H, LeaseBreak, R, W

KEY, OTHER, THIRD = b"the first's key.", b"the second's key", b"the third's key."
ALL = R | W | H


@pytest.fixture
async def new_client(tmp_path):
    async with serve(tmp_path) as server, clients(server) as new_client:
        with trio.fail_after(240):
            yield new_client


@pytest.fixture
async def pair(new_client):
    return await new_client().connect(), await new_client().connect()


def leased(key=KEY, state=ALL, **lease):
    return {"oplock": BY_LEASE, "contexts": (caching.lease(key, state, **lease),)}


def must_give_up(epoch, held, left):
    return LeaseBreak(epoch, must_acknowledge=True, key=KEY, current=held, new=left)


def reads_no_more(key=KEY, epoch=2):
    return LeaseBreak(epoch, must_acknowledge=False, key=key, current=R, new=0)


async def told(connection):
    return caching.parse_break(await connection.notification())


async def begin_create(connection, name, **wanted):
    message_id = await connection.begin(CREATE, messages.create(name, **wanted))
    await connection.interim(message_id)
    return message_id


@pytest.mark.parametrize(
    ("dialect", "wanted", "offered"),
    [
        (0x0202, 0x7F, 0),
        (0x0210, 0x7F, Capabilities.LEASING),
        (0x0300, 0x7F, Capabilities.LEASING | Capabilities.DIRECTORY_LEASING),
        (0x0311, 0x7F, Capabilities.LEASING | Capabilities.DIRECTORY_LEASING),
        (0x0311, Capabilities.LEASING, Capabilities.LEASING),
    ],
)
async def test_what_is_offered(new_client, dialect, wanted, offered):
    client = await new_client().connection()
    answer = await client.negotiate(dialects=(dialect,), capabilities=wanted)
    capabilities = int.from_bytes(answer.body[24:28], "little")
    both = Capabilities.LEASING | Capabilities.DIRECTORY_LEASING
    assert capabilities & both == offered


@pytest.mark.parametrize("version", [1, 2])
async def test_a_lease_is_granted_and_the_answer_has_its_version(pair, version):
    ann, _ = pair
    answer = await ann.create("file", **leased(version=version, epoch=7))
    lease = caching.granted_lease(answer)
    assert (answer.oplock, lease.version, lease.key, lease.state) == (BY_LEASE, version, KEY, ALL)
    assert lease.epoch == (8 if version == 2 else 0)
    assert lease.flags == 0


async def test_version_2_is_not_for_the_dialects_before_3(new_client):
    ann = await new_client().connect(dialects=(0x0210,))
    old, new = leased(version=1), leased(OTHER, version=2)
    assert caching.granted_lease(await ann.create("file", **old)).state == ALL
    assert caching.granted_lease(await ann.create("new", **new)) is None


@pytest.mark.parametrize("wanted", [{"oplock": 9}, {"oplock": BY_LEASE, "contexts": ()}])
async def test_a_lease_needs_its_level_and_its_context(pair, wanted):
    ann, _ = pair
    answer = await ann.create("file", **{"contexts": leased()["contexts"]} | wanted)
    assert caching.granted_lease(answer) is None
    assert answer.oplock == wanted["oplock"] % BY_LEASE


async def test_two_opens_of_one_client_with_one_key_do_not_disturb_each_other(pair):
    ann, bob = pair
    first = await ann.open("file", **leased())
    again = await ann.create("file", **leased(state=R))
    assert caching.granted_lease(again).state == ALL
    assert (await ann.write(first, b"data")).status == 0
    await ann.close(first)
    waits = await begin_create(bob, "file")
    assert (await told(ann)).new == R | H, "the lease lives as long as one of its opens"
    await ann.acknowledge_lease(KEY, R | H)
    assert (await bob.reply(waits)).status == 0


async def test_the_second_client_waits_and_both_cache_reads_then(pair):
    ann, bob = pair
    await ann.open("file", **leased(epoch=5))
    waits = await begin_create(bob, "file", **leased(OTHER))

    assert await told(ann) == must_give_up(7, ALL, R | H)
    answer = await ann.acknowledge_lease(KEY, R | H)
    assert answer.status == 0
    assert answer.body[8:28] == KEY + (R | H).to_bytes(4, "little")

    assert caching.granted_lease(await bob.reply(waits)).state == R | H
    mine = await bob.open("file", **leased(OTHER))
    assert (await bob.write(mine, b"data")).status == 0
    assert await told(ann) == must_give_up(8, R | H, 0)
    assert await bob.was_told_nothing()


async def test_what_a_breaking_lease_says_of_itself(pair):
    ann, bob = pair
    await ann.open("file", **leased())
    waits = await begin_create(bob, "file")
    await told(ann)
    lease = caching.granted_lease(await ann.create("file", **leased()))
    assert (lease.state, lease.flags) == (ALL, 2)  # BREAK_IN_PROGRESS
    await ann.acknowledge_lease(KEY, R)
    lease = caching.granted_lease(await ann.create("file", **leased(state=R)))
    assert (lease.state, lease.flags) == (R, 0)
    assert (await bob.reply(waits)).status == 0


async def test_the_next_break_comes_behind_the_answer_to_the_acknowledgment(pair):
    ann, bob = pair
    await ann.open("file", **leased())
    first = await begin_create(bob, "file")
    second = await begin_create(bob, "file", disposition=4)  # OVERWRITE
    assert (await told(ann)).new == R | H
    message_id = await ann.begin(messages.OPLOCK_BREAK, messages.lease_break(KEY, R | H))
    answers = [await ann.frame(), await ann.frame()]
    ids = [int.from_bytes(frame[24:32], "little") for frame in answers]
    assert ids == [message_id, 2**64 - 1]
    assert (await ann.acknowledge_lease(KEY, R)).status == 0
    assert (await told(ann)) == reads_no_more(epoch=4), "Linux does not hear of an epoch twice"
    for waits in (first, second):
        assert (await bob.reply(waits)).status == 0


@pytest.mark.parametrize(
    ("key", "state", "status"),
    [
        (KEY, ALL, NtStatus.REQUEST_NOT_ACCEPTED),
        (KEY, R | W, NtStatus.REQUEST_NOT_ACCEPTED),
        (THIRD, R, NtStatus.OBJECT_NAME_NOT_FOUND),
        (KEY, R, 0),
        (KEY, 0, 0),
    ],
)
async def test_acknowledgments(pair, key, state, status):
    ann, bob = pair
    await ann.open("file", **leased())
    waits = await begin_create(bob, "file")
    await told(ann)
    assert (await ann.acknowledge_lease(key, state)).status == status
    if not status:
        assert (await bob.reply(waits)).status == 0
        assert (await ann.acknowledge_lease(key, state)).status == NtStatus.UNSUCCESSFUL


async def test_nobody_acknowledges_somebody_elses_lease(tmp_path):
    """Nor by naming his ClientGuid, which is no secret on the wire."""
    eve = UserConfig(name="eve", password="eve")
    async with serve(tmp_path, users=[eve]) as server, clients(server) as new_client:
        with trio.fail_after(240):
            owner, other = new_client(guid=b"the same guid..."), new_client()
            thief = new_client(guid=b"the same guid...")
            robber = await thief.connect(user="eve", password="eve")
            ann, bob = await owner.connect(), await other.connect()
            await ann.open("file", **leased())
            waits = await begin_create(bob, "file")
            assert (await told(ann)).new == R | H, "told to the owner, not to who came first"
            for somebody in (bob, robber):
                refused = await somebody.acknowledge_lease(KEY, 0)
                assert refused.status == NtStatus.OBJECT_NAME_NOT_FOUND
                assert await somebody.was_told_nothing()
            assert (await ann.acknowledge_lease(KEY, R)).status == 0
            assert (await bob.reply(waits)).status == 0


async def test_one_key_for_two_files_is_refused_and_makes_none(new_client, tmp_path):
    ann = await new_client().connect()
    await ann.open("file", **leased())
    await ann.open("there")
    for disposition in (2, 3, 5):  # CREATE, OPEN_IF, OVERWRITE_IF
        refused = await ann.create("another", disposition=disposition, **leased())
        assert refused.status == NtStatus.INVALID_PARAMETER
    assert (await ann.create("there", **leased())).status == NtStatus.INVALID_PARAMETER
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "there"]


async def test_a_key_goes_with_a_file_that_is_renamed(pair):
    ann, _ = pair
    opened = await ann.open("file", **leased())
    assert (await ann.set_info(opened, frames.RENAME, frames.rename("new"))).status == 0
    again = await ann.create("new", **leased(state=R))
    assert caching.granted_lease(again).state == ALL
    assert await ann.was_told_nothing()


@pytest.mark.parametrize(
    ("info_class", "data"),
    [(frames.RENAME, frames.rename("new")), (frames.DISPOSITION, b"\1")],
    ids=["rename", "disposition"],
)
async def test_a_name_goes_when_nobody_keeps_the_file_open_for_no_program(pair, info_class, data):
    ann, bob = pair
    await ann.open("file", **leased(state=R | H))
    mine = await bob.open("file", **leased(OTHER, R | H))
    waits = await bob.begin(SET_INFO, messages.set_info(mine, info_class, data))
    assert (await told(ann)).new == R
    await bob.interim(waits)
    assert await bob.works()
    await ann.acknowledge_lease(KEY, R)
    assert (await bob.reply(waits)).status == 0
    assert await bob.was_told_nothing()


async def test_a_file_that_is_kept_open_for_no_program_can_be_replaced(pair):
    ann, bob = pair
    kept = await ann.open("file", **leased(state=R | H))
    mine = await bob.open("new")
    renames = messages.set_info(mine, frames.RENAME, frames.rename("file", replace=True))
    waits = await bob.begin(SET_INFO, renames)
    assert (await told(ann)).new == R
    await ann.close(kept)
    assert (await bob.reply(waits)).status == 0


async def test_a_folder_moves_when_nothing_in_it_is_kept_open_for_no_program(pair):
    ann, bob = pair
    folder = await bob.open("folder", options=1)
    kept = await ann.open("folder\\file", **leased(state=R | H))
    renames = messages.set_info(folder, frames.RENAME, frames.rename("new"))
    waits = await bob.begin(SET_INFO, renames)
    assert (await told(ann)).new == R
    await ann.close(kept)
    assert (await bob.reply(waits)).status == 0


async def test_delete_on_close_asks_for_the_handles(pair, tmp_path):
    ann, bob = pair
    kept = await ann.open("file", **leased(state=R | H))
    mine = await bob.open("file", options=messages.DELETE_ON_CLOSE)
    assert await ann.was_told_nothing()
    waits = await bob.begin(messages.CLOSE, messages.close(mine))
    assert (await told(ann)).new == R
    await bob.interim(waits)
    await ann.close(kept)
    assert (await bob.reply(waits)).status == 0
    assert list(tmp_path.iterdir()) == [], "it is gone when CLOSE is answered"


async def test_a_close_that_is_cancelled_while_it_waits_closes(pair):
    ann, bob = pair
    await ann.open("file", **leased(state=R | H))
    mine = await bob.open("file", options=messages.DELETE_ON_CLOSE)
    waits = await bob.begin(messages.CLOSE, messages.close(mine))
    await bob.interim(waits)
    await bob.cancel(waits)
    assert (await bob.reply(waits)).status == 0
    assert (await bob.close(mine)).status == NtStatus.FILE_CLOSED


async def test_a_client_that_gives_up_its_cache_may_open_the_file_by_name_meanwhile(pair):
    """The CREATE that waits must not stand in its way: both may make the file."""
    ann, bob = pair
    await ann.open("file", **leased())
    waits = await begin_create(bob, "file", disposition=3)  # OPEN_IF
    await told(ann)
    again = await ann.create("file", disposition=3, **leased())
    assert again.status == 0
    await ann.write(again.file_id, b"data")
    await ann.acknowledge_lease(KEY, R | H)
    assert (await bob.reply(waits)).status == 0


async def test_a_break_is_told_again_on_the_next_connection_of_the_same_client(new_client):
    anna, other = new_client(), new_client()
    first, second = await anna.connect(), await anna.connect()
    bob = await other.connect()
    await second.open("file", **leased())
    waits = await begin_create(bob, "file")
    assert (await told(first)).key == KEY, "the oldest connection"

    await anna.lose(first)

    assert (await told(second)).key == KEY
    assert (await second.acknowledge_lease(KEY, R | H)).status == 0
    assert (await bob.reply(waits)).status == 0


async def test_leases_end_with_their_session(pair):
    ann, bob = pair
    await ann.open("file", **leased())
    waits = await begin_create(bob, "file", **leased(OTHER))
    await told(ann)
    assert (await ann.ask(messages.LOGOFF)).status == 0
    assert caching.granted_lease(await bob.reply(waits)).state == ALL


async def test_a_share_and_a_server_without_leases(tmp_path):
    async with serve(tmp_path, leases=False) as server, clients(server) as new_client:
        client = await new_client().connection()
        answer = await client.negotiate(capabilities=0x7F)
        assert not int.from_bytes(answer.body[24:28], "little") & Capabilities.LEASING
        client = await new_client().connect()
        answer = await client.create("file", **leased())
        assert (answer.oplock, caching.granted_lease(answer)) == (0, None)


async def test_a_share_without_leases_beside_one_with(tmp_path):
    (tmp_path / "shared").mkdir()
    without = ShareConfig("without", tmp_path / "shared", leases=False)
    async with serve(tmp_path / "shared", shares=[without]) as server:
        async with clients(server) as new_client:
            ann = await new_client().connect("without")
            bob = await new_client().connect()
            assert (await ann.create("file", **leased())).oplock == 0
            assert (await ann.create("batch", oplock=9)).oplock == 0
            assert caching.granted_lease(await bob.create("file", **leased())).state == R | H


# --- amounts ---


async def test_a_thousand_leases_on_one_file_break_in_one_request(new_client):
    anna, other = new_client(WINDOWS), new_client()
    ann, bob = await anna.connect(), await other.connect()
    keys = [b"key no. %08d" % number for number in range(1000)]
    for key in keys:
        await ann.open("file", **leased(key, R))
    mine = await bob.open("file")
    assert (await bob.write(mine, b"data")).status == 0
    for key in keys:
        assert await told(ann) == reads_no_more(key)
    assert await ann.works()


async def test_leases_count_in_their_connections_memory(tmp_path):
    async with serve(tmp_path) as server, clients(server) as new_client:
        ann = await new_client().connect()
        (served,) = server.server._clients
        held = served.connection.memory.held
        opened = await ann.open("file")
        plain = served.connection.memory.held - held
        leased_open = await ann.open("file", **leased())
        assert served.connection.memory.held - held == 2 * plain + CACHING
        for file_id in (opened, leased_open):
            await ann.close(file_id)
        assert served.connection.memory.held == held
        assert not any(
            client.leases for client in server.server.service.tables.clients._clients.values()
        )


async def test_clients_that_have_gone_are_forgotten(tmp_path):
    async with serve(tmp_path) as server, clients(server) as new_client:
        anna = new_client()
        ann = await anna.connect()
        await ann.open("file", **leased())
        known = server.server.service.tables.clients._clients
        assert len(known) == 1
        await anna.lose(ann)
        for _ in count():
            if not known:
                break
            await trio.sleep(0.01)


# --- directories ---

DIRECTORY = b"a directory's key"[:16]
FOLDER = {"options": 1, "access": 0x100081}


@pytest.fixture
async def listing(pair):
    """(ann, bob); ann has the listing of `folder` cached, in which there is a file."""
    ann, bob = pair
    for name, options in (("folder", 1), ("folder\\inner", 1), ("folder\\file", 0)):
        await bob.close(await bob.open(name, options=options))
    for name in ("folder\\b", "outside"):
        await bob.close(await bob.open(name))
    answer = await ann.create("folder", **FOLDER, **leased(DIRECTORY))
    assert caching.granted_lease(answer).state == R | H
    return ann, bob


async def told_of_the_folder(ann):
    said = await told(ann)
    assert (said.key, said.current, said.new) == (DIRECTORY, R | H, 0)
    assert said.must_acknowledge
    return said


@pytest.mark.parametrize("version", [1, 2])
async def test_a_directory_is_leased_to_clients_that_know_how(new_client, version):
    ann = await new_client().connect()
    answer = await ann.create("folder", options=1, **leased(version=version))
    lease = caching.granted_lease(answer)
    assert (None if lease is None else lease.state) == (R | H if version == 2 else None)
    plain = await ann.create("folder", options=1, oplock=9)
    assert plain.oplock == 0


async def test_a_name_that_comes_breaks_the_lease_and_waits_for_nobody(listing):
    ann, bob = listing
    assert (await bob.create("folder\\new")).status == 0
    await told_of_the_folder(ann)
    assert (await bob.create("folder\\other")).status == 0
    assert await ann.was_told_nothing()
    assert (await ann.acknowledge_lease(DIRECTORY, 0)).status == 0


SIZE, ALLOCATION, TIMES = 20, 19, bytes(16) + (1 << 56).to_bytes(8, "little") + bytes(16)
# What bob opens, SET_INFO's class and data, and whether the open is then to be closed.
CHANGES = {
    "deletion": ("folder\\file", frames.DISPOSITION, b"\1", True),
    "rename": ("folder\\file", frames.RENAME, frames.rename("folder\\new"), False),
    "rename over": ("folder\\file", frames.RENAME, frames.rename("folder\\b", replace=True), False),
    "rename of a folder": ("folder\\inner", frames.RENAME, frames.rename("folder\\new"), False),
    "move in": ("outside", frames.RENAME, frames.rename("folder\\new"), False),
    "move out": ("folder\\file", frames.RENAME, frames.rename("new"), False),
    "link": ("folder\\file", 11, frames.rename("folder\\new"), False),
    "link into": ("outside", 11, frames.rename("folder\\new"), False),
    "attributes": ("folder\\file", 4, bytes(32) + b"\2" + bytes(7), False),
    "times": ("folder\\file", 4, TIMES + bytes(8), False),
    "size": ("folder\\file", SIZE, (9).to_bytes(8, "little"), False),
    "allocation": ("folder\\file", ALLOCATION, bytes(8), False),
    "removal of a folder": ("folder\\inner", frames.DISPOSITION, b"\1", True),
}


@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.parametrize("who", ["another client", "the same client, without the key"])
async def test_what_a_listing_shows_breaks_the_lease(listing, who, how):
    ann, bob = listing
    actor = bob if who == "another client" else ann
    name, info_class, data, closes = CHANGES[how]
    mine = await actor.open(name)
    assert await ann.was_told_nothing(), "to open what is there changes nothing"
    assert (await actor.set_info(mine, info_class, data)).status == 0
    if closes:
        await actor.close(mine)
    await told_of_the_folder(ann)


@pytest.mark.parametrize(
    "made",
    [{"name": "folder\\new", "options": 1}, {"name": "folder\\file", "disposition": 5}],
    ids=["a folder is made", "a file is overwritten"],
)
async def test_a_create_that_a_listing_shows_breaks_the_lease(listing, made):
    ann, bob = listing
    assert (await bob.create(**made)).status == 0
    await told_of_the_folder(ann)


async def test_delete_on_close_breaks_the_lease_when_the_name_is_gone(listing, tmp_path):
    ann, bob = listing
    mine = await bob.open("folder\\file", options=messages.DELETE_ON_CLOSE)
    assert await ann.was_told_nothing()
    await bob.close(mine)
    await told_of_the_folder(ann)
    assert not (tmp_path / "folder/file").exists()


@pytest.mark.parametrize("leased_by", ["folder", "falias"])
@pytest.mark.parametrize("how", [None, *CHANGES])
async def test_a_directory_is_one_whatever_symbolic_link_leads_to_it(
    new_client, tmp_path, leased_by, how
):
    """Its changes were looked for by the name that it was opened by, and a listing went stale."""
    (tmp_path / "folder/inner").mkdir(parents=True)
    for name in ("folder/file", "folder/b", "outside"):
        (tmp_path / name).touch()
    (tmp_path / "falias").symlink_to("folder")
    ann, bob = await new_client().connect(), await new_client().connect()
    answer = await ann.create(leased_by, **FOLDER, **leased(DIRECTORY))
    assert caching.granted_lease(answer).state == R | H
    other = "falias" if leased_by == "folder" else "folder"
    if how is None:
        await bob.open(f"{other}\\new")
    else:
        name, info_class, data, closes = CHANGES[how]
        data = data.replace("folder".encode("utf-16le"), other.encode("utf-16le"))
        mine = await bob.open(name.replace("folder", other))
        assert (await bob.set_info(mine, info_class, data)).status == 0
        if closes:
            await bob.close(mine)
    await told_of_the_folder(ann)


async def test_what_is_written_breaks_the_lease_when_the_file_is_closed(listing):
    ann, bob = listing
    mine = await bob.open("folder\\file")
    assert (await bob.write(mine, b"data")).status == 0
    assert await ann.was_told_nothing()
    await bob.close(mine)
    await told_of_the_folder(ann)


@pytest.mark.parametrize(("parent", "breaks"), [(DIRECTORY, False), (OTHER, True), (None, True)])
async def test_what_is_done_by_the_key_of_the_directory_is_no_news(listing, parent, breaks):
    ann, _ = listing
    made = await ann.create("folder\\new", **leased(KEY, parent=parent))
    lease = caching.granted_lease(made)
    assert lease.flags == (4 if parent else 0)
    assert lease.parent_key == (parent or bytes(16))
    if breaks:
        await told_of_the_folder(ann)
        return
    await ann.write(made.file_id, b"data")
    await ann.close(made.file_id)
    assert await ann.was_told_nothing()


async def test_anothers_key_of_the_same_name_spares_nobody(listing):
    ann, bob = listing
    await bob.open("folder\\new", **leased(KEY, parent=DIRECTORY))
    await told_of_the_folder(ann)


async def test_a_lease_goes_with_a_directory_that_moves(listing):
    ann, bob = listing
    mine = await bob.open("folder", options=1)
    renames = messages.set_info(mine, frames.RENAME, frames.rename("moved"))
    waits = await bob.begin(SET_INFO, renames)
    assert (await told(ann)).new == R
    await ann.acknowledge_lease(DIRECTORY, R)
    assert (await bob.reply(waits)).status == 0
    await bob.open("moved\\new")
    said = await told(ann)
    assert (said.key, said.current, said.new) == (DIRECTORY, R, 0)
    again = await ann.create("moved", **FOLDER, **leased(DIRECTORY))
    assert caching.granted_lease(again).state == R | H
    await bob.open("moved\\other")
    await told_of_the_folder(ann)


@pytest.mark.parametrize("how", ["made", "moved", "itself a symbolic link"])
async def test_a_directory_stays_where_a_file_in_it_was_opened_by_way_of_a_symbolic_link(
    pair, tmp_path, how
):
    """[MS-FSA] 2.1.5.15.11: something in it is open."""
    ann, bob = pair
    (tmp_path / "folder").mkdir()
    (tmp_path / "way").symlink_to("folder")
    if how == "itself a symbolic link":
        (tmp_path / "target").touch()
        (tmp_path / "folder/file").symlink_to("../target")
    kept = await ann.open("file" if how == "moved" else "way\\file")
    if how == "moved":
        renames = frames.rename("way\\file")
        assert (await ann.set_info(kept, frames.RENAME, renames)).status == 0
    folder = await bob.open("folder", options=1)
    answer = await bob.set_info(folder, frames.RENAME, frames.rename("elsewhere"))
    assert answer.status == NtStatus.ACCESS_DENIED
    await ann.close(kept)
    answer = await bob.set_info(folder, frames.RENAME, frames.rename("elsewhere"))
    assert answer.status == 0


async def test_a_listing_that_was_closed_is_told_nothing(tmp_path):
    async with serve(tmp_path) as server, clients(server) as new_client:
        ann, bob = await new_client().connect(), await new_client().connect()
        folder = await ann.open("folder", options=1, **leased(DIRECTORY))
        await ann.close(folder)
        assert server.server.service.tables.files.directories._leased == {}
        await bob.open("folder\\new")
        assert await ann.was_told_nothing()


# --- streams ---


async def test_each_stream_has_leases_of_its_own(pair):
    ann, bob = pair
    of_stream = await ann.create("file:stream", **leased())
    of_file = await bob.create("file", **leased(OTHER))
    assert caching.granted_lease(of_stream).state == caching.granted_lease(of_file).state == ALL


@pytest.mark.parametrize("wanted", [{"access": 0x00010000}, {"disposition": 5}])
async def test_who_deletes_or_overwrites_a_file_asks_for_the_handles_on_its_streams(pair, wanted):
    ann, bob = pair
    kept = await ann.open("file:stream", share=3, **leased())
    waiting = await begin_create(bob, "file", **wanted)
    assert (await told(ann)).current == ALL
    await ann.close(kept)
    assert (await bob.reply(waiting)).status == 0
