"""tests/scenarios/README.md must tell of every scenario file, and of every point of HTTP caching where it is shown."""

import re
import unittest

from build import ROOT

FOLDER = ROOT / "tests" / "scenarios"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
POINTS = 11


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose head begins with `heading`."""
    found: list[list[str]] = []
    inside = False
    for line in README.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if cells and cells[0] == heading:
            inside = True
        elif not cells:
            inside = False
        elif inside and not set(cells[0]) <= {"-", ":"}:
            found.append(cells)
    return found


class Files(unittest.TestCase):
    def test_each_file_has_a_row_and_each_row_a_file(self):
        files = sorted(path.name[:2] for path in FOLDER.glob("*.test.mjs"))
        self.assertEqual(files, [row[0] for row in rows("file") if row[0] != "nginx/"])


class Points(unittest.TestCase):
    def test_each_point_has_a_row(self):
        self.assertEqual([str(n) for n in range(1, POINTS + 1)], [row[0] for row in rows("point")])

    def test_each_row_names_files_that_are_there(self):
        for row in rows("point"):
            names = re.findall(r"`([^`]+)`", row[2])
            self.assertTrue(names, row)
            for name in names:
                self.assertTrue(list((ROOT / "tests").glob(f"{name}*.test.mjs")), f"{name} in {row}")


if __name__ == "__main__":
    unittest.main()
