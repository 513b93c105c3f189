"""A lint is worth something only if it finds what is wrong: each rule is shown one thing to refuse and one to let pass."""

import pathlib
import tempfile
import unittest

import include_rules
import section_rules
import text_rules

HERE = pathlib.Path(__file__).parent
TABLE = include_rules.read_table((HERE / "include_table.txt").read_text())


class Includes(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for header in [
            "storage/cache_key.h",
            "storage/base/log.h",
            "storage/http/method.h",
            "storage/rocksdb/record.h",
            "revalidate/flight.h",
            "revalidate/policy/reuse.h",
            "proxy/net/event_loop.h",
            "tests/support/clock.h",
        ]:
            (self.root / header).parent.mkdir(parents=True, exist_ok=True)
            (self.root / header).touch()

    def problems(self, file, *lines):
        return include_rules.problems(TABLE, self.root, file, "\n".join(lines))

    def assert_refused(self, file, line):
        self.assertEqual(len(self.problems(file, "#pragma once", line)), 1, f"{file} may include {line}")

    def assert_allowed(self, file, line):
        self.assertEqual(self.problems(file, line), [])

    def test_nothing_includes_upwards(self):
        self.assert_refused("storage/cache_key.cc", '#include "revalidate/flight.h"')
        self.assert_refused("storage/rocksdb/record.cc", '#include "proxy/net/event_loop.h"')
        self.assert_refused("revalidate/flight.cc", '#include "proxy/net/event_loop.h"')
        self.assert_refused("proxy/net/worker.cc", '#include "tests/support/clock.h"')

    def test_policy_sees_the_nouns_only(self):
        self.assert_allowed("revalidate/policy/reuse.cc", '#include "storage/cache_key.h"')
        self.assert_allowed("revalidate/policy/reuse.cc", '#include "storage/http/method.h"')
        self.assert_allowed("revalidate/policy/reuse.cc", '#include "revalidate/policy/reuse.h"')
        self.assert_refused("revalidate/policy/reuse.cc", '#include "storage/rocksdb/record.h"')
        self.assert_refused("revalidate/policy/reuse.cc", '#include "revalidate/flight.h"')

    def test_a_folder_without_a_row_is_refused(self):
        self.assert_refused("proxy/novelty/thing.cc", '#include "storage/cache_key.h"')

    def test_tests_include_everything_of_ours(self):
        self.assert_allowed("tests/unit/proxy/net/worker_test.cc", '#include "storage/rocksdb/record.h"')

    def test_paths_begin_at_the_root_and_exist(self):
        self.assert_refused("storage/cache_key.cc", '#include "cache_key.h"')
        self.assert_refused("storage/cache_key.cc", '#include "../storage/cache_key.h"')
        self.assert_refused("storage/cache_key.cc", '#include "storage/nowhere.h"')

    def test_a_header_that_the_build_makes_exists(self):
        (self.root / "tests/support/meson.build").write_text("configure_file(output: 'made.h')\n")
        self.assert_allowed("tests/unit/storage/cache_key_test.cc", '#include "tests/support/made.h"')
        self.assert_refused("tests/unit/storage/cache_key_test.cc", '#include "tests/support/lost.h"')

    def test_each_library_has_its_place(self):
        homes = {
            "event2/event.h": "proxy/net/event_loop.cc",
            "openssl/ssl.h": "proxy/net/tls_context.cc",
            "curl/curl.h": "revalidate/origin/curl_client.cc",
            "rocksdb/db.h": "storage/rocksdb/rocksdb_store.cc",
            "toml++/toml.h": "proxy/config/config_file.cc",
            "CLI/CLI.hpp": "proxy/cli/command_line.cc",
            "spdlog/spdlog.h": "storage/base/log.cc",
            "xxhash.h": "storage/base/hash.cc",
            "nlohmann/json.hpp": "proxy/admin/admin_server.cc",
            "gtest/gtest.h": "tests/unit/storage/cache_key_test.cc",
        }
        for header, home in homes.items():
            self.assert_allowed(home, f"#include <{header}>")
            for other in ["storage/cache_key.cc", "revalidate/flight.cc", "proxy/exchange/exchange.cc"]:
                self.assert_refused(other, f"#include <{header}>")

    def test_storage_has_no_socket(self):
        self.assert_refused("storage/memory/memory_store.cc", "#include <sys/socket.h>")
        self.assert_allowed("proxy/net/listener.cc", "#include <sys/socket.h>")

    def test_the_standard_library_is_everywhere(self):
        self.assert_allowed("storage/cache_key.cc", "#include <string_view>")

    def test_an_unknown_library_is_refused(self):
        self.assert_refused("storage/cache_key.cc", "#include <boost/asio.hpp>")

    def test_spaces_hide_nothing(self):
        self.assert_refused("storage/cache_key.cc", '  #  include   "revalidate/flight.h"')

    def test_the_line_is_named(self):
        found = self.problems("storage/cache_key.cc", "", "", '#include "revalidate/flight.h"')
        self.assertTrue(found[0].startswith("storage/cache_key.cc:3: "), found)


class Text(unittest.TestCase):
    def test_paths_of_one_machine(self):
        for path in ["/ro" + "ot/thing", "/wo" + "rk/main", "/ho" + "me/somebody/src"]:
            self.assertEqual(len(text_rules.problems("README.md", f"see {path} for it")), 1, path)
        self.assertEqual(text_rules.problems("README.md", "from the checkout's root/build and framework/main"), [])

    def test_lock_files_name_no_registry(self):
        lock = '{"packages": {"node_modules/a": {"version": "1.0.0", "resolved": "https://example.org/a.tgz"}}}'
        self.assertEqual(len(text_rules.problems("tests/package-lock.json", lock)), 1)
        self.assertEqual(text_rules.problems("tests/package-lock.json", '{"packages": {"a": {"version": "1.0.0"}}}'), [])

    def test_white_space_at_the_end(self):
        self.assertEqual(len(text_rules.problems("storage/cache_key.cc", "int x; ")), 1)


class Sections(unittest.TestCase):
    def test_a_name_says_what_it_holds_to(self):
        for name, wanted in {
            "S3OnlyAnswers": "9111 3",
            "S421WhatIs": "9111 4.2.1",
            "S5217Only": "9111 5.2.1.7",
            "S1312List": "9110 13.1.2",
            "S142One": "9110 14.2",
            "Rfc9111S122Large": "9111 1.2.2",
            "Rfc9110S762Max": "9110 7.6.2",
            "Rfc9110S1242Weights": "9110 12.4.2",
            "Rfc9213AField": "9213",
            "G12Cookies": "G12",
            "EdgeControl": "Edge architecture note",
            "WhatNobodyAsked": section_rules.OWN,
        }.items():
            self.assertEqual(section_rules.section(name), wanted)

    def test_functions_are_found_through_helpers(self):
        header = "// decides(no)\n[[nodiscard]] bool decide_it(int a,\n                 int b);\nstd::string name_it();\n"
        source = "int decide(const Options& o = {}) {\n  return decide_it(1, 2);\n}\n\nTEST(Suite, S41One) {\n  decide();\n}\n"
        made = section_rules.table([header], [source])
        self.assertIn("| 9111 §4.1, Vary | `decide_it` | `Suite.S41*` |", made)
        self.assertNotIn("name_it", made)

    def test_a_table_that_is_not_what_the_tests_say_is_another_text(self):
        readme = f"a\n{section_rules.BEGIN}\nold\n{section_rules.END}\nb\n"
        made = section_rules.with_table(readme, "new")
        self.assertEqual(made, f"a\n{section_rules.BEGIN}\nnew\n{section_rules.END}\nb\n")
        self.assertEqual(section_rules.with_table(made, "new"), made)
        with self.assertRaises(ValueError):
            section_rules.with_table("no marks", "new")


if __name__ == "__main__":
    unittest.main()
