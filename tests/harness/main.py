"""Builds what the chosen parts need, runs them one after the other, and says how long each took and what it found."""

import argparse
import os
import sys
import time

import parts
from build import ROOT, VARIANTS, Variant
from counts import Counts
from runner import Runner


def arguments() -> argparse.Namespace:
    groups = list(dict.fromkeys(part.group for part in parts.all_parts()))
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__)
    parser.add_argument("--only", metavar="PART,...", help=f"of {', '.join(groups)}; `unit-asan` is one variant of one")
    parser.add_argument("--skip", metavar="PART,...", help="all but these")
    parser.add_argument("--full", action="store_true", help="clang-tidy on every file, long fuzzing, all fault rounds")
    parser.add_argument("--build-only", action="store_true", help="build what the parts need and run none")
    return parser.parse_args()


def chosen_parts(only: str | None, skip: str | None) -> list[parts.Part]:
    every = parts.all_parts()
    known = {part.name for part in every} | {part.group for part in every}
    wanted = set(filter(None, (only or "").split(",")))
    unwanted = set(filter(None, (skip or "").split(",")))
    for name in sorted((wanted | unwanted) - known):
        sys.exit(f"tests/run: there is no part {name}, but these: {', '.join(sorted(known))}")
    return [
        part
        for part in every
        if not unwanted & {part.name, part.group} and (not wanted or wanted & {part.name, part.group})
    ]


def node_modules(runner: Runner) -> Counts:
    command = ["deploy/install-node-modules", "deploy/demo", "tests"]
    status, _ = runner.execute("node-modules", command, deadline=900)
    return Counts() if status == 0 else Counts(failures=["npm ci"])


def build_variant(runner: Runner, variant: Variant) -> Counts:
    failed = Counts(failures=[f"build {variant.name}"])
    compiler = {"CXX": variant.compiler}
    if runner.execute(f"configure-{variant.name}", variant.configure(), 600, compiler)[0] != 0:
        return failed
    command = ["ninja", "-k", "0", "-C", str(variant.folder), *variant.existing_targets()]
    return Counts() if runner.execute(f"build-{variant.name}", command, 3600, compiler)[0] == 0 else failed


def run_parts(runner: Runner, chosen: list[parts.Part], build_only: bool) -> None:
    builds: dict[str | None, bool] = {None: True}
    for part in chosen:
        missing = part.missing()
        if missing:
            print(f"== {part.name}: left out, {missing}", flush=True)
            continue
        if part.variant not in builds:
            variant = VARIANTS[part.variant]
            built = runner.step(f"build {variant.name}", lambda: build_variant(runner, variant))
            builds[part.variant] = built.failed == 0
        if build_only:
            continue
        if builds[part.variant]:
            runner.step(part.name, lambda: part.run(runner))
        else:
            runner.step(part.name, lambda: Counts(skipped=[f"{part.name}: the {part.variant} build failed"]))


def summary(runner: Runner, took: float) -> None:
    print("\n== summary")
    for name, part_took, line in runner.rows:
        print(f"{name:24}{part_took:8.1f} s  {line}")
    print(f"{'all':24}{took:8.1f} s")
    for failure in runner.total.failures:
        print(f"FAILED {failure}")
    for reason in runner.total.skipped:
        print(f"skipped {reason}")
    print(runner.total.line(), flush=True)


def main() -> int:
    asked = arguments()
    chosen = chosen_parts(asked.only, asked.skip)
    if asked.full:
        os.environ["FRESHET_FULL"] = "1"
    runner = Runner(ROOT / "build" / "logs", asked.full)
    began = time.monotonic()
    runner.step("node modules", lambda: node_modules(runner))
    run_parts(runner, chosen, asked.build_only)
    summary(runner, time.monotonic() - began)
    nothing_ran = runner.total.passed == 0 and not asked.build_only
    return 1 if runner.total.failed or nothing_ran else 0


if __name__ == "__main__":
    sys.exit(main())
