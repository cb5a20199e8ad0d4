"""`python -m smbd` and the command `smbd`."""

import sys

from smbd.cli import main

if __name__ == "__main__":
    sys.exit(main())
