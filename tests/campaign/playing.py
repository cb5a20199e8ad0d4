"""One run of a campaign: its folder, its loop, its end."""

import tempfile
from pathlib import Path

import trio

from .campaign import Campaign, Play

_FILES_IN = Path("/var/tmp")  # not /tmp, which may be a tmpfs


def played(campaign: Campaign, *, short: bool, seed: int = 1) -> Play:
    """What a campaign has measured.  Raises NotHereError where it cannot run."""
    with tempfile.TemporaryDirectory(prefix="smbd-campaign-", dir=_FILES_IN) as work:
        play = Play(Path(work), short, seed)
        trio.run(campaign.play, play)
    return play
