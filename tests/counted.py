"""What a call costs, in a count that no load of the machine moves."""

import sys


def instructions(call):
    """How many of Python's instructions a call takes, those of what it calls included.

    What C does for one of them counts as one: what goes through a list in C shows in no count.
    """
    counted = 0

    def trace(frame, event, _argument):
        nonlocal counted
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        counted += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return counted
