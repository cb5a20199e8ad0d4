"""Every campaign in its short form: what it must not find, it does not find."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from .campaign import Campaign, Figure, NotHereError, Play
from .catalog import CAMPAIGNS
from .playing import played

ALONE = {"parsers"}  # it changes modules of this process while it plays; all others attack servers


@pytest.fixture(scope="module")
def plays(request: pytest.FixtureRequest) -> dict[str, Future[Play]]:
    """Two at a time: most of a play is waiting, and what is timed decides in the long form only."""
    asked = {
        item.callspec.params["campaign"].name
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.module is request.module
        and hasattr(item, "callspec")
    }
    found = {}
    for names, at_once in ((ALONE, 1), (CAMPAIGNS.keys() - ALONE, 2)):
        with ThreadPoolExecutor(at_once) as pool:
            for name in sorted(names & asked):
                found[name] = pool.submit(played, CAMPAIGNS[name], short=True)
    return found


@pytest.mark.timeout(900)  # the first one waits for all of them
@pytest.mark.parametrize("campaign", CAMPAIGNS.values(), ids=CAMPAIGNS)
def test_the_short_form_keeps_its_bars(campaign: Campaign, plays: dict[str, Future[Play]]) -> None:
    try:
        play = plays[campaign.name].result()
    except NotHereError as error:
        pytest.skip(str(error))

    assert play.figures, "a campaign that measures nothing shows nothing"
    assert play.failed() == []


def test_a_figure_keeps_its_bar_up_to_the_bar_itself() -> None:
    assert Figure("turn", 20.0, "ms", 20.0).kept
    assert not Figure("turn", 20.1, "ms", 20.0).kept
