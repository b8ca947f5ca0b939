"""Makes ``python -m gpt4rec_es`` the same as the ``gpt4rec`` command."""

from gpt4rec_es.cli.main import main

main()
