"""The arguments of the larger commands, and their help; smbd.cli.parser has all commands.

They import nothing but argparse: `tsmbd --help` waits for no command.
"""

from pathlib import Path

DEFAULT_CONFIG = Path("shares.toml")
