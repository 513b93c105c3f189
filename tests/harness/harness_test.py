"""The harness must count what ran and must not take silence for success."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import counts
import parts
import runner

HERE = pathlib.Path(__file__).parent


class Programs(unittest.TestCase):
    def run_to_end(self, script, deadline):
        with tempfile.TemporaryFile() as sink:
            status = runner.run_to_end(["sh", "-c", script], deadline, dict(os.environ), sink)
            sink.seek(0)
            return status, sink.read().decode()

    def test_one_that_does_not_end_is_killed(self):
        self.assertEqual(self.run_to_end("sleep 1000", deadline=0.1)[0], None)

    def test_what_one_leaves_behind_ends_with_it(self):
        status, left = self.run_to_end("sleep 1000 & echo $!", deadline=60)
        self.assertEqual(status, 0)
        state = subprocess.run(["ps", "-o", "stat=", "-p", left.strip()], capture_output=True, text=True).stdout
        self.assertIn(state.strip()[:1], ("", "Z"), "still runs")


class GoogleTest(unittest.TestCase):
    def read(self, *tests):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "report.json").write_text(json.dumps({"testsuites": [{"name": "Suite", "testsuite": list(tests)}]}))
        return counts.from_gtest(folder / "report.json")

    def test_passed_failed_skipped(self):
        found = self.read(
            {"name": "good", "result": "COMPLETED"},
            {"name": "bad", "result": "COMPLETED", "failures": [{"failure": "no"}]},
            {"name": "not_here", "result": "SKIPPED", "skipped": [{"message": "no disk"}]},
            {"name": "filtered", "result": "SUPPRESSED"},
        )
        self.assertEqual((found.passed, found.failures), (1, ["Suite.bad"]))
        self.assertEqual(found.skipped, ["Suite.not_here: no disk"])
        self.assertEqual(found.line(), "1 passed, 1 failed, 1 skipped")

    def test_a_crash_is_a_failure(self):
        found = counts.from_gtest(pathlib.Path("no-such-report")).settle("unit", -11)
        self.assertEqual(found.failures, ["unit ended with signal 11"])

    def test_a_leak_found_after_all_tests_passed_is_a_failure(self):
        found = self.read({"name": "good", "result": "COMPLETED"}).settle("unit", 66)
        self.assertEqual(found.failures, ["unit ended with exit status 66 (a sanitizer's report)"])

    def test_a_run_of_nothing_is_a_failure(self):
        self.assertEqual(counts.Counts().settle("unit", 0).failed, 1)

    def test_a_run_in_which_all_was_skipped_is_a_failure(self):
        self.assertEqual(counts.Counts(skipped=["why"]).settle("unit", 0).failed, 1)


class Shards(unittest.TestCase):
    def test_what_several_processes_find_is_added_up(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

        class Runner:
            def fresh(self, name):
                return folder / name

            def execute(self, name, command, deadline, environment):
                test = {"name": environment["GTEST_SHARD_INDEX"], "result": "COMPLETED"}
                report = {"testsuites": [{"name": "Suite", "testsuite": [test]}]}
                if environment["GTEST_SHARD_INDEX"] == "0":
                    (folder / f"{name}.json").write_text(json.dumps(report))
                    return 0, ""
                return 66, ""

        found = parts.gtest("unit", "tsan", "none").run(Runner())
        self.assertEqual(found.passed, 1)
        self.assertEqual(found.failures, ["unit-tsan-2 ended with exit status 66 (a sanitizer's report)"])


class LastLine(unittest.TestCase):
    def test_the_last_one_counts(self):
        found = counts.from_last_line("suite", "1 passed, 5 failed\nthen\n7 passed, 1 failed, 2 skipped\n")
        self.assertEqual((found.passed, found.failed, len(found.skipped)), (7, 1, 2))


class UnitTest(unittest.TestCase):
    def test_results(self):
        found = counts.from_unittest(
            "test_a (counts.A.test_a) ... ok\n"
            "test_b (counts.A.test_b)\nWhat it is for. ... ok\n"
            "test_c (counts.A.test_c) ... FAIL\n"
            "test_d (counts.A.test_d) ... skipped 'no network'\n"
        )
        self.assertEqual((found.passed, found.failures), (2, ["test_c (counts.A.test_c)"]))
        self.assertEqual(found.skipped, ["test_d (counts.A.test_d): 'no network'"])


class NodeReporter(unittest.TestCase):
    def run_node(self, **files):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, text in files.items():
            (folder / f"{name}.test.mjs").write_text(text)
        command = ["node", "--test", f"--test-reporter={(HERE / 'reporter.mjs').as_uri()}"]
        command += ["--test-reporter-destination=stdout", *(f"{name}.test.mjs" for name in files)]
        environment = {**os.environ, "TEST_COUNTS": str(folder / "counts.json")}
        environment.pop("NODE_TEST_CONTEXT", None)
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        return counts.from_node(folder / "counts.json"), ended

    def test_each_test_counts_once(self):
        found, ended = self.run_node(
            a="""
            import test, { describe, it } from 'node:test';
            test('plain', () => {});
            test('with parts', async (t) => { await t.test('part', () => {}); });
            describe('suite', () => { it('inside', () => {}); });
            test('elsewhere', { skip: 'no browser' }, () => {});
            """
        )
        self.assertEqual((found.passed, found.failures), (4, []), ended.stdout)
        self.assertEqual(found.skipped, ["elsewhere: no browser"])
        self.assertEqual(ended.returncode, 0)

    def test_a_failure_is_named_once_and_explained(self):
        found, ended = self.run_node(
            a="""
            import test from 'node:test';
            test('outer', async (t) => { await t.test('inner', () => { throw new Error('broken pipe'); }); });
            """
        )
        self.assertEqual((found.passed, found.failures), (0, ["a.test.mjs: inner"]), ended.stdout)
        self.assertIn("broken pipe", ended.stdout)
        self.assertNotEqual(ended.returncode, 0)

    def test_a_file_that_cannot_be_read_is_a_failure(self):
        found, ended = self.run_node(a="import './nowhere.mjs';")
        self.assertEqual(found.failed, 1, ended.stdout)

    def test_a_file_without_tests_counts_for_nothing(self):
        found, ended = self.run_node(a="export {};")
        self.assertEqual((found.passed, found.failed), (0, 0), ended.stdout)


if __name__ == "__main__":
    unittest.main()
