"""What the tables of tests/scenarios/README.md say: of each file what it shows, and over which protocols it is run."""

import pathlib
import re

from build import ROOT

FOLDER = ROOT / "tests" / "scenarios"
# What FRESHET_TEST_PROTOCOL may say, and the word of the table that leaves a file out there.
LEFT_OUT = {"tls": ["once"], "h2": ["once", "HTTP/1"]}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose head begins with `heading`."""
    found: list[list[str]] = []
    inside = False
    for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if cells and cells[0] == heading:
            inside = True
        elif not cells:
            inside = False
        elif inside and not set(cells[0]) <= {"-", ":"}:
            found.append(cells)
    return found


def restriction(row: list[str]) -> tuple[str, str] | None:
    """The word and the reason of the third column, `HTTP/1: reason` or `once: reason`."""
    match = re.fullmatch(r"(HTTP/1|once): (.+)", row[2])
    return (match[1], match[2]) if match else None


def over(protocol: str) -> tuple[list[pathlib.Path], list[str]]:
    """The files that are run over it, and for each of the others a line that says why not."""
    files: list[pathlib.Path] = []
    reasons: list[str] = []
    for row in rows("file"):
        said = restriction(row)
        if said and said[0] in LEFT_OUT[protocol]:
            reasons.append(f"{row[0]} is left out: {said[1]}")
        else:
            files += sorted(FOLDER.glob(f"{row[0]}*.test.mjs"))
    return files, reasons
