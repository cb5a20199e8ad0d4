"""The names of a directory handle take little memory, and less with each that was told."""

import sys

import pytest

from smbd.state import Listing


def all_of(listing, most):
    """What a client hears that asks for so many at a time."""
    names = []
    while some := listing.some(len(names), most):
        names += some
    return names


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize("most", [1, 128, 3000])
def test_all_names_come_in_their_order(count, most):
    names = [f"name {number}" for number in range(count)]
    listing = Listing(names)
    assert len(listing) == count
    assert all_of(listing, most) == names


def test_names_of_any_letters_are_what_they_were():
    names = ["ä", "日本", "\udcff", "a b", "\U0001f600", "x" * 255]
    assert all_of(Listing(names), 10) == names


def test_short_names_take_a_third_of_what_strings_take():
    names = [f"file{number:06}.txt" for number in range(100_000)]
    strings = sum(map(sys.getsizeof, names)) + sys.getsizeof(names)
    listing = Listing(names)
    assert listing.size < strings / 3


def test_names_are_never_all_there_as_strings():
    """While a listing is made, too: a million names would take 100 MB for each that asks."""
    waiting = 0

    def coming():
        nonlocal waiting
        for number in range(10_000):
            waiting += 1
            assert waiting <= 2048
            yield f"name {number}"

    def joined():
        nonlocal waiting
        waiting = 0

    assert len(Listing(coming(), joined)) == 10_000


def test_what_was_told_is_let_go():
    names = [f"file{number:06}.txt" for number in range(10_000)]
    listing = Listing(names)
    whole = listing.size
    listing.forget(5_000)
    assert listing.size < whole * 0.65
    assert listing.some(5_000, 10) == names[5_000:5_010]
    listing.forget(10_000)
    assert listing.size < 1000
    assert listing.some(10_000, 10) == []
