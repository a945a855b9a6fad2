"""Every parser under a fuzzer: ``python benchmarks/fuzz_sources.py [SECONDS] [NAME...]``, by default a minute for each.

Files of the tests are changed by atheris, which is led by what of the parsers' code it reaches, and read. Any error
that is not one in words, a file that takes 20 seconds, or a gigabyte of memory, ends it; the file is kept, and named.
atheris is no part of the project and has no wheel for every Python: ``pip install atheris`` beside what ``make test``
needs.
"""

import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

SECONDS = 60
SECONDS_FOR_ONE = 20
MEGABYTES = 1024
MAX_BYTES = 1 << 14
TESTS = Path(__file__).parent.parent / "tests" / "sources"
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")
_COVERAGE = re.compile(r"cov: (\d+)")


def fuzz(place: str, *options: str) -> None:
    """Let libFuzzer change files and read them, until it ends this process."""
    import atheris  # type: ignore[import-untyped]

    with atheris.instrument_imports(include=["manera.sources"], enable_loader_override=False):
        from manera.sources.reading import read
    from manera.errors import SourceError
    from manera.sources.settings import SourcesConfig

    path = Path(place)

    def read_once(content: bytes) -> None:
        path.write_bytes(content)
        settings = SourcesConfig(salvage=bool(len(content) % 2))
        with suppress(SourceError):
            for record in read([path], settings=settings):
                repr(record).encode()

    atheris.Setup([sys.argv[0], *options], read_once)
    atheris.Fuzz()


def fuzzed(name: str, seed: bytes, seconds: int, findings: Path) -> bool:
    """Fuzz a parser by the file that it begins with; tell in a line what came of it, and whether it was well."""
    with tempfile.TemporaryDirectory() as place:
        seeds = Path(place) / "seeds"
        seeds.mkdir()
        (seeds / "seed").write_bytes(seed)
        options = [
            f"-max_total_time={seconds}",
            f"-timeout={SECONDS_FOR_ONE}",
            f"-rss_limit_mb={MEGABYTES}",
            f"-max_len={max(MAX_BYTES, 2 * len(seed))}",
            f"-artifact_prefix={findings / name}-",
            str(seeds),
        ]
        child = subprocess.run(
            [sys.executable, __file__, "--fuzz", str(Path(place) / name), *options],
            capture_output=True,
            text=True,
            errors="replace",
        )
    done, reached = _DONE.search(child.stderr), _COVERAGE.findall(child.stderr)
    runs = f"{int(done[1]):,} files in {done[2]} s" if done else "ended early"
    print(f"{name:16}{runs:28}{int(reached[-1]) if reached else 0:6} places reached", flush=True)
    if child.returncode:
        print(child.stderr[-3000:], f"what it read is in {findings}", sep="\n")
    return child.returncode == 0


def main() -> int:
    sys.path.insert(0, str(TESTS))
    from test_any_bytes import WHOLE

    seconds = next((int(word) for word in sys.argv[1:] if word.isdigit()), SECONDS)
    asked = [word for word in sys.argv[1:] if not word.isdigit()] or list(WHOLE)
    findings = Path(tempfile.mkdtemp(prefix="manera-fuzz-"))
    well = [fuzzed(name, WHOLE[name], seconds, findings) for name in asked]
    if all(well):
        findings.rmdir()
    return not all(well)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fuzz"]:
        fuzz(*sys.argv[2:])
    else:
        sys.exit(main())
