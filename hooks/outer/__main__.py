"""Lets `python -m outer` do what `outer` does."""

import sys

from outer.cli import main

sys.exit(main())
