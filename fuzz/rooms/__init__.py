"""The parsers under fire, by room."""

from __future__ import annotations

from fuzz.rooms import (
    boot_store,
    containers,
    fat,
    faults,
    foreign,
    hives,
    journals,
    logs,
    nbd,
    ntfs,
    plans,
    programs,
    reg_files,
    scripts,
    tables,
    vhdx,
    whole,
    wims,
)

PARSERS = {
    parser.name: parser
    for room in (
        whole,
        hives,
        logs,
        ntfs,
        fat,
        containers,
        vhdx,
        foreign,
        tables,
        boot_store,
        reg_files,
        scripts,
        plans,
        programs,
        wims,
        journals,
        nbd,
        faults,
    )
    for parser in room.PARSERS
}
