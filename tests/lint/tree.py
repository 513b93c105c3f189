"""The files of the tree, and those of them that changed."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = (".cc", ".h")


def git(*words: str) -> list[str]:
    """The lines it prints; none where it fails, as outside a clone."""
    found = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.splitlines() if found.returncode == 0 else []


def files() -> list[str]:
    """What is committed or may be. Without git: all but what is built and installed."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard")
    if not listed:
        everything = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        listed = [str(path) for path in everything if not {"build", "node_modules", ".git"} & set(path.parts)]
    return sorted(file for file in set(listed) if (ROOT / file).is_file())


def sources() -> list[str]:
    return [file for file in files() if file.endswith(SOURCES)]


def base() -> str:
    """What to compare with: where this branch left origin/main, or, on it, the commit before."""
    head = git("rev-parse", "HEAD")
    fork = git("merge-base", "HEAD", "origin/main")
    if fork and fork != head:
        return fork[0]
    before = git("rev-parse", "--verify", "--quiet", "HEAD~1")
    return before[0] if before else ""


def changed_sources() -> list[str]:
    """Against base(), with what is not committed yet; all of them where nothing tells."""
    start = base()
    if not start:
        return sources()
    changed = set(git("diff", "--name-only", start)) | set(git("ls-files", "--others", "--exclude-standard"))
    return [file for file in sources() if file in changed]
