"""`python -m fuzz PARSER --count 20000 --seed N`: a campaign, its table, its finds."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fuzz.campaign import Result, campaign, save_find
from fuzz.limits import try_input
from fuzz.rooms import PARSERS

CHUNK = 500  # inputs between two lines of progress


def main() -> int:
    """Exit status 1 where there was a find."""
    options = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    options.add_argument("parser", nargs="*", help="which parsers; all unless given")
    options.add_argument("--count", type=int, default=2000, help="inputs for each (%(default)s)")
    options.add_argument("--first", type=int, default=0, help="the number of the first (%(default)s)")
    options.add_argument("--seed", default="9", help="what the inputs are drawn from (%(default)s)")
    options.add_argument("--finds", type=Path, default=Path("fuzz-finds"), help="where finds are kept (%(default)s)")
    options.add_argument("--try", dest="file", type=Path, help="try this one file instead")
    options.add_argument("--list", action="store_true", help="name the parsers")
    given = options.parse_args()
    names = given.parser or list(PARSERS)
    unknown = set(names) - set(PARSERS)
    if unknown:
        options.error(f"there is no parser {min(unknown)}; there are {', '.join(PARSERS)}")
    if given.list:
        print("\n".join(names))
        return 0
    if given.file:
        return _try_file(names, given.file)
    numbers = range(given.first, given.first + given.count)
    return max(int(bool(_run(name, numbers, given.seed, given.finds).finds)) for name in names)


def _try_file(names: list[str], file: Path) -> int:
    outcomes = {name: try_input(PARSERS[name].run, file.read_bytes()) for name in names}
    for name, outcome in outcomes.items():
        size = f"{outcome.seconds:.2f} s, {outcome.memory >> 20} MB"
        print(f"{name}: {outcome.kind}, {size}\n{outcome.find}".rstrip())
    return int(any(outcome.find for outcome in outcomes.values()))


def _run(name: str, numbers: range, seed: str, folder: Path) -> Result:
    parser = PARSERS[name]
    parser.must_have_seeds()
    total = Result(name, seed)
    for start in range(0, len(numbers), CHUNK):
        part = campaign(parser, numbers[start : start + CHUNK], seed)
        for find in part.finds:
            print(f"  find: {save_find(find, name, folder)}: {find.text.strip().splitlines()[-1][:160]}", flush=True)
        _add(total, part)
        print(total.row(), flush=True)
    return total


def _add(total: Result, part: Result) -> None:
    total.kinds.update(part.kinds)
    total.finds += part.finds
    total.seconds += part.seconds
    total.memory = max(total.memory, part.memory)
    if part.slowest > total.slowest:
        total.slowest, total.slowest_number = part.slowest, part.slowest_number


if __name__ == "__main__":
    sys.exit(main())
