"""`python -m osler` is the command `osler`."""

from osler.cli.app import main

main()
