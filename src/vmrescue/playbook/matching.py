"""Whether an image is one that a playbook is for: each condition, in the order in which it costs."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from vmrescue.checks import Policy
from vmrescue.diagnosis.examination import examine
from vmrescue.digests import sha256
from vmrescue.errors import FormatError, NotFoundError
from vmrescue.playbook.places import files_of, fits, keys_of
from vmrescue.playbook.schema import CURRENT, version_of
from vmrescue.readers.file_system import chunks, whole
from vmrescue.windows.file_version import LARGEST, file_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.playbook.schema import FileThere, Match, ValueThere
    from vmrescue.playbook.schema import Windows as WantedWindows
    from vmrescue.windows import Installation, OperatingSystem


def why_not_matched(match: Match, installation: Installation) -> str | None:
    """Why a playbook is not for this image; None where it is.

    Raises VmRescueError where that cannot be told, because a part is missing or damaged: it is then not taken for one.
    """
    windows = windows_of(installation)
    return next(chain(_windows(match.windows, windows), _rest(match, installation, windows)), None)


def windows_of(installation: Installation) -> OperatingSystem:
    """The Windows that boots. Raises NotFoundError where none is at hand, or its SYSTEM hive cannot be read."""
    windows = installation.os
    if windows is None or windows.fault:
        raise NotFoundError((windows.fault if windows else installation.why_no_windows) or "there is no Windows")
    return windows


def _rest(match: Match, installation: Installation, windows: OperatingSystem) -> Iterator[str]:
    for service in match.services:
        [key] = keys_of(windows, "SYSTEM", f"{CURRENT}\\Services\\{service}", all_sets=False)
        if windows.system.key(key) is None:
            yield f"there is no service {service}"
    for value in match.values:
        yield from _value(value, windows)
    for file in match.files:
        yield from _file(file, windows)
    if match.checks:
        diagnosis = examine(installation.disks, Policy.azure(), match.checks, choice=installation.choice)
        found = {each.check for each in diagnosis.findings}
        for check in match.checks:
            if check not in found:
                yield f"the check {check} finds nothing"


def _windows(wanted: WantedWindows | None, windows: OperatingSystem) -> Iterator[str]:
    if wanted is None:
        return
    product = windows.product
    for said, pattern, found in (("name", wanted.name, product.name), ("edition", wanted.edition, product.edition)):
        if pattern is not None and not fits(found or "", pattern):
            yield f"its {said} is {found or 'not known'}, not {pattern}"
    least, most = wanted.build_from, wanted.build_to
    if least is None and most is None:
        return
    build = (product.build or "").partition(".")[0]
    if not (build.isascii() and build.isdigit()):
        raise NotFoundError(f"the build of {windows} is not known")
    if not (least or 0) <= int(build) <= (most or int(build)):
        yield f"its build is {build}"


def _value(wanted: ValueThere, windows: OperatingSystem) -> Iterator[str]:
    [key] = keys_of(windows, wanted.hive, wanted.key, all_sets=False)
    found = windows.hive(wanted.hive).data(key, wanted.name)
    if found is None:
        yield f"{wanted.hive} has no value {key}\\{wanted.name}"
    elif wanted.data is not None and _folded(found.data) != _folded(wanted.data):
        yield f"{wanted.hive}: {key}\\{wanted.name} is {found}"


def _folded(data: object) -> object:
    if isinstance(data, bytes):
        return data.hex()
    if isinstance(data, list):
        return [_folded(each) for each in data]
    return data.lower() if isinstance(data, str) else data


def _file(wanted: FileThere, windows: OperatingSystem) -> Iterator[str]:
    found = files_of(windows, wanted.path)
    if not found:
        yield f"there is no file {wanted.path}"
    elif not any(_is_meant(wanted, windows, path) for path, _ in found):
        yield f"no file {wanted.path} is of the version or the content that is meant"


def _is_meant(wanted: FileThere, windows: OperatingSystem, path: str) -> bool:
    files = windows.volume.files
    if wanted.sha256 and sha256(chunks(files.open(path))) not in {each.lower() for each in wanted.sha256}:
        return False
    if wanted.version_from is None and wanted.version_before is None:
        return True
    try:
        version = file_version(whole(files.open(path), path, LARGEST))
    except FormatError:
        return False  # it has none
    least, below = wanted.version_from, wanted.version_before
    return not (least and version < version_of(least)) and not (below and version >= version_of(below))
