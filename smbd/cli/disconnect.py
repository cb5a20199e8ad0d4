"""`tsmbd disconnect`: ends a login, all those of a user, or the connections of an address."""

import argparse

from smbd.cli import complain
from smbd.cli.asking import ask_all


def run(arguments: argparse.Namespace) -> int:
    """End what is meant on every server that is asked, and say what ended; 1 if nothing did."""
    question = {"ask": "disconnect", "who": arguments.who}
    answers = list(ask_all(arguments, question))
    ended = [one for answer in answers for one in answer.get("ended", ())]
    for one in ended:
        print(f"ended {one}")
    if answers and not ended:
        complain(f"no session, user or address {arguments.who} is connected")
    return 0 if ended else 1
