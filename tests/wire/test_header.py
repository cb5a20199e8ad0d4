"""The two hot responses, which are packed into a buffer that already is somebody's."""

from smbd.wire import read


def test_a_read_response_is_written_in_front_of_its_data() -> None:
    out = bytearray(b"\xff" * 20)
    read.pack_read_response_into(out, 2, 4096)
    assert out.hex() == "ffff" + "11005000001000000000000000000000" + "ffff"
