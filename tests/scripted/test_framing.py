"""Frames come out whole, however their bytes came in."""

from hypothesis import given
from hypothesis import strategies as st

from tests.scripted.framing import FrameReader, framed


@given(st.lists(st.binary(max_size=20), max_size=5), st.data())
def test_frames_do_not_depend_on_how_their_bytes_were_cut(frames, data):
    whole = framed(*frames)
    cut = data.draw(st.integers(0, len(whole)))
    reader = FrameReader()
    found = reader.frames(whole[:cut]) + reader.frames(whole[cut:])
    assert found == frames
    assert reader.rest == 0


def test_what_is_not_whole_waits():
    reader = FrameReader()
    assert reader.frames(b"\0\0\0\3ab") == []
    assert reader.rest == 6
    assert reader.frames(b"c\0") == [b"abc"]
