"""`python -m spoold`: the command line without an installed script."""

from spoold.cli.main import main

main()
