"""Carries out what smbd.faults plans: an observer of a running server, and its slow line.

injector   which requests go wrong, and what can be done to them at once
course     what takes time: delays, hangs, the ends of sessions and files
changes    fields of messages that say something else
pace       a slow line
"""

from smbd.injecting.injector import Injector
from smbd.injecting.pace import Pace

__all__ = ["Injector", "Pace"]
