"""How the processes of a run reach the first one."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from multiprocessing.connection import Client, Connection
from pathlib import Path

__all__ = ["CONNECTING", "addresses", "launcher_process", "reach"]

CONNECTING = 5.0
"""Seconds in which a process reaches rank 0, or goes on without a connection to it."""


def addresses() -> list[str]:
    """Where this machine may be reached, the likeliest first."""
    found = [socket.gethostname()]
    with contextlib.suppress(OSError):
        found += [str(info[4][0]) for info in socket.getaddrinfo(found[0], None, socket.AF_INET)]
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
        hosts = json.loads(Path(os.environ["MLX_HOSTFILE"]).read_text(encoding="utf-8"))
        found += [address.rpartition(":")[0] for address in hosts[0]]
    return list(dict.fromkeys(name for name in found if not name.startswith("127.")))


def launcher_process() -> int:
    """The process of a launcher that started all processes on this machine; 0 where others may
    have. On one port the ring of two such runs joins whom it meets."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        hosts = json.loads(Path(os.environ["MLX_HOSTFILE"]).read_text(encoding="utf-8"))
        if all(address.startswith("127.") for host in hosts for address in host):
            return os.getppid()
    return 0


def reach(hosts: list[str], port: int, key: bytes) -> Connection | None:
    """A connection to the first of the hosts that takes one, None where none does."""
    for host in hosts:
        with contextlib.suppress(Exception):
            # Connecting has no time limit of its own there.
            socket.create_connection((host, port), CONNECTING).close()
            return Client((host, port), authkey=key)
    return None
