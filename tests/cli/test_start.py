"""What a process of the command line loads before it works."""

from __future__ import annotations

import json
import subprocess
import sys

import click
from click.testing import CliRunner

from dtgcnn.cli import main

LOADED = """
import json, sys
from click.testing import CliRunner
from dtgcnn.cli import main
result = CliRunner().invoke(main, sys.argv[1:])
assert result.exit_code == 0, result.output
print(json.dumps(sorted(sys.modules)))
"""


def loaded_by(*arguments: str) -> set[str]:
    """Modules that a process holds after the command."""
    run = [sys.executable, "-c", LOADED, *arguments]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    return set(json.loads(out))


def test_help_loads_no_command_and_no_library_of_arrays() -> None:
    modules = loaded_by("--help")
    assert "dtgcnn.cli.main" in modules
    assert not modules & {"numpy", "scipy", "sklearn", "mlx", "dtgcnn.data", "dtgcnn.cli.train"}


def test_help_says_of_each_command_what_its_own_help_does() -> None:
    context = click.Context(main)
    shown = CliRunner().invoke(main, ["--help"], terminal_width=200).output
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        lines = [line.split(maxsplit=1) for line in shown.splitlines() if line.strip()]
        assert [name, command.get_short_help_str(150)] in lines
