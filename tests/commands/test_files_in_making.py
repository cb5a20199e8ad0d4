"""A new file is nobody else's before it is whole, whichever path leads to it.

Its maker's worker has made it, and its CREATE is not over: others wait, and then take it as it is.
"""

import os
from dataclasses import replace
from struct import pack

import pytest

from smbd import vfs
from smbd.fsa import opening
from smbd.ntstatus import NtStatus
from smbd.share import Share
from smbd.vfs import Place
from tests.commands.stage import on_stage
from tests.commands.test_at_once import known
from tests.commands.test_races import Held
from tests.core import messages
from tests.core.messages import CREATE

OPEN, CREATE_NEW, OPEN_IF, OVERWRITE_IF = 1, 2, 3, 5
READ, WRITE = 1, 2  # DesiredAccess
READONLY = 1
# An EA that servers keep to themselves.
REFUSED = [(b"ExtA", pack("<IBBH", 0, 0, 9, 1) + b"DOSATTRIB\0x")]
FOLDER = "a long folder"


def prepare(folder):
    """A folder by two names, one of them a symbolic link."""
    (folder / FOLDER).mkdir()
    (folder / "way").symlink_to(FOLDER)


def the_same_path(stage, name):
    return f"{FOLDER}\\{name.upper()}", {}


def by_a_symbolic_link(stage, name):
    return f"way\\{name}", {}


def in_another_share(stage, name):
    config = replace(stage.share.config, name="inner", path=stage.share.config.path / FOLDER)
    inner = Share(config, stage.engine, stage.calls)
    return name, {"tree_id": stage.connect(inner)}


def by_the_short_name_of_its_folder(stage, name):
    return f"{vfs.short_name(FOLDER)}\\{name}", {}


