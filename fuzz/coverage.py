"""`python -m fuzz.coverage PARSER`: coverage-guided fuzzing with Atheris, until it is stopped. For developers.

Atheris (Apache-2.0) is not among the project's dependencies: ``pip install atheris``. It starts from the same real
files, changes bytes by what new code they reach, and now and then has `Parser.mutate` change named fields. What it
finds lies in ``fuzz-finds/``; further arguments go to libFuzzer (``-max_total_time=600``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

FINDS = Path("fuzz-finds")
OWN_MUTATIONS = 3  # one in so many is ours, which knows the fields and the checksums
LONGEST = 4 << 20  # bytes of an input
MEMORY = 1024  # MB of the whole process
SECONDS = 10  # for an input; instrumented code is slower


def main() -> None:
    """Runs until libFuzzer ends."""
    import atheris

    name = sys.argv[1] if len(sys.argv) > 1 else ""
    with atheris.instrument_imports(include=["vmrescue", "dissect"]):
        from fuzz.rooms import PARSERS
        from vmrescue.errors import VmRescueError
    if name not in PARSERS:
        sys.exit(f"usage: python -m fuzz.coverage PARSER [libFuzzer options]; there are {', '.join(PARSERS)}")
    parser = PARSERS[name]
    seeds = parser.must_have_seeds()
    folder = FINDS / f"{name}-corpus"
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (folder / seed.name.replace("/", " ")).write_bytes(seed.data)

    def one(data: bytes) -> None:
        try:
            parser.run(data)
        except VmRescueError:
            return

    def change(data: bytes, longest: int, seed: int) -> bytes:
        chance = Random(seed)
        if chance.randrange(OWN_MUTATIONS):
            changed: bytes = atheris.Mutate(data, longest)
            return changed
        own: bytes = parser.mutate(chance.choice(list(seeds)), chance)
        return own[:longest]

    options = [f"-max_len={LONGEST}", f"-rss_limit_mb={MEMORY}", f"-timeout={SECONDS}", f"-artifact_prefix={FINDS}/"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[2:], str(folder)], one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
