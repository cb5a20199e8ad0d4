"""Faults on demand: rules that say which requests go wrong, and how.

rule      what a rule may say, checked
writing   a rule in one line, as the command line has it, and back
fault     a rule at work: which requests it meets, and how many it has met
plan      all rules of a server, and what they want together of one request

It knows no request and no server: smbd.injecting carries out what a plan says.
"""

from smbd.faults.fault import Asked, Fault
from smbd.faults.plan import Faults, Plan
from smbd.faults.rule import Rule
from smbd.faults.writing import parse_rule

__all__ = ["Asked", "Fault", "Faults", "Plan", "Rule", "parse_rule"]
