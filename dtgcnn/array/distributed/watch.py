"""``Watch``: processes that end together, and none that waits for ever.

Engines differ in what happens to the others when one process dies, stops or goes another way, and
most of them wait. So the processes hold a connection each to rank 0, apart from the engine's own,
over which they tell how they end and answer whether they live.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import hashlib
import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, Listener
from typing import Any, TypeAlias

from ...errors import DistributedError
from .links import CONNECTING, addresses, launcher_process, reach

__all__ = ["Watch", "end_after"]

Gather: TypeAlias = Callable[[str, Any], list[Any]]
"""``World.gather_values``."""

ANSWERING = 3.0
"""Seconds in which a process that lives answers."""

GRACE = 1.0
"""Seconds that a process has for its own error before it ends by that of another."""

EXIT_CODE = 1


class Watch:
    """Ends this process where another one fails, dies, ends early or does not answer.

    Args:
        rank, size: of the processes, which are joined.
        gather: gathers values of a name from all of them.
        timeout: seconds that a collective may wait for the others.

    Raises:
        DistributedError: processes of two runs are connected with each other.
    """

    def __init__(self, rank: int, size: int, gather: Gather, timeout: float) -> None:
        self.rank, self.size, self.timeout = rank, size, timeout
        self.failing = False
        """Whether this process ends by an error of its own."""
        self.exit_code = EXIT_CODE
        self._calls, self._name, self._since = 0, "", 0.0
        self._ended: dict[int, int] = {}
        self._answers: dict[int, dict[str, Any]] = {}
        self._pids: dict[int, int] = {}
        self._links: dict[int, Connection] = {}
        self._sending = threading.Lock()
        self._asking, self._stopping = threading.Event(), threading.Event()
        self._over = False
        self._connect(gather)
        threading.Thread(target=self._look, daemon=True).start()
        atexit.register(self._at_exit)
        before = sys.excepthook

        def hook(kind: Any, error: BaseException, trace: Any) -> None:
            self.fail(error)
            before(kind, error, trace)

        sys.excepthook = hook

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """The time of a collective of this name."""
        self._calls += 1
        for rank, calls in self._ended.items():
            if calls < self._calls:
                self._early(rank, name)
        self._since, self._name = time.monotonic(), name
        try:
            yield
        finally:
            self._name = ""
            self._hold()

    def fail(self, error: BaseException) -> None:
        """Tell the others that this process ends by an error; it ends by itself."""
        if self.failing:
            return
        self.failing = True
        if not getattr(error, "told_elsewhere", False):
            why = f"{type(error).__name__}: {error}".rstrip(": ")
            self._spread({"kind": "stop", "why": f"rank {self.rank} ended by {_cut(why)}"})

    def _hold(self) -> None:
        """Do nothing more in a process that is about to end."""
        while self._stopping.is_set() and not self.failing:
            time.sleep(GRACE)

    def _connect(self, gather: Gather) -> None:
        here = {"host": socket.gethostname(), "pid": os.getpid(), "token": secrets.token_hex(8)}
        peers = gather("who", {**here, "launcher": launcher_process()})
        told = hashlib.sha256(json.dumps(peers).encode()).hexdigest()
        mixed = len(set(gather("tokens", told))) > 1
        if mixed or len({peer["launcher"] for peer in peers}) > 1:
            raise DistributedError(
                f"rank {self.rank}: processes of two runs are connected with each other: give each "
                "run ports of its own"
            )
        self._pids = {
            r: peer["pid"] for r, peer in enumerate(peers) if peer["host"] == here["host"]
        }
        local = len(self._pids) == self.size
        key, listener = secrets.token_bytes(32), None
        offer: dict[str, Any] = {}
        if self.rank == 0:
            listener = Listener(("127.0.0.1" if local else "0.0.0.0", 0), authkey=key)
            hosts = ["127.0.0.1"] if local else addresses()
            offer = {"hosts": hosts, "port": listener.address[1], "key": key.hex()}
        offer = gather("where rank 0 is", offer)[0]
        if listener is not None:
            accepting = threading.Thread(target=self._accept, args=(listener,), daemon=True)
            accepting.start()
        else:
            link = reach(offer["hosts"], offer["port"], bytes.fromhex(offer["key"]))
            if link is not None:
                self._links[0] = link
                self._send(0, {"kind": "hello", "rank": self.rank})
        reached = gather("connections", bool(self._links) or self.rank == 0)
        if self.rank == 0:
            accepting.join(CONNECTING)
            if not all(reached):
                lost = ", ".join(str(r) for r, yes in enumerate(reached) if not yes)
                _say(
                    f"rank 0 cannot be reached by rank {lost} at {', '.join(offer['hosts'])}: a "
                    f"process that ends is noticed after {self.timeout:.0f} s only"
                )
        for rank in list(self._links):
            threading.Thread(target=self._listen, args=(rank,), daemon=True).start()

    def _accept(self, listener: Listener) -> None:
        # Closed by its process's end: those that reach it have been told where it is.
        while len(self._links) < self.size - 1:
            try:
                link = listener.accept()
                hello = json.loads(link.recv_bytes(1 << 16))
            except Exception:
                continue
            self._links[hello["rank"]] = link
        listener.close()

    def _send(self, rank: int, message: dict[str, Any]) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._links[rank].send_bytes(json.dumps(message).encode())

    def _spread(self, message: dict[str, Any], but: int = -1) -> None:
        for rank in list(self._links):
            if rank != but:
                self._send(rank, message)

    def _listen(self, rank: int) -> None:
        while True:
            try:
                message = json.loads(self._links[rank].recv_bytes(1 << 20))
            except (OSError, EOFError):
                break
            self._take(rank, message)
        if rank not in self._ended and not self._over:
            self._stop(f"rank {rank} died")

    def _take(self, rank: int, message: dict[str, Any]) -> None:
        kind = message["kind"]
        if kind == "stop":
            self._stop(message["why"], but=rank)
        elif kind == "end":
            self._ended[message["rank"]] = message["calls"]
            if self.rank == 0:
                self._spread(message, but=rank)
            if self._name and message["calls"] < self._calls:
                self._early(message["rank"], self._name)
        elif kind == "where":
            self._send(0, {"kind": "here", "calls": self._calls, "name": self._name})
        elif kind == "here":
            self._answers[rank] = message
        elif kind == "late":
            told = (message["name"], message["calls"])
            threading.Thread(target=self._ask, args=told, daemon=True).start()

    def _look(self) -> None:
        """End a collective that waits for too long."""
        while True:
            time.sleep(min(1.0, self.timeout / 4))
            name, calls, since = self._name, self._calls, self._since
            if not name or time.monotonic() - since < self.timeout or name != self._name:
                continue
            if self.rank == 0:
                self._ask(name, calls)
            else:
                self._send(0, {"kind": "late", "name": name, "calls": calls})
                time.sleep(2 * ANSWERING + GRACE)
                self._stop(f"rank 0 does not answer in the collective {name!r}", wake=[0])

    def _ask(self, name: str, calls: int) -> None:
        """Find out, on rank 0, which process a collective waits for, and end all of them."""
        if self._asking.is_set():
            return
        self._asking.set()
        self._spread({"kind": "where"})
        time.sleep(ANSWERING)
        answers = {**self._answers, 0: {"calls": self._calls, "name": self._name}}
        silent = [r for r in range(self.size) if r not in answers]
        absent = [r for r, a in answers.items() if a["calls"] < calls]
        waited = f"after {self.timeout:.0f} s in the collective {name!r}"
        if silent:
            why = f"rank {', '.join(map(str, silent))} does not answer {waited}"
        elif absent:
            why = f"rank {', '.join(map(str, absent))} is not there {waited}"
        else:
            why = f"no process got what it waits for {waited}"
        self._stop(why, wake=silent)

    def _early(self, rank: int, name: str) -> None:
        self._stop(f"rank {rank} ended before the collective {name!r}")

    def _stop(self, why: str, but: int = -1, wake: Sequence[int] = ()) -> None:
        """End this process, and all others by way of rank 0."""
        if self._stopping.is_set() or self._over:
            return
        self._stopping.set()
        self._spread({"kind": "stop", "why": why}, but=but)
        time.sleep(GRACE)  # one that fails by itself tells more
        if self.failing:
            time.sleep(GRACE)
        else:
            _say(f"rank {self.rank}: {why}")
        for rank in wake:
            if rank in self._pids:  # a process that was stopped cannot see that the others end
                with contextlib.suppress(OSError):
                    os.kill(self._pids[rank], signal.SIGCONT)
        os._exit(EXIT_CODE)

    def _at_exit(self) -> None:
        if self.failing:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
            time.sleep(1.5 * GRACE)  # a launcher ends the others with it: they tell of it before
            os._exit(self.exit_code)  # an engine would wait for the others here
        self._hold()
        self._over = True
        self._spread({"kind": "end", "rank": self.rank, "calls": self._calls})


@contextmanager
def end_after(seconds: float, why: str) -> Iterator[None]:
    """End the process where the context lasts longer, blocked in an engine's own code too."""

    def end() -> None:
        _say(f"{why} within {seconds:.0f} s")
        os._exit(EXIT_CODE)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    # Code that holds the interpreter's lock lets no thread run.
    faulthandler.dump_traceback_later(seconds + GRACE, exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        timer.cancel()


def _cut(text: str, most: int = 2_000) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"dtgcnn: {line}\n".encode())
