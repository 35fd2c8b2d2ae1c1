"""``python -m clipsenet``."""

from clipsenet.cli import main

main()
