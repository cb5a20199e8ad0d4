"""Bytes <-> messages: [MS-SMB2] 2.2, [MS-FSCC] 2 and the little of [MS-DTYP] that files need.

`parse_x(frame)` takes a memoryview of one message, header first, and gives a slots dataclass; the
only error is NtError.  `pack_x_response(...)` gives the body, without the header.
"""
