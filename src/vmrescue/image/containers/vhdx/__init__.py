"""VHDX, Hyper-V's container, read and written: fixed, dynamic, differencing.

Layout of the file ([MS-VHDX] 2.1); everything after the first MiB lies at whole MiB, in any order:

    file identifier | header | header | region table | region table | log | metadata | block allocation table | blocks

`layout` declares the structures. `header` chooses the current one of the two headers, `log` replays what a program left
in the log, `regions` and `metadata` read the tables, `bat` the block allocation table. `disk` is the disk in all this,
`commit` the order in which its changes are written, `chain` finds parents, and `create` makes new files.
"""
