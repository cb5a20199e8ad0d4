"""Numbers of bytes as people write them."""

import re

_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
_SIZE = re.compile(r"(\d{1,18})\s*([A-Za-z]*)")


def parse_size(text: str) -> int:
    """Read "4096", "64 KiB" or "5GiB"; ValueError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or found[2].upper() not in _UNITS:
        raise ValueError(f'must be a number of bytes, or like "64 MiB", not "{text}"')
    return int(found[1]) * _UNITS[found[2].upper()]
