"""tests/scenarios/README.md must tell of every scenario file, and of every point of HTTP caching where it is shown."""

import re
import unittest

from build import ROOT
from scenario_table import FOLDER, LEFT_OUT, over, restriction, rows

POINTS = 11


class Files(unittest.TestCase):
    def test_each_file_has_a_row_and_each_row_a_file(self):
        files = sorted(path.name[:2] for path in FOLDER.glob("*.test.mjs"))
        self.assertEqual(files, [row[0] for row in rows("file") if row[0] != "nginx/"])

    def test_what_is_left_out_over_a_protocol_has_a_reason(self):
        for row in rows("file"):
            self.assertEqual(len(row), 3, row)
            self.assertTrue(row[2] == "" or restriction(row), row)
        for protocol in LEFT_OUT:
            files, reasons = over(protocol)
            self.assertEqual(len({path.name[:2] for path in files}) + len(reasons), len(rows("file")))
            self.assertGreater(len(files), len(reasons))


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
