"""Whatever clients do in whatever order; `python -m tests.campaign caching` takes 100,000 steps."""

from hypothesis import settings

from .caching_machine import CachingMachine

TestCaching = CachingMachine.TestCase
TestCaching.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
