"""`python -m tlskit`: the command line, if the script `tlskit` is not on the path."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
