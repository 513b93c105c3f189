"""The parts of the tests: what each needs, and how it is run and counted."""

import concurrent.futures
import dataclasses
import pathlib
import typing

import counts
import scenario_table
from build import ROOT, VARIANTS

MINUTE = 60


@dataclasses.dataclass(frozen=True)
class Part:
    name: str
    variant: str | None  # whose build it needs
    run: typing.Callable[[typing.Any], counts.Counts]  # is given the runner of main.py
    needs: str | None = None  # the files it tests with: where there are none, it is left out

    @property
    def group(self) -> str:
        return self.name.split("-")[0]

    def missing(self) -> str | None:
        if self.needs is None or next(ROOT.glob(self.needs), None):
            return None
        return f"there is no {self.needs} yet"


def lint(runner) -> counts.Counts:
    found = counts.Counts()
    for check in ["includes", "format", "text", "sections", "tidy"]:
        command = [f"tests/lint/{check}"] + (["--full"] if check == "tidy" and runner.full else [])
        status, _ = runner.execute(f"lint-{check}", command, deadline=40 * MINUTE)
        found.add(counts.Counts(passed=int(status == 0)).settle(" ".join(command), status))
    return found


def harness(runner) -> counts.Counts:
    """The tests of the lints and of this harness."""
    found = counts.Counts()
    for folder in ["lint", "harness"]:
        command = ["python3", "-B", "-m", "unittest", "discover", "-v", "-s", f"tests/{folder}", "-p", "*_test.py"]
        status, output = runner.execute(f"harness-{folder}", command, deadline=5 * MINUTE)
        found.add(counts.from_unittest(output).settle(f"the tests of tests/{folder}", status))
    return found


# A test under TSan takes ten times as long, much of it by waiting for the disk: so many processes share them.
SHARDS = {"tsan": 2}


def gtest(folder: str, variant: str, needs: str) -> Part:
    name = f"{folder}-{variant}"
    shards = SHARDS.get(variant, 1)

    def run_shard(runner, index: int) -> counts.Counts:
        part = name if shards == 1 else f"{name}-{index + 1}"
        report = runner.fresh(f"{part}.json")
        program = VARIANTS[variant].folder / "tests" / folder / f"{folder}_tests"
        command = [str(program), f"--gtest_output=json:{report}", "--gtest_color=no"]
        environment = {"GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(index)}
        status, _ = runner.execute(part, command, 15 * MINUTE, environment)
        return counts.from_gtest(report).settle(part, status)

    def run(runner) -> counts.Counts:
        found = counts.Counts()
        with concurrent.futures.ThreadPoolExecutor(shards) as pool:
            for each in pool.map(lambda index: run_shard(runner, index), range(shards)):
                found.add(each)
        return found

    return Part(name, variant, run, needs)


def node(name: str, variant: str, needs: str, minutes: int = 15, protocol: str | None = None) -> Part:
    """`protocol`: what the scenarios' clients speak instead of HTTP/1.1 in clear."""
    reporter = (pathlib.Path(__file__).parent / "reporter.mjs").as_uri()

    def run(runner) -> counts.Counts:
        report = runner.fresh(f"{name}.json")
        paths, left_out = scenario_table.over(protocol) if protocol else (sorted(ROOT.glob(needs)), [])
        runner.say(left_out)
        files = [str(path.relative_to(ROOT)) for path in paths]
        command = ["node", "--test", f"--test-reporter={reporter}", "--test-reporter-destination=stdout", *files]
        environment = {
            "TEST_COUNTS": str(report),
            "FRESHET_BIN": str(VARIANTS[variant].freshet),
            "FRESHET_VARIANT": variant,
            "FRESHET_TEST_PROTOCOL": protocol or "h1",
        }
        status, _ = runner.execute(name, command, minutes * MINUTE, environment)
        return counts.from_node(report).settle(name, status)

    return Part(name, variant, run, needs)


def conformance(runner) -> counts.Counts:
    environment = {"FRESHET_BIN": str(VARIANTS["release"].freshet)}
    status, output = runner.execute("conformance", ["tests/conformance/run"], 10 * MINUTE, environment)
    runner.say(output.splitlines()[-6:])  # how many of each kind
    return counts.from_last_line("conformance", output).settle("conformance", status)


def fuzz(runner) -> counts.Counts:
    """Each target for a short while, starting from tests/fuzz/corpus/NAME; what it finds new stays in build."""
    found = counts.Counts()
    variant = VARIANTS["fuzz"]
    seconds = 300 if runner.full else 15
    for target in [name for name in variant.existing_targets() if name.startswith("tests/fuzz/")]:
        name = pathlib.Path(target).name
        grown = variant.folder / "corpus" / name
        grown.mkdir(parents=True, exist_ok=True)
        seeds = ROOT / "tests" / "fuzz" / "corpus" / name.removeprefix("fuzz_")
        command = [str(variant.folder / target), f"-max_total_time={seconds}", "-timeout=10", "-seed=1"]
        command += [f"-artifact_prefix={variant.folder}/{name}-", str(grown)]
        command += [str(seeds)] if seeds.is_dir() else []
        status, _ = runner.execute(name, command, deadline=seconds + 5 * MINUTE)
        found.add(counts.Counts(passed=int(status == 0)).settle(name, status))
    return found.settle("fuzz", 0)


def all_parts() -> list[Part]:
    """In the order in which they run: the quickest and most basic first."""
    parts = [Part("lint", None, lint), Part("harness", None, harness)]
    for variant in ["release", "asan", "tsan"]:
        parts += [
            gtest("unit", variant, "tests/unit/**/*_test.cc"),
            gtest("contract", variant, "tests/contract/*.cc"),
            node(f"scenarios-{variant}", variant, "tests/scenarios/*.test.mjs"),
        ]
        if variant == "release":
            parts += [
                node("scenarios-tls", variant, "tests/scenarios/*.test.mjs", protocol="tls"),
                node("scenarios-h2", variant, "tests/scenarios/*.test.mjs", protocol="h2"),
                node("nginx", variant, "tests/scenarios/nginx/*.test.mjs"),
                node("deploy", variant, "tests/deploy/*.test.mjs"),
                node("browser", variant, "tests/browser/*.test.mjs"),
                Part("conformance", variant, conformance, "tests/conformance/run"),
                node("checks", variant, "tests/bench/*.test.mjs"),
                node("faults", variant, "tests/faults/*.test.mjs", minutes=30),
            ]
    return parts + [Part("fuzz", "fuzz", fuzz, "tests/fuzz/fuzz_*.cc")]
