# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""STARTTLS in protocols of lines: SMTP (RFC 3207), IMAP (RFC 9051), POP3 (RFC 2595), FTP (RFC 4217), sieve (RFC 5804).

This module util is private to the collection. It can have breaking changes at any time.
"""

import re
from typing import List

from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.dialogue import NOT_OFFERED, Dialogue
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import EndpointError

_SMTP_LINE = re.compile(r"(?P<code>[2-5][0-9]{2})(?:(?P<more>[- ])(?P<text>.*))?\Z")
_FTP_LINE = re.compile(r"(?P<code>[1-5][0-9]{2})(?P<more>[- ]|\Z)")
_ANSWER_TO_STARTTLS = "answer to STARTTLS"
#: Octets that follow the line that ends so, and belong to it (RFC 5804, section 4).
_SIEVE_LITERAL = re.compile(r"\{(?P<octets>[0-9]{1,9})\+?\}\Z")


def smtp(dialogue: Dialogue) -> None:
    """Greeting, EHLO, STARTTLS."""
    _smtp_reply(dialogue, "220")
    dialogue.say(f"EHLO {dialogue.literal()}", "answer to EHLO")
    extensions = [line.split(" ")[0].upper() for line in _smtp_reply(dialogue, "250")]
    if "STARTTLS" not in extensions[1:]:
        raise EndpointError(NOT_OFFERED)
    dialogue.say("STARTTLS", _ANSWER_TO_STARTTLS)
    _smtp_reply(dialogue, "220")


def _smtp_reply(dialogue: Dialogue, expected: str) -> List[str]:
    """The texts of a reply, which has one line or more; every line but the last has a hyphen after its code."""
    texts = []
    while True:
        line = dialogue.line()
        match = _SMTP_LINE.match(line)
        if not match:
            raise dialogue.garbled(line)
        if match.group("code") != expected:
            raise dialogue.refused(line)
        texts.append(match.group("text") or "")
        if match.group("more") != "-":
            return texts


def imap(dialogue: Dialogue) -> None:
    """Greeting, STARTTLS."""
    greeting = dialogue.line()
    if greeting[:2] != "* ":
        raise dialogue.garbled(greeting)
    if greeting.upper().split(" ")[1] != "OK":
        raise dialogue.refused(greeting)
    dialogue.say("a1 STARTTLS", _ANSWER_TO_STARTTLS)
    while True:
        line = dialogue.line()
        # A server may tell other things before it answers.
        if line[:2] == "* ":
            continue
        if line[:3] != "a1 ":
            raise dialogue.garbled(line)
        if line.upper().split(" ")[1] != "OK":
            raise dialogue.refused(line)
        return


def pop3(dialogue: Dialogue) -> None:
    """Greeting, STLS."""
    _pop3_answer(dialogue)
    dialogue.say("STLS", "answer to STLS")
    _pop3_answer(dialogue)


def _pop3_answer(dialogue: Dialogue) -> None:
    line = dialogue.line()
    word = line.split(" ")[0].upper()
    if word == "-ERR":
        raise dialogue.refused(line)
    if word != "+OK":
        raise dialogue.garbled(line)


def ftp(dialogue: Dialogue) -> None:
    """Greeting, AUTH TLS."""
    _ftp_reply(dialogue, "220")
    dialogue.say("AUTH TLS", "answer to AUTH TLS")
    _ftp_reply(dialogue, "234")


def _ftp_reply(dialogue: Dialogue, expected: str) -> None:
    """Read a reply (RFC 959, section 4.2): of several lines, the last begins with the code of the first and a blank."""
    line = dialogue.line()
    match = _FTP_LINE.match(line)
    if not match:
        raise dialogue.garbled(line)
    if match.group("code") != expected:
        raise dialogue.refused(line)
    while match.group("more") == "-" and not re.match(expected + r"(?: |\Z)", dialogue.line()):
        pass


def sieve(dialogue: Dialogue) -> None:
    """Capabilities, which a server tells unasked, and STARTTLS."""
    capabilities = _sieve_lines(dialogue)
    if not any(line.upper().startswith('"STARTTLS"') for line in capabilities):
        raise EndpointError(NOT_OFFERED)
    dialogue.say("STARTTLS", _ANSWER_TO_STARTTLS)
    _sieve_lines(dialogue)


def _sieve_lines(dialogue: Dialogue) -> List[str]:
    """The lines before the one that says OK, each with the literals in it."""
    lines: List[str] = []
    while True:
        line = dialogue.line()
        begin = line
        literal = _SIEVE_LITERAL.search(line)
        while literal:
            line = dialogue.octets(int(literal.group("octets"))).decode("utf-8", "replace")
            begin += line
            line = dialogue.line()
            begin += line
            literal = _SIEVE_LITERAL.search(line)
        word = re.split(r"[ (]", begin, maxsplit=1)[0].upper()
        if word == "OK":
            return lines
        if word in ("NO", "BYE"):
            raise dialogue.refused(begin)
        # Names of capabilities are strings (RFC 5804, section 1.7).
        if begin[:1] not in ('"', "{"):
            raise dialogue.garbled(begin)
        lines.append(begin)
