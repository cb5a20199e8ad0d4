"""The error of a place that cannot be had."""


class PlaceError(Exception):
    """A place that this machine or this user cannot have; its text is for the user."""
