"""``python -m dtgcnn``: the command line."""

from .cli import main

main(prog_name="dtgcnn")
