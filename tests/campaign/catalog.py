"""The campaigns that there are: to add one, write a module in plays/ and name it here."""

from .campaign import Campaign
from .plays import (
    bursts,
    channels,
    conversations,
    ends,
    held,
    io,
    kills,
    memory,
    models,
    names,
    native,
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
        channels.CAMPAIGN,
        conversations.CAMPAIGN,
        ends.CAMPAIGN,
        held.CAMPAIGN,
        io.CAMPAIGN,
        kills.CAMPAIGN,
        memory.CAMPAIGN,
        models.CAMPAIGN,
        names.CAMPAIGN,
        native.CAMPAIGN,
        opens.CAMPAIGN,
        parsers.CAMPAIGN,
        races.CAMPAIGN,
        silence.CAMPAIGN,
        workers.CAMPAIGN,
    )
}
