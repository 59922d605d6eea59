"""`python -m ionics` is `ionics`."""

from ionics.cli import main

main()
