"""The server: listeners, a task for each connection, and an orderly end."""

from smbd.server.running import run, settle
from smbd.server.server import Server
from smbd.server.serving import serving

__all__ = ["Server", "run", "serving", "settle"]
