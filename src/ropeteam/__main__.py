"""`python -m ropeteam`."""

from __future__ import annotations

import sys

from ropeteam.cli import main

if __name__ == "__main__":
    sys.exit(main())
