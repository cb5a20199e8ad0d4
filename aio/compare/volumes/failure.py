"""The error of a volume that cannot be had."""


class VolumeError(Exception):
    """A volume that this machine or this user cannot have; its text is for the user."""
