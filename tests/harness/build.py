"""The build folders that the tests use, one per variant, and how each is configured."""

import dataclasses
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ["proxy/freshet", "tests/unit/unit_tests", "tests/contract/contract_tests"]
SANITIZED = ["-Doptimization=1", "-Ddebug=true"]


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    options: list[str]
    targets: list[str]  # a name that ends in `_` stands for all that begin so
    compiler: str = "ccache g++"  # named, it is not put there by meson

    @property
    def folder(self) -> pathlib.Path:
        return ROOT / "build" / self.name

    @property
    def freshet(self) -> pathlib.Path:
        return self.folder / "proxy" / "freshet"

    def configure(self) -> list[str]:
        """The command for it. Looking again each time costs a third of a second and finds new test files."""
        if (self.folder / "build.ninja").exists():
            return ["meson", "setup", "--reconfigure", str(self.folder)]
        return ["meson", "setup", str(self.folder), str(ROOT), *self.options]

    def existing_targets(self) -> list[str]:
        """Those of its targets that the tree has."""
        command = ["ninja", "-C", str(self.folder), "-t", "targets", "all"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        names = [line.split(": ")[0] for line in listed.splitlines() if ": cpp_LINKER" in line]
        return [
            name
            for name in names
            if any(name == target or (target.endswith("_") and name.startswith(target)) for target in self.targets)
        ]


VARIANTS = {
    variant.name: variant
    for variant in [
        Variant("release", ["--buildtype=release"], TESTS),
        Variant("asan", ["-Db_sanitize=address,undefined", *SANITIZED], TESTS),
        Variant("tsan", ["-Db_sanitize=thread", *SANITIZED], TESTS),
        # clang sees the whole tree here, so its thread-safety diagnostics are errors in every file.
        Variant(
            "fuzz",
            ["-Db_sanitize=address,undefined", "-Dcpp_args=-fsanitize=fuzzer-no-link", *SANITIZED],
            ["proxy/freshet", "tests/fuzz/fuzz_"],
            compiler="ccache clang++",
        ),
    ]
}


def environment(more: dict[str, str]) -> dict[str, str]:
    """ccache takes the checkout's path for nothing; a sanitizer's report always ends the program with status 66."""
    suppressions = ROOT / "tests" / "support" / "tsan.supp"
    return {
        **os.environ,
        "CCACHE_NOHASHDIR": "1",
        "CCACHE_BASEDIR": str(ROOT),
        "ASAN_OPTIONS": "exitcode=66:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
        "UBSAN_OPTIONS": "exitcode=66:halt_on_error=1:print_stacktrace=1",
        "TSAN_OPTIONS": f"exitcode=66:halt_on_error=1:second_deadlock_stack=1:history_size=7:suppressions={suppressions}",
        **more,
    }
