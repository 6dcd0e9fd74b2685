r"""The registry that 32-bit programs see (``/reg:32``): of ``HKLM\SOFTWARE`` they have one of their own in WOW6432Node.

Source: Microsoft, "Registry keys affected by WOW64", for the keys that both share since Windows 7.
"""

from __future__ import annotations

from vmrescue.registry import path as key_path

NODE = "WOW6432Node"

_VERSION = "Microsoft\\Windows\\CurrentVersion"
_NT_VERSION = "Microsoft\\Windows NT\\CurrentVersion"
_SHARED = {
    path.upper()
    for path in (
        "Classes",
        "Clients",
        *(
            f"Microsoft\\{name}"
            for name in (
                *("COM3", "Cryptography\\Calais\\Current", "Cryptography\\Calais\\Readers", "Cryptography\\Services"),
                *("CTF\\SystemShared", "CTF\\TIP", "DFS", "Driver Signing", "EnterpriseCertificates", "EventSystem"),
                *("MSMQ", "Non-Driver Signing", "Notepad\\DefaultFonts", "OLE", "RAS", "RPC", "Shared Tools\\MSInfo"),
                *("SystemCertificates", "TermServLicensing", "TransactionServer"),
            )
        ),
        *(
            f"{_VERSION}\\{name}"
            for name in (
                *("App Paths", "Control Panel\\Cursors\\Schemes", "Explorer\\AutoplayHandlers", "Explorer\\DriveIcons"),
                *("Explorer\\KindMap", "Group Policy", "Policies", "PreviewHandlers", "Setup", "Telephony\\Locations"),
            )
        ),
        *(
            f"{_NT_VERSION}\\{name}"
            for name in (
                *("Console", "FontDpi", "FontLink", "FontMapper", "Fonts", "FontSubstitutes", "Gre_Initialize"),
                *("Image File Execution Options", "LanguagePack", "NetworkCards", "Perflib", "Ports", "Print"),
                *("ProfileList", "Time Zones"),
            )
        ),
        "Policies",
        "RegisteredApplications",
    )
}
_OF_THEIR_OWN = {f"CLASSES\\{name}" for name in ("CLSID", "DIRECTSHOW", "INTERFACE", "MEDIA TYPE", "MEDIAFOUNDATION")}


def seen_by_32_bit_programs(path: str) -> str:
    """Where a path below HKLM\\SOFTWARE leads such a program."""
    parts = key_path.split(path)
    if parts[:1] and parts[0].upper() == NODE.upper():
        return path
    above = {each.upper() for each in key_path.upward(path)}
    if above & _OF_THEIR_OWN:
        return key_path.join((parts[0], NODE, *parts[1:]))
    return path if above & _SHARED else key_path.join((NODE, *parts))
