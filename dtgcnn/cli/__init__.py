"""The ``dtgcnn`` command line: ``main``, and a file a command, named as the command.

A command's file is loaded when the command is called, so that one that is called often, such as
``search``, does not wait for what others need.
"""

from .main import main

__all__ = ["main"]
