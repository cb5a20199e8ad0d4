"""WS-Discovery: what makes a server appear in Windows' network folder.  Sans-IO.

`soap` reads and makes the messages, `device` knows what this one answers.
"""

from smbd.discovery.device import Device

__all__ = ["Device"]
