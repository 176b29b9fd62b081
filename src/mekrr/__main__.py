"""`python -m mekrr` is `mekrr`."""

from mekrr.cli import main

main()
