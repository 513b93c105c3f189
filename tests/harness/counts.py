"""What a part of the tests found: how many passed, what failed, what was skipped and why.

Each function reads one kind of report. A program that ended badly without naming a failure is itself one: a crash or a
sanitizer's report must never count as nothing.
"""

import dataclasses
import json
import pathlib
import re

SANITIZER_STATUS = 66


@dataclasses.dataclass
class Counts:
    passed: int = 0
    failures: list[str] = dataclasses.field(default_factory=list)
    skipped: list[str] = dataclasses.field(default_factory=list)

    @property
    def failed(self) -> int:
        return len(self.failures)

    def add(self, other: "Counts") -> None:
        self.passed += other.passed
        self.failures += other.failures
        self.skipped += other.skipped

    def line(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {len(self.skipped)} skipped" if self.skipped else "")

    def settle(self, name: str, status: int) -> "Counts":
        """Adds what only the exit status tells, and that a run of nothing is no success."""
        if status != 0 and not self.failures:
            self.failures.append(f"{name} ended with {describe_status(status)}")
        if self.passed == 0 and not self.failures:
            self.failures.append(f"{name} passed no test")
        return self


def describe_status(status: int) -> str:
    if status < 0:
        return f"signal {-status}"
    return f"exit status {status}" + (" (a sanitizer's report)" if status == SANITIZER_STATUS else "")


def from_gtest(report: pathlib.Path) -> Counts:
    """GoogleTest's JSON, written only where the program ends by itself."""
    counts = Counts()
    if not report.exists():
        return counts
    for suite in json.loads(report.read_text())["testsuites"]:
        for test in suite["testsuite"]:
            name = f"{suite['name']}.{test['name']}"
            if test.get("failures"):
                counts.failures.append(name)
            elif test["result"] == "SKIPPED":
                reasons = [skip.get("message", "").strip() for skip in test.get("skipped", [])]
                counts.skipped.append(f"{name}: {' '.join(reasons) or 'no reason given'}")
            elif test["result"] == "COMPLETED":
                counts.passed += 1
    return counts


def from_node(report: pathlib.Path) -> Counts:
    """What reporter.mjs wrote."""
    if not report.exists():
        return Counts()
    found = json.loads(report.read_text())
    return Counts(found["passed"], found["failures"], found["skipped"])


def from_unittest(output: str) -> Counts:
    """The text of `python3 -m unittest -v`."""
    counts = Counts()
    for name, result in re.findall(r"^(\w+ \([\w.]+\))[^(]*? \.\.\. (ok|FAIL|ERROR|skipped .*)$", output, re.M):
        if result == "ok":
            counts.passed += 1
        elif result in ("FAIL", "ERROR"):
            counts.failures.append(name)
        else:
            counts.skipped.append(f"{name}: {result.removeprefix('skipped ')}")
    return counts


def from_last_line(name: str, output: str) -> Counts:
    """A program that counts by itself: the last `N passed, N failed[, N skipped]` in what it prints."""
    found = re.findall(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", output)
    if not found:
        return Counts()
    passed, failed, skipped = (int(number or 0) for number in found[-1])
    return Counts(passed, [f"{name}: its output tells which"] * failed, [f"{name}: its output tells why"] * skipped)
