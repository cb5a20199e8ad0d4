"""Reservations of names: what waits for what, and what a CREATE on its way gets to know."""

import pytest

from smbd.state import Change, Changes, Wait
from tests.state.holders import PaperFile

A, B, FOLDER, OTHER = (1, 10), (1, 11), (1, 20), (1, 21)


def file(key=A, path="a", folder=None):
    made = PaperFile(device=key[0], inode=key[1], path=path)
    made.created_in = folder
    return made


@pytest.mark.parametrize(
    ("one", "other", "waits"),
    [
        ({"files": [A]}, {"files": [A]}, True),
        ({"files": [A]}, {"files": [B]}, False),
        ({"files": [A], "folders": [FOLDER]}, {"files": [B], "folders": [FOLDER]}, False),
        ({"files": [A], "folders": [FOLDER]}, {"files": [FOLDER]}, True),
        (
            {"files": [FOLDER], "moving": ("/share/d",)},
            {"files": [A], "paths": ("/share/d/e/a",)},
            True,
        ),
        (
            {"files": [FOLDER], "moving": ("/share/d",)},
            {"files": [A], "paths": ("/share/da",)},
            False,
        ),
    ],
)
def test_a_change_waits_for_one_that_is_about_the_same(one, other, waits):
    for first, second in ((one, other), (other, one)):
        changes = Changes()
        change = changes.begin(**first)
        assert isinstance(change, Change)
        assert isinstance(changes.begin(**second), Wait) is waits
        change.end()
        if waits:
            assert isinstance(changes.begin(**second), Change)


def test_all_who_wait_for_a_change_are_woken_at_its_end():
    changes, woken = Changes(), []
    with changes.begin([A]):
        waits = [changes.begin([A, B]), changes.meet(file(A))]
        for number, wait in enumerate(waits):
            wait.wake = lambda number=number: woken.append(number)
        assert changes.meet(file(B)) is None, "a change that waits has reserved nothing"
        assert woken == []
    assert woken == [0, 1]
    assert all(wait.over for wait in waits)
    assert changes.meet(file(A)) is None


def test_a_create_meets_changes_of_its_file_of_its_folder_and_of_folders_above():
    changes = Changes()
    with changes.begin([A]):
        assert changes.meet(file(A)) is not None
    with changes.begin([FOLDER]):
        assert changes.meet(file(A)) is None
        assert changes.meet(file(A, folder=FOLDER)) is not None
        assert changes.meet(file(A, folder=OTHER)) is None
    with changes.begin([FOLDER], moving=("/share/d",)):
        assert changes.meet(file(A, "d/e/a")) is not None
        assert changes.meet(file(A, "da")) is None


def test_a_create_is_told_of_what_ended_while_it_was_away():
    changes = Changes()
    changes.begin([A]).end()
    with changes.flight() as early:
        assert early.meets(file(A)) is None, "that was before"
        changes.begin([A]).end()
        with changes.flight() as late:
            changes.begin([FOLDER], moving=("/share/d",)).end()
            for flight in (early, late):
                assert flight.meets(file(B)) is None
                assert flight.meets(file(B, folder=FOLDER)).over
                assert flight.meets(file(B, "d/b")).over
            assert early.meets(file(A)).over
            assert late.meets(file(A)) is None
            early.begin()
            assert early.meets(file(A)) is None
            assert early.meets(file(B, "d/b")) is None


def test_what_a_create_makes_is_met_by_all_others_until_it_is_over():
    changes = Changes()
    with changes.flight() as other:
        with changes.flight() as maker:
            with maker.making.at("/share/d/New"):
                # Nobody knows yet what it is, but where it will be.
                by_place = other.meets(file(B, "d/NEW"))
                assert other.meets(file(B, "e/New")) is None
                assert other.meets(file(A, "d/old")) is None
                maker.making.makes(A)
            by_identity = other.meets(file(A, "d/old"))
            assert other.meets(file(B, "d/NEW")) is None
            assert changes.meet(file(A)) is not None
            assert maker.meets(file(A)) is None, "it is its own"
            assert not by_place.over
            assert not by_identity.over
        assert by_place.over
        assert by_identity.over
        assert other.meets(file(A)).over, "it was opened before it was whole"
        with changes.flight() as late:
            assert late.meets(file(A)) is None
    assert changes == Changes(moment=changes.moment)


def test_a_stream_in_making_is_met_by_those_who_open_it_or_make_it():
    changes = Changes()
    with changes.flight() as other, changes.flight() as maker:
        stream = PaperFile(10, "a", stream="s", of=file(A))
        maker.making.makes((*A, "s"))
        assert other.meets(file(A)) is None
        assert other.meets(stream) is not None


def test_nothing_is_kept_of_what_nobody_asks_about():
    changes = Changes()
    with changes.flight() as long:
        for number in range(100):
            with changes.flight():
                changes.begin([(1, number)], moving=(f"/share/{number}",)).end()
        assert len(changes._ended) == 100
        long.begin()
        with changes.flight():
            pass
        assert not changes._ended
        assert not changes._moved
        changes.begin([A], moving=("/share/a",)).end()
    assert changes == Changes(moment=changes.moment, _forgotten=changes._forgotten)


def test_a_create_that_is_away_for_hours_looks_again_and_costs_no_memory():
    changes = Changes()
    with changes.flight() as hung:
        for number in range(70_000):
            changes.begin([(2, number)]).end()
        for number in range(300):
            changes.begin([A], moving=(f"/elsewhere/{number}",)).end()
        assert len(changes._ended) < 70_000
        assert len(changes._moved) < 300
        assert hung.meets(file(B)).over, "nobody knows any more what it missed"
        hung.begin()
        assert hung.meets(file(B)) is None
