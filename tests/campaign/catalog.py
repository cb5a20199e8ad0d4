"""The campaigns that there are: to add one, write a module in plays/ and name it here."""

from .campaign import Campaign
from .plays import conversations, silence

CAMPAIGNS: dict[str, Campaign] = {
    one.name: one
    for one in (
        conversations.CAMPAIGN,
        silence.CAMPAIGN,
    )
}
