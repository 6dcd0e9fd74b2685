r"""A line of a command file taken apart as cmd does, and then each program its own arguments.

The rules that are kept (Microsoft's "cmd", "set", and of arguments "Parsing C command-line arguments"):

1. ``%NAME%`` is replaced first, in quotes too; ``%%`` is a percent sign. ``%SystemRoot%``, ``%windir%`` and
   ``%SystemDrive%`` stay as they are: no Windows runs, and in data they mean what the guest will make of them. Any
   other name that was not set is an error, where cmd would put nothing. ``%~dp0`` is the file's own folder, which is
   where a file of this machine is looked for anyway.
2. Quotes take ``& | < > ^`` their meaning; outside of them a caret does that for one letter.
3. Output may go to ``nul``, which says nothing here. Other redirections, pipes and ``&`` are errors.
4. A program (bcdedit, reg, defrag, attrib) gets words as C takes a line apart: blanks outside of quotes separate, a
   backslash is a letter, but before a quote: two stand for one, and one makes the quote a letter.
5. A command of cmd's own (del, copy, ren, md) gets words that blanks, ``,``, ``;`` and ``=`` separate, and each ``/``
   outside of quotes begins a switch.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 8191  # letters of a line: cmd's own limit
OF_GUEST = ("SYSTEMROOT", "WINDIR", "SYSTEMDRIVE")
VARIABLE = re.compile(r"%%|%~dp0|%(?P<argument>[0-9*]|~)|%(?P<name>[^%:]+)(?P<changed>:[^%]*)?%|%", re.IGNORECASE)
TO_NUL = re.compile(r"[012]?>{1,2} *nul(?![^ \t])|2>&1", re.IGNORECASE)
NAME = re.compile(r'[ \t]*(?:"(?P<quoted>[^"]+)"|(?P<name>[^ \t/,;="]+))')


class Statement(NamedTuple):
    """A command's name, in lower case and without ``.exe``, and what follows it: outside of quotes no caret is left.

    `quoted` is as long as `rest` and has an ``x`` where a letter is in quotes or was escaped, a blank where it is not.
    """

    name: str
    rest: str
    quoted: str


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """The text with its variables' values; names are in capitals. Raises UsageError for one that was not set."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        if match[0].lower() == "%~dp0" or match[0] == "%":
            return ""
        if match["argument"]:
            raise UsageError(f"{match[0]} stands for an argument of the command file, and vmrescue gives it none")
        name = match["name"].upper()
        if name not in variables and name in OF_GUEST and not match["changed"]:
            return match[0]
        if name not in variables:
            raise UsageError(f"%{match['name']}% was not set before: set it in the file, or with --set")
        if match["changed"]:
            raise UsageError(f"{match[0]}: parts of a variable are not taken")
        return variables[name]

    found = VARIABLE.sub(value, text)
    if len(found) > LONGEST:
        raise UsageError(f"with its variables the line has {len(found)} letters; cmd takes {LONGEST}")
    return found


def statement(text: str) -> Statement | None:
    """The command that a line gives, its variables replaced; None for an empty line. Raises UsageError."""
    plain, quoted = _without_carets(text.lstrip(" \t@"))
    for match in reversed(list(TO_NUL.finditer(_visible(plain, quoted)))):
        plain = plain[: match.start()] + plain[match.end() :]
        quoted = quoted[: match.start()] + quoted[match.end() :]
    if special := re.search(r"[&|<>]", _visible(plain, quoted)):
        raise UsageError(_why_not_special(special[0], plain))
    named = NAME.match(plain)
    if named is None:
        return None
    name = (named["quoted"] or named["name"]).lower().removesuffix(".exe")
    return Statement(name, plain[named.end() :], quoted[named.end() :])


def _why_not_special(letter: str, text: str) -> str:
    if letter == "<" and (hole := re.search(r"<[^<>]+>", text)):
        return f"{hole[0]} is to be filled in"
    if letter in "<>":
        return f"{letter} leads in or out of a file, which is not done; only >nul is taken"
    return f"{letter} joins commands: give each a line of its own"


def _without_carets(text: str) -> tuple[str, str]:
    plain, marks = [], []
    quoted = escaped = False
    for letter in text:
        if escaped:
            plain.append(letter)
            marks.append("x")
            escaped = False
        elif letter == "^" and not quoted:
            escaped = True
        else:
            quoted ^= letter == '"'
            plain.append(letter)
            marks.append("x" if quoted else " ")
    return "".join(plain), "".join(marks)


def _visible(plain: str, quoted: str) -> str:
    """The text with a letter that means nothing in the place of what is quoted."""
    return "".join("x" if mark == "x" else letter for letter, mark in zip(plain, quoted, strict=True))


def program_words(rest: str) -> list[str]:
    """The arguments of a program (rule 4)."""
    words: list[str] = []
    word: str | None = None
    quoted, at = False, 0
    while at < len(rest):
        slashes = len(rest) - at - len(rest[at:].lstrip("\\"))
        if slashes:
            at += slashes
            if rest[at : at + 1] == '"':
                word = (word or "") + "\\" * (slashes // 2)
                if slashes % 2:
                    word += '"'
                    at += 1
            else:
                word = (word or "") + "\\" * slashes
            continue
        letter = rest[at]
        at += 1
        if letter == '"':
            quoted, word = not quoted, word or ""
        elif letter in " \t" and not quoted:
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + letter
    return [*words, *([] if word is None else [word])]


def own_words(rest: str, quoted: str) -> tuple[list[str], list[str]]:
    """The words of a command of cmd's own, and its switches, without slash and in lower case (rule 5)."""
    pieces: list[str] = []
    for letter, mark in zip(rest, quoted, strict=True):
        outside = mark == " " and letter != '"'
        if outside and letter in " \t,;=":
            pieces.append("")
        elif outside and letter == "/":
            pieces.append("/")
        elif not pieces:
            pieces.append(letter)
        else:
            pieces[-1] += letter
    words = [piece.replace('"', "") for piece in pieces if piece[:1] != "/"]
    return [word for word in words if word], [
        piece[1:].replace('"', "").lower() for piece in pieces if piece[:1] == "/"
    ]


def setting(rest: str) -> tuple[str, str]:
    """The variable that ``set`` names, in capitals, and its value: all that follows, blanks too. Raises UsageError."""
    text = rest.lstrip(" \t")
    if text.startswith("/"):
        raise UsageError("set takes NAME=VALUE; /a and /p are not done")
    if text.startswith('"'):
        text = text[1:].rpartition('"')[0] or text[1:]
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError("set takes NAME=VALUE")
    return name.upper(), value
