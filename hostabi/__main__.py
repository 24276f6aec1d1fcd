"""`python -m hostabi` is the command `tamis`."""

from hostabi.cli import main

main()
