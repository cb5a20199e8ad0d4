"""smbd: a small SMB2/3 file server on trio whose READs come straight from the page cache."""

__version__ = "1.0.0rc1"