PATHS = [
    the_same_path,
    by_a_symbolic_link,
    in_another_share,
    by_the_short_name_of_its_folder,
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("disposition", [OPEN, OPEN_IF, OVERWRITE_IF])
async def test_a_file_is_opened_by_nobody_else_before_it_is_whole(
    tmp_path, mock_clock, path, disposition
):
    prepare(tmp_path)
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        name, tree = path(stage, "new")
        create = await held.create(f"{FOLDER}\\new", disposition=CREATE_NEW, share=0)
        stage.ask(CREATE, messages.create(name, disposition=disposition), **tree)
        assert await stage.answers() == []
        second = NtStatus.SHARING_VIOLATION
        assert await held.answered(create) == [(CREATE, 0), (CREATE, second)]


@pytest.mark.parametrize("path", PATHS)
async def test_a_file_is_made_by_one_create_alone(tmp_path, mock_clock, path):
    prepare(tmp_path)
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        name, tree = path(stage, "new")
        create = await held.create(f"{FOLDER}\\new", disposition=CREATE_NEW, share=0)
        stage.ask(CREATE, messages.create(name, disposition=CREATE_NEW), **tree)
        create.finish()
        answers = sorted(one.status for one in await stage.answers())
        assert answers == [0, NtStatus.OBJECT_NAME_COLLISION]


@pytest.mark.parametrize("path", PATHS)
async def test_a_file_of_which_the_create_fails_has_been_nobody_elses(tmp_path, mock_clock, path):
    prepare(tmp_path)
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        name, tree = path(stage, "new")
        body = {"disposition": CREATE_NEW, "contexts": REFUSED}
        create = await held.create(f"{FOLDER}\\new", **body)
        stage.ask(CREATE, messages.create(name, disposition=OPEN), **tree)
        assert await stage.answers() == []
        failed, second = await held.answered(create)
        assert failed[1] != 0
        assert second == (CREATE, NtStatus.OBJECT_NAME_NOT_FOUND)
        assert list((tmp_path / FOLDER).iterdir()) == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("by_the_loop", [False, True])
async def test_what_was_opened_before_it_was_whole_is_looked_at_again(
    tmp_path, mock_clock, monkeypatch, path, by_the_loop
):
    prepare(tmp_path)
    async with on_stage(tmp_path, at_once=by_the_loop) as stage:
        await known(stage, f"{FOLDER}\\")
        held = Held(stage)
        name, tree = path(stage, "new")
        stage.ask(CREATE, messages.create(name, disposition=OPEN, access=READ | WRITE), **tree)
        assert await stage.answers() == []
        early = stage.calls.held[-1]
        equip = opening._equip

        def equipped(*args):
            assert early.act().value.granted == READ | WRITE, "it is not READONLY yet"
            return equip(*args)

        monkeypatch.setattr(opening, "_equip", equipped)
        stage.calls.holding = False
        await stage.open(f"{FOLDER}\\new", disposition=CREATE_NEW, attributes=READONLY)
        assert await held.answered(early) == [(CREATE, NtStatus.ACCESS_DENIED)]


@pytest.mark.parametrize("path", [by_a_symbolic_link, in_another_share])
async def test_a_file_is_found_by_its_place_before_its_identity_is_known(
    tmp_path, mock_clock, monkeypatch, path
):
    prepare(tmp_path)
    (tmp_path / "new").touch()  # the same name elsewhere
    async with on_stage(tmp_path) as stage:
        changes, held = stage.service.tables.files.changes, Held(stage)
        name, tree = path(stage, "new")
        stage.calls.holding = True
        for wanted, how in ((name, tree), ("NEW", {})):  # as no loop would find it
            stage.ask(CREATE, messages.create(wanted, disposition=OPEN), **how)
            assert await stage.answers() == []
        early, elsewhere = stage.calls.held[-2:]
        made = Place._made

        def half_made(*args, **how):
            assert changes.meet(early.act().value.file) is not None
            assert changes.meet(elsewhere.act().value.file) is None
            return made(*args, **how)

        monkeypatch.setattr(Place, "_made", half_made)
        stage.calls.holding = False
        await stage.open(f"{FOLDER}\\new", disposition=CREATE_NEW, share=0)
        assert await held.answered(elsewhere) == [(CREATE, 0)]
        assert await held.answered(early) == [(CREATE, NtStatus.SHARING_VIOLATION)]


@pytest.mark.parametrize("other", ["old:stream", "new:stream", "new:STREAM"])
@pytest.mark.parametrize("disposition", [OPEN, OPEN_IF, OVERWRITE_IF])
async def test_a_stream_is_opened_by_no_name_of_its_file_before_its_create_is_over(
    tmp_path, mock_clock, other, disposition
):
    (tmp_path / "old").touch()
    os.link(tmp_path / "old", tmp_path / "new")
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        create = await held.create("old:stream", disposition=CREATE_NEW, share=0)
        await stage.open("new", disposition=OPEN, access=READ)  # its file is nobody's business
        stage.ask(CREATE, messages.create(other, disposition=disposition))
        assert await stage.answers() == []
        second = NtStatus.SHARING_VIOLATION
        assert await held.answered(create) == [(CREATE, 0), (CREATE, second)]


async def test_a_file_that_is_made_for_its_stream_is_nobody_elses_before_that(tmp_path, mock_clock):
    prepare(tmp_path)
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        create = await held.create(f"{FOLDER}\\new:stream", disposition=CREATE_NEW)
        stage.ask(CREATE, messages.create("way\\new", disposition=OPEN))
        assert await stage.answers() == []
        assert await held.answered(create) == [(CREATE, 0), (CREATE, 0)]


async def test_other_files_are_opened_while_a_worker_makes_one(tmp_path, mock_clock):
    prepare(tmp_path)
    (tmp_path / "new").write_bytes(b"another one")
    async with on_stage(tmp_path) as stage:
        held = Held(stage)
        create = await held.create(f"{FOLDER}\\new", disposition=CREATE_NEW)
        await stage.open("new", disposition=OPEN)
        assert await held.answered(create) == [(CREATE, 0)]
