"""What may look on at a running server, or stand in its way: a journal, a capture, faults.

`Server.observe` hangs an Observer into every connection; smbd.observed is the hook in each.
"""

from smbd.observing.observer import Around, CarryOut, Observer
from smbd.observing.subject import Subject, subject_of

__all__ = ["Around", "CarryOut", "Observer", "Subject", "subject_of"]
