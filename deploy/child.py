"""A process the supervisor starts: in a session of its own, recorded in a file so that the next start finds it again.

After a kill -9 of the supervisor its children live on. They are known by three things together: the session they are
in, the command line, and that they are no older than the record says. A reused process id has none of these.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from deploy.embedded import gone, wait_until


class Child:
    """A command and whatever it forks."""

    def __init__(self, record: Path, command: list[str]) -> None:
        """``record`` is the file that remembers it across starts."""
        self.record = record
        self.command = command
        self.child: subprocess.Popen[bytes] | None = None

    def start(self, *, folder: Path, variables: dict[str, str]) -> None:
        self.child = subprocess.Popen(self.command, cwd=folder, env=variables, start_new_session=True)
        created = psutil.Process(self.child.pid).create_time()
        draft = self.record.with_suffix(".new")
        draft.write_text(json.dumps({"session": self.child.pid, "created": created, "command": self.command}))
        draft.rename(self.record)

    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.child.poll() if self.child else None

    def stop(self, *, seconds: float, hurry: Callable[[], bool] = lambda: False) -> None:
        """End it and all it forked, also when an earlier supervisor started it.

        Only the first process is asked, for it sees to its own; when it is gone, all are. What is left after
        ``seconds``, or once ``hurry`` says so, is killed.
        """
        processes = self.processes()
        for process in _without_parent(processes):
            _send(process, signal.SIGTERM)
        wait_until(lambda: hurry() or all(map(gone, processes)), seconds=seconds)
        for process in self.processes():
            _send(process, signal.SIGKILL)
        wait_until(lambda: not self.processes(), seconds=5)
        if self.child is not None:
            self.child.wait()
        self.record.unlink(missing_ok=True)

    def processes(self) -> list[psutil.Process]:
        """Those of the recorded session that live, oldest first."""
        try:
            known = json.loads(self.record.read_text())
        except (FileNotFoundError, ValueError):
            return []
        found = [process for process in psutil.process_iter() if _is_known(process, known)]
        return sorted(found, key=lambda process: (process.pid != known["session"], process.pid))


def _without_parent(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that no other of them has started."""
    started = {child for process in processes for child in _children(process)}
    return [process for process in processes if process not in started]


def _children(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.children()
    return []


def _is_known(process: psutil.Process, known: dict[str, Any]) -> bool:
    try:
        return (
            os.getsid(process.pid) == known["session"]
            and process.create_time() >= known["created"]
            and process.cmdline()[1:] == known["command"][1:]
            and not gone(process)
        )
    except (psutil.Error, ProcessLookupError, PermissionError):
        return False


def _send(process: psutil.Process, which: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(which)
