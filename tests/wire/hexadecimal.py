"""Bytes as the tables of these tests write them: a field a line, its name behind a `#`."""


def unhex(text: str) -> bytes:
    """The bytes of lines such as `31 00   # StructureSize`; 'quotes' hold UTF-16-LE text."""
    out = bytearray()
    for line in text.splitlines():
        field = line.partition("#")[0].strip()
        if field.startswith("'"):
            out += field[1:-1].encode("utf-16-le")
        else:
            out += bytes.fromhex(field)
    return bytes(out)


def message(body: str) -> memoryview:
    """A frame: 64 bytes of header that no parser of a body looks at, and the body."""
    return memoryview(bytes(64) + unhex(body))


def payload(text: str) -> memoryview:
    return memoryview(unhex(text))
