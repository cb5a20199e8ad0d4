"""The campaigns that there are: to add one, write a module in plays/ and name it here."""

from .campaign import Campaign
from .plays import (
    bursts,
    caching,
    conversations,
    ends,
    held,
    io,
    kills,
    memory,
    opens,
    parsers,
    races,
    silence,
    workers,
)

CAMPAIGNS: dict[str, Campaign] = {
    one.name: one
    for one in (
        bursts.CAMPAIGN,
        caching.CAMPAIGN,
        conversations.CAMPAIGN,
        ends.CAMPAIGN,
        held.CAMPAIGN,
        io.CAMPAIGN,
        kills.CAMPAIGN,
        memory.CAMPAIGN,
        opens.CAMPAIGN,
        parsers.CAMPAIGN,
        races.CAMPAIGN,
        silence.CAMPAIGN,
        workers.CAMPAIGN,
    )
}
