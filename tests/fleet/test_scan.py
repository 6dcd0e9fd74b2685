"""`vmrescue.scan`: every image has its result, wherever the work is done and whatever dies on the way."""

from __future__ import annotations

import gc
import itertools
import json
import os
import pickle
import signal
import threading
import tracemalloc
from collections import Counter
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from fleet.workers import die_at
from support.campaign import TIMES
from support.command import output_of
from support.fleet_images import fleet
from support.images import fingerprint, sample
from vmrescue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vmrescue import ScanResult

IMAGES = 1000 if TIMES > 1 else 400
CHECKS = ["bad-memory"]  # of the many images; what the others cost is no matter here


def pool(workers: int = 2, initializer: Any = None, initargs: tuple[str, ...] = ()) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer, initargs)


def told(result: ScanResult) -> dict[str, Any]:
    """All but how long it took."""
    return result.to_dict() | {"seconds": None}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return fleet(tmp_path_factory.mktemp("fleet"), IMAGES)


@pytest.fixture(scope="module")
def expected(many: list[Path]) -> dict[str, dict[str, Any]]:
    """What each of the many images is found to be, by `diagnose` itself on one image of each kind."""
    results = {}
    for image in many[:20]:
        (results[image.name],) = map(told, vmrescue.scan([image], only=CHECKS))
    return {
        str(image): renamed(results[f"vm-{number % 20:04}.vhd"], many[number % 20], image)
        for number, image in enumerate(many)
    }


def renamed(value: Any, old: Path, new: Path) -> Any:
    """A document about one image as it would be about another."""
    if isinstance(value, str):
        return value.replace(str(old), str(new))
    if isinstance(value, dict):
        return {key: renamed(item, old, new) for key, item in value.items()}
    return [renamed(item, old, new) for item in value] if isinstance(value, list) else value


def test_a_result_is_a_diagnosis_or_says_why_there_is_none(gen2_broken: Path, tmp_path: Path) -> None:
    good, bad = vmrescue.scan([gen2_broken, tmp_path / "missing.vhd"])
    assert good.diagnosis is not None
    assert good.diagnosis.to_dict() == vmrescue.diagnose(gen2_broken).to_dict()
    assert good.findings == good.diagnosis.findings
    assert (good.status, good.error, good.healthy) == ("findings", None, False)
    assert 0 < good.bytes_read < gen2_broken.stat().st_size
    assert good.seconds > 0
    assert (bad.status, bad.diagnosis, bad.findings, bad.healthy) == ("error", None, [], False)
    assert "missing.vhd" in str(bad.error)
    assert pickle.loads(pickle.dumps([good, bad])) == [good, bad]


def test_a_malformed_image_is_a_result_that_names_the_place(tmp_path: Path) -> None:
    text = tmp_path / "text.vhd"
    text.write_bytes(b"x" * 1024)
    (result,) = vmrescue.scan([text])
    assert result.error is not None
    assert (result.error.kind, result.error.structure, result.error.position) == ("FormatError", "partition table", 510)


def test_scanning_writes_to_no_image(gen2_broken: Path) -> None:
    before = fingerprint(gen2_broken), gen2_broken.stat().st_mtime_ns
    assert len(list(vmrescue.scan([gen2_broken, gen2_broken]))) == 2
    assert (fingerprint(gen2_broken), gen2_broken.stat().st_mtime_ns) == before
    assert list(gen2_broken.parent.iterdir()) == [gen2_broken]


def test_a_lone_path_and_wrong_checks_are_understood_at_once(gen2_healthy: Path) -> None:
    (result,) = vmrescue.scan(str(gen2_healthy))
    assert result.healthy
    with pytest.raises(UsageError, match="nonsense"):
        vmrescue.scan([gen2_healthy], only=["nonsense"])


def test_policy_and_checks_reach_the_workers(gen2_broken: Path) -> None:
    with pool(1) as executor:
        (result,) = vmrescue.scan([gen2_broken], executor, vmrescue.Policy(temp_drive=None), only=["page-file"])
    assert result.diagnosis is not None
    wanted = vmrescue.diagnose(gen2_broken, vmrescue.Policy(temp_drive=None), only=["page-file"])
    assert result.diagnosis.to_dict() == wanted.to_dict()


def test_many_images_give_the_same_results_here_and_in_two_processes(
    many: list[Path], expected: dict[str, dict[str, Any]]
) -> None:
    here = {result.image: told(result) for result in vmrescue.scan(many, only=CHECKS)}
    assert here == expected
    with pool() as executor:
        there = [told(result) for result in vmrescue.scan(many, executor, only=CHECKS)]
    assert len(there) == IMAGES
    assert {result["image"]: result for result in there} == expected
    assert Counter(result["status"] for result in there) == {
        "healthy": IMAGES // 20,
        "findings": IMAGES // 10,
        "error": IMAGES * 17 // 20,
    }


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a Dask cluster of two workers on this machine."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as running:
        yield running.scheduler_address


