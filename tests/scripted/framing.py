"""Frames of direct TCP ([MS-SMB2] 2.1): a zero, a length of three bytes, as many bytes."""


class FrameReader:
    """Takes bytes as they come; gives whole frames, without their lengths."""

    def __init__(self):
        self._bytes = bytearray()

    def feed(self, data):
        self._bytes += data

    def next(self):
        """The next frame, None if it is not there yet."""
        if len(self._bytes) < 4:
            return None
        end = 4 + int.from_bytes(self._bytes[:4], "big")
        if len(self._bytes) < end:
            return None
        frame = bytes(self._bytes[4:end])
        del self._bytes[:end]
        return frame

    def frames(self, data=b""):
        """The frames that are whole with this data."""
        self.feed(data)
        found = []
        while (frame := self.next()) is not None:
            found.append(frame)
        return found

    @property
    def rest(self):
        """How many bytes of an unfinished frame there are."""
        return len(self._bytes)


def framed(*frames):
    """Each behind its length."""
    return b"".join(len(one).to_bytes(4, "big") + one for one in frames)


def the_frame(data):
    """The one frame that this data is."""
    reader = FrameReader()
    (frame,) = reader.frames(data)
    assert not reader.rest
    return frame
