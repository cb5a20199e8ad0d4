"""One or more valid inputs for every parser of smbd.wire.

test_parsers reads each; test_malformed cuts and mutates each.
"""

from .contexts import CREATE_CONTEXTS, NEGOTIATE_CONTEXTS
from .example import Example
from .files import FILE_MESSAGES
from .payloads import DESCRIPTORS, FSCTLS, SETS
from .sessions import HEADERS, SESSION_MESSAGES

EXAMPLES: list[Example] = [
    *HEADERS,
    *SESSION_MESSAGES,
    *FILE_MESSAGES,
    *NEGOTIATE_CONTEXTS,
    *CREATE_CONTEXTS,
    *FSCTLS,
    *SETS,
    *DESCRIPTORS,
]
