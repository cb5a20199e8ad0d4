"""Every campaign in its short form: what it must not find, it does not find."""

import pytest

from .campaign import Campaign, Figure, NotHereError
from .catalog import CAMPAIGNS
from .playing import played


@pytest.mark.parametrize("campaign", CAMPAIGNS.values(), ids=CAMPAIGNS)
def test_the_short_form_keeps_its_bars(campaign: Campaign) -> None:
    try:
        play = played(campaign, short=True)
    except NotHereError as error:
        pytest.skip(str(error))

    assert play.figures, "a campaign that measures nothing shows nothing"
    assert play.failed() == []


def test_a_figure_keeps_its_bar_up_to_the_bar_itself() -> None:
    assert Figure("turn", 20.0, "ms", 20.0).kept
    assert not Figure("turn", 20.1, "ms", 20.0).kept
