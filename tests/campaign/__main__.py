"""Attack a running smbd, and hold what that did to it against a bar.

  python -m tests.campaign                    what campaigns there are
  python -m tests.campaign NAME [NAME ...]    play them in their long form
  python -m tests.campaign all --short        all of them as CI plays them
  python -m tests.campaign NAME --record      and put the figures on tests/campaign/README.md

The exit status is 1 if a figure is above its bar, and 2 if nothing could be played.
"""

import argparse
import datetime
import sys

from .campaign import NotHereError
from .catalog import CAMPAIGNS
from .page import record
from .playing import played


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.campaign",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", choices=[*CAMPAIGNS, "all", []])
    add("--short", action="store_true", help="as CI plays it: seconds, and times decide nothing")
    add("--seed", type=int, default=1, help="of what is random (default: 1)")
    add("--record", action="store_true", help="write the figures to the page")
    arguments = parser.parse_args()
    if arguments.record and arguments.short:
        parser.error("the page has figures of the long form only")
    return arguments


def main() -> int:
    """Run the command; return its exit status."""
    arguments = _arguments()
    if not arguments.names:
        for one in CAMPAIGNS.values():
            print(f"{one.name:14}{one.attacks}")
        return 0
    names = list(CAMPAIGNS) if "all" in arguments.names else arguments.names
    outcomes = [_play(name, arguments) for name in names]
    return max(outcomes) if min(outcomes) < 2 else 2


def _play(name: str, arguments: argparse.Namespace) -> int:
    campaign = CAMPAIGNS[name]
    print(f"== {name}: {campaign.attacks}", flush=True)
    try:
        play = played(campaign, short=arguments.short, seed=arguments.seed)
    except NotHereError as error:
        print(f"not played: {error}")
        return 2
    print(*play.figures, sep="\n", flush=True)
    if arguments.record:
        today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        record(campaign, play.figures, today)
    return bool(play.failed())


if __name__ == "__main__":
    sys.exit(main())