def test_a_scheduler_is_named_on_the_command_line(
    cluster: str, many: list[Path], expected: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    output = tmp_path / "results.jsonl"
    command = ["scan", *many[:20], "--only", "bad-memory", "--scheduler", cluster, "--output", output]
    assert "20 images: 1 healthy, 2 with findings, 17 could not be read" in output_of(*command, status=3)
    there = [json.loads(line) | {"seconds": None} for line in output.read_text().splitlines()]
    assert {result["image"]: result for result in there} == {str(i): expected[str(i)] for i in many[:20]}


def test_images_on_a_dask_cluster_whose_worker_is_killed(
    cluster: str, many: list[Path], expected: dict[str, dict[str, Any]]
) -> None:
    from distributed import Client

    with Client(cluster) as client:
        some = many[:400]
        results = vmrescue.scan(some, client.get_executor(), only=CHECKS)
        there = [told(result) for result in itertools.islice(results, 100)]
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        there += map(told, results)
    assert len(there) == len(some)
    assert {result["image"]: result for result in there} == {str(path): expected[str(path)] for path in some}


def test_a_worker_killed_from_outside_loses_no_image(many: list[Path], expected: dict[str, dict[str, Any]]) -> None:
    with pool() as executor:
        results = vmrescue.scan(many[:300], executor, only=CHECKS)
        there = [told(next(results))]
        os.kill(next(iter(executor._processes)), signal.SIGKILL)
        there += map(told, results)
    assert {result["image"]: result for result in there} == {str(image): expected[str(image)] for image in many[:300]}


@pytest.mark.parametrize("once", [True, False], ids=["once", "always"])
def test_an_image_that_kills_its_worker_is_tried_again_alone(once: bool, tmp_path: Path) -> None:
    images = [sample("gen2-healthy", tmp_path).rename(tmp_path / "vm-0.vhd")]
    for number in range(1, 8):
        (tmp_path / f"vm-{number}.vhd").hardlink_to(images[0])
        images.append(tmp_path / f"vm-{number}.vhd")
    mark = str(tmp_path / "mark") if once else ""
    with pool(2, die_at, ("vm-3.vhd", mark)) as executor:
        results = {result.image: result for result in vmrescue.scan(images, executor)}
    assert set(results) == set(map(str, images))
    fatal = results.pop(str(images[3]))
    assert all(result.healthy for result in results.values())
    if once:
        assert fatal.healthy
    else:
        assert fatal.error is not None
        assert fatal.error.kind == "WorkerLost"


class Counting(Executor):
    """Does nothing until asked for a result, and knows how much was submitted at most."""

    def __init__(self) -> None:
        self.waiting = 0
        self.most = 0

    def submit(self, act: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting += 1
        self.most = max(self.most, self.waiting)

        def finish() -> None:
            self.waiting -= 1
            future.set_result(act(*arguments))

        threading.Timer(0.001, finish).start()
        return future


def test_no_more_images_are_under_way_than_asked_for(tmp_path: Path) -> None:
    executor = Counting()
    missing = (tmp_path / f"{number}.vhd" for number in range(200))
    assert len(list(vmrescue.scan(missing, executor, in_flight=5))) == 200
    assert 1 <= executor.most <= 5


def test_paths_are_taken_as_the_scan_goes_on_and_memory_stays_flat(tmp_path: Path) -> None:
    def endless() -> Iterator[str]:
        return (str(tmp_path / f"{number:0100}.vhd") for number in itertools.count())

    with ThreadPoolExecutor(2) as executor:
        results = vmrescue.scan(endless(), executor)
        for _ in itertools.islice(results, 500):
            pass
        tracemalloc.start()
        sizes = []
        for _ in range(4):
            for _ in itertools.islice(results, 3000):
                pass
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        results.close()  # type: ignore[attr-defined]  # a generator
    # A leak would show in each step; what earlier tests left running in this process may show in one.
    assert min(later - sooner for sooner, later in itertools.pairwise(sizes)) < 60_000


class OnlyTheFirst(Executor):
    """Does the first piece of work at once, and begins no other."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.futures.append(future)
        if len(self.futures) == 1:
            future.set_result(function(*args, **named))
        return future


def test_leaving_the_loop_cancels_what_has_not_begun(many: list[Path]) -> None:
    executor = OnlyTheFirst()
    for _ in vmrescue.scan(many, executor):
        break
    first, *others = executor.futures
    assert first.done()
    assert 0 < len(others) < len(many) - 1
    assert all(future.cancelled() for future in others)


def test_the_core_imports_nothing_of_the_extras() -> None:
    import subprocess
    import sys

    code = (
        "import sys, vmrescue; list(vmrescue.scan(['/nonexistent']));"
        "print([m for m in ('fsspec', 'pyarrow', 'distributed', 'jinja2', 'aiohttp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
