"""Runs programs under a deadline with their output in a log, and keeps the account of what each step found."""

import os
import pathlib
import signal
import subprocess
import time
import typing

import build
import counts

SHOWN_LINES = 300


class Runner:
    def __init__(self, logs: pathlib.Path, full: bool):
        self.logs = logs
        self.full = full
        self.total = counts.Counts()
        self.rows: list[tuple[str, float, str]] = []
        logs.mkdir(parents=True, exist_ok=True)

    def fresh(self, name: str) -> pathlib.Path:
        """The path of a report beside the logs, with no older report in it."""
        report = self.logs / name
        report.unlink(missing_ok=True)
        return report

    def execute(
        self, name: str, command: list[str], deadline: float, environment: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Exit status and output. Of a program that fails, the end of its log is shown."""
        log = self.logs / f"{name}.log"
        with log.open("wb") as sink:
            status = run_to_end(command, deadline, build.environment(environment or {}), sink)
            if status is None:
                sink.write(f"\n{name} did not end within {deadline} s and was killed\n".encode())
                status = -signal.SIGKILL
        output = log.read_text(errors="replace")
        if status != 0:
            show_end(log, output)
        return status, output

    def say(self, lines: list[str]) -> None:
        for line in lines:
            print(f"   {line}", flush=True)

    def step(self, name: str, action: typing.Callable[[], counts.Counts]) -> counts.Counts:
        print(f"== {name}", flush=True)
        began = time.monotonic()
        found = action()
        took = time.monotonic() - began
        self.say([f"FAILED {failure}" for failure in found.failures])
        self.say([f"skipped {reason}" for reason in found.skipped])
        self.say([f"{took:.1f} s: {found.line()}"])
        self.rows.append((name, took, found.line()))
        self.total.add(found)
        return found


def run_to_end(command, deadline, environment, sink) -> int | None:
    """The exit status, or None where it had to be killed. What it leaves running in its session ends with it."""
    program = subprocess.Popen(
        command,
        cwd=build.ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return program.wait(deadline)
    except subprocess.TimeoutExpired:
        return None
    finally:
        try:
            os.killpg(program.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        program.wait()


def show_end(log: pathlib.Path, output: str) -> None:
    lines = output.splitlines()
    print(f"--- {log.relative_to(build.ROOT)}, the last {SHOWN_LINES} lines of {len(lines)}")
    print("\n".join(lines[-SHOWN_LINES:]))
    print("---", flush=True)
