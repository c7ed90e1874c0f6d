# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers in format 0, lines in an order that the request decides (section 2 of the specification).

A line's place depends on what was asked and on what the service had to say, and a later version of the interface may
put lines between those that are known. So each part takes the lines that look like it, where such a line may stand, and
what no part takes is kept, in its order, under ``UNNAMED``; it shifts nothing. What can't be told apart so:

* an error message is the line behind a negative status, whatever it says;
* a status of section 2.2.5 that the section does not list is a few words, as another line may be. The first one is
  taken, or the one before a listed validation status, or the one behind a listed certificate status;
* a domain name without a full stop is a word. One in lower case is a name; one in capitals is a name where certificates
  or a listed certificate status follow it;
* a number is a status detail where these were asked for, and a CAA status behind thirteen of them, behind other lines,
  or where it is no value of a detail. Behind seven of them, a value of a detail is one of a later version. What is no
  value of a detail is none of them where all others make up their number.

This module util is private to the collection. It can have breaking changes at any time.
"""

import dataclasses
import re
from typing import Callable, Dict, List, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import decode_base64, is_base64, is_torn
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import integer
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire import shapes
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.fields import (
    DETAIL_COUNTS,
    DETAILS,
    Fields,
    begins_with_domain_status,
    has_meaning,
    is_detail,
    iso_from_day,
    mdc_domains,
    with_certificates,
    with_details,
    with_domains,
    with_extra,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import QUERY_STATUS, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.structures import structure_length

#: Where lines that nothing explains are kept.
UNNAMED = "unnamed_lines"

_STATUS = re.compile(r"^[+-]?[0-9]{1,6}\Z")
_BEGIN, _END = "-----BEGIN", "-----END"


def read(text: str, request: CollectRequest) -> Optional[Fields]:
    """The fields of an answer in format 0; None where the first line is not a status code."""
    lines = [line.strip() for line in text.split("\n")]
    start = next((at for at, line in enumerate(lines) if line), len(lines) - 1)
    if not _STATUS.match(lines[start]):
        return None
    rest = lines[start + 1 :]
    if next((line for line in rest if line), "").startswith("<"):
        return None
    return _Reading(integer(lines[start]) or 0, rest, request).fields()


class _Reading:
    """The lines behind the status, of which each part takes its own; raises ``ProtocolError`` as ``parse`` does.

    ``_lines`` has all of them, since an empty one may count. ``_left`` has those, by their places, that are not empty
    and that nothing has taken yet. Places below ``_head`` are those before the certificates, where there are any;
    ``_tail`` is where the lines behind the certificates, or behind the message, begin; ``_middle`` has the places of
    status details and domain lists, which stand behind the statuses and before the CAA status.
    """

    def __init__(self, code: int, lines: List[str], request: CollectRequest) -> None:
        self._told = Fields(code)
        self._request = request
        self._lines = lines
        self._left = {at: line for at, line in enumerate(lines) if line}
        self._head: Optional[int] = None
        self._tail = 0
        self._middle: List[int] = []

    def fields(self) -> Fields:
        """What the lines tell."""
        code = self._told.status_code
        if code > 0:
            self._read_certificates()
            self._read_validity()
            self._read_name()
        if code not in (0, 1, 2):
            self._read_message()
        self._read_details()
        self._read_domains()
        self._read_caa()
        self._read_statuses()
        unnamed = tuple(self._left.values())
        return with_extra(self._told, {UNNAMED: unnamed} if unnamed else {})

    def _first(self, fits: Callable[[str], bool], begin: int = 0, end: Optional[int] = None) -> Optional[int]:
        """The place of the first line that is left and fits, from one place to before another."""
        return next(
            (at for at, line in self._left.items() if begin <= at and (end is None or at < end) and fits(line)), None
        )

    def _take(self, at: Optional[int]) -> Optional[str]:
        return None if at is None else self._left.pop(at)

    # 2.2.4

    def _read_certificates(self) -> None:
        kind = None if self._request.response_type == "individual" else self._request.response_type
        begin = self._first(lambda line: line.startswith(_BEGIN + " "))
        if begin is not None:
            ends = [at for at, line in self._left.items() if line.startswith(_END + " ")]
            end = 1 + (ends[-1] if ends else len(self._lines) - 1)
        elif self._told.status_code != 2 or self._request.query_type == QUERY_STATUS:
            return
        elif kind:
            begin = self._begin_of_structure()
            end = begin + _bare_structure(self._lines[begin:])
        else:
            raise ProtocolError("The answer says that certificates are attached, and there are none.")
        # None of the other lines looks like a boundary, so what does is a part of a certificate.
        if any(_BEGIN in line or _END in line for line in self._lines[:begin]):
            raise ProtocolError("The answer begins in the middle of the certificates.")
        self._told = with_certificates(self._told, "certificates", ["\n".join(self._lines[begin:end])], kind)
        if is_torn("\n".join(self._lines[end:])):
            raise ProtocolError("The answer ends in the middle of the certificates: it was cut off.")
        self._take_blocks(begin, end)
        self._head = begin
        # Any number of empty lines ends the certificates.
        self._tail = next((at for at in self._left if at >= end), end)

    def _begin_of_structure(self) -> int:
        begins = [(at, shapes.begins_structure(line)) for at, line in self._left.items()]
        for wanted in (True, None):
            for at, told in begins:
                if told is wanted:
                    return at
        raise ProtocolError("The answer ends in the middle of the certificates, or holds none: was it cut off?")

    def _take_blocks(self, begin: int, end: int) -> None:
        armoured = self._lines[begin].startswith(_BEGIN)
        inside = not armoured
        for at in range(begin, end):
            line = self._lines[at]
            inside = inside or line.startswith(_BEGIN)
            if inside:
                self._left.pop(at, None)
            inside = inside and not (armoured and line.startswith(_END))

    # 2.2.2

    def _read_validity(self) -> None:
        at = self._first(lambda line: shapes.validity(line) is not None, end=self._head)
        days = shapes.validity(self._take(at) or "")
        if days:
            self._told = dataclasses.replace(
                self._told,
                not_before=iso_from_day("validity period", days[0], "00:00:00"),
                not_after=iso_from_day("validity period", days[1], "23:59:59"),
            )

    # 2.2.3

    def _read_name(self) -> None:
        if "fqdn" not in self._request.show:
            return
        place = self._place_of_name(self._head if self._head is not None else self._first(self._ends_names))
        if place is None and self._head is None:
            # A number may be no detail, and stand before the name; what holds a full stop is a name all the same.
            end = self._first(self._is_behind_names)
            place = next((at for at, line in self._left.items() if shapes.name_rank(line) == shapes.NAME), None)
            place = place if place is not None and (end is None or place < end) else None
        self._told = dataclasses.replace(self._told, fqdn=self._take(place))

    def _place_of_name(self, end: Optional[int]) -> Optional[int]:
        ranks = {at: shapes.name_rank(line) for at, line in self._left.items() if end is None or at < end}
        ranked = min(((rank, at) for at, rank in ranks.items() if rank is not None), default=None)
        return ranked[1] if ranked and (self._head is not None or self._is_name(*ranked)) else None

    def _ends_names(self, line: str) -> bool:
        """Whether a line is of a part that stands behind the domain name, where no certificates do."""
        return self._is_behind_names(line) or ("status_details" in self._request.show and is_detail(line))

    def _is_behind_names(self, line: str) -> bool:
        return shapes.is_caa_status(line) or _is_listed(line) or mdc_domains(line) is not None

    def _is_name(self, rank: int, at: int) -> bool:
        """Whether a line that looks like a name is one, where no certificates follow to tell it."""
        if self._told.status_code not in (1, 2):
            # The message stands in the same place.
            return rank in (shapes.NAME, shapes.ODD_NAME)
        if rank != shapes.CAPITAL_LABEL or "ext_status" not in self._request.show:
            return True
        words = [line for place, line in self._left.items() if place > at and shapes.may_be_status(line)]
        words = [line for line in words if not shapes.is_caa_status(line)]
        return len(words) > 1 or (len(words) == 1 and shapes.is_certificate_status(words[0]))

    # 2.2.1

    def _read_message(self) -> None:
        """The error message, unless in its place stands a line that was asked for."""
        at, line = next(iter(self._left.items()), (0, ""))
        asked_for_more = "ext_status" in self._request.show or "status_details" in self._request.show
        if self._told.status_code < 0 and at > 0 and (asked_for_more or shapes.is_caa(line)):
            self._tail = 1
            return
        self._tail = max(self._tail, at)
        if not line or ("status_details" in self._request.show and is_detail(line)):
            return
        if "ext_status" in self._request.show and shapes.is_certificate_status(line):
            return
        self._told = dataclasses.replace(self._told, message=self._left.pop(at))
        self._tail = max(self._tail, at + 1)

    # 2.2.7

    def _read_details(self) -> None:
        """The status details, a run of numbers whose places tell their names.

        A detail that has no value may come as an empty line, and the last ones may be missing; so an empty line among
        the details counts, unless there are too many for that.
        """
        if "status_details" not in self._request.show:
            return
        places = self._padded(self._without_strangers(self._numbers()))[: len(DETAILS)]
        self._told = with_details(self._told, dict(zip(DETAILS, (self._lines[at] for at in places))))
        self._middle.extend(places)
        for at in places:
            self._left.pop(at, None)

    def _without_strangers(self, places: List[int]) -> List[int]:
        """Without numbers that stand before the details, among them or behind them, where they are too many or few."""
        if len(places) > len(DETAILS) + 1:
            places = [at for at in places if self._lines[at]]
        if len(places) not in DETAIL_COUNTS:
            # What no detail can be, where all others make up the details, with a CAA status or without.
            known = [at for at in places if not self._lines[at] or has_meaning(self._lines[at])]
            if len(known) in (*DETAIL_COUNTS, len(DETAILS) + 1):
                places = known
        begin, end = 0, len(places)

        def odd(at: int) -> bool:
            return end - begin not in DETAIL_COUNTS and not has_meaning(self._lines[at])

        while end - begin > DETAIL_COUNTS[0] and odd(places[begin]):
            begin += 1
        # The CAA status may be a number.
        if end > begin and (end - begin == len(DETAILS) + 1 or odd(places[end - 1])):
            end -= 1
        while end > begin and not self._lines[places[end - 1]]:
            end -= 1
        return places[begin:end]

    def _numbers(self) -> List[int]:
        """The places of the details and of the empty lines among them."""
        runs: List[List[int]] = []
        broken = True
        for at, line in self._left.items():
            if at < self._tail:
                continue
            if is_detail(line):
                if broken:
                    runs.append([])
                runs[-1].extend(range(runs[-1][-1] + 1 if runs[-1] else at, at + 1))
                broken = False
            elif runs and mdc_domains(line) is not None:
                break
            else:
                broken = True
        return self._joined(runs)

    def _joined(self, runs: List[List[int]]) -> List[int]:
        """As many of the runs, which foreign lines stand between, as make up the details."""
        joined = [[at for run in runs[: count + 1] for at in run] for count in range(min(len(runs), len(DETAILS)))]
        whole = [places for places in joined if len(places) in DETAIL_COUNTS]
        return whole[-1] if whole else (joined[-1] if joined else [])

    def _padded(self, places: List[int]) -> List[int]:
        """With the empty lines before the first detail that has a value, where they make up what is missing."""
        before = 0
        while places and places[0] - before - 1 >= self._tail and not self._lines[places[0] - before - 1]:
            before += 1
        size = before + len(places)
        if places and (size <= DETAIL_COUNTS[0] or size == len(DETAILS)):
            return list(range(places[0] - before, places[0])) + places
        return places

    # 2.2.6, 2.2.8

    def _read_domains(self) -> None:
        domains: Dict[str, str] = {}
        for at in [at for at in self._left if at >= self._tail]:
            if at not in self._left:
                continue
            taken = [at]
            found = mdc_domains(self._left[at])
            following = at + 1
            # A line feed may stand within a pair, too.
            if not found and begins_with_domain_status(self._left.get(following, "")):
                taken.append(following)
                found = mdc_domains(self._left[at] + " " + self._left[following])
            if found:
                domains.update(found)
                self._middle.extend(taken)
                for place in taken:
                    self._left.pop(place)
        self._told = with_domains(self._told, domains)

    # 2.2.9

    def _read_caa(self) -> None:
        """The CAA status, which the service leaves out when it is empty, and which is the last line that is known."""
        listed = [at for at, line in self._left.items() if "ext_status" in self._request.show and _is_listed(line)]
        begin = max([self._tail, *listed, *self._middle])
        places = [at for at in self._left if at >= begin]
        named = [at for at in places if shapes.is_caa_status(self._left[at])]
        numbers = [at for at in places if shapes.is_caa_number(self._left[at])]
        # Several numbers are something else.
        at = named[-1] if named else numbers[0] if len(numbers) == 1 else None
        self._told = dataclasses.replace(self._told, caa_status=self._take(at))

    # 2.2.5

    def _read_statuses(self) -> None:
        if "ext_status" not in self._request.show:
            return
        certificate = self._first(shapes.is_certificate_status, self._tail)
        validation = self._first(shapes.is_validation_status, self._tail if certificate is None else certificate)
        end = min(self._middle, default=len(self._lines))
        if certificate is None:
            certificate = self._unlisted_certificate_status(end if validation is None else validation, validation)
        if validation is None and certificate is not None:
            validation = self._first(shapes.may_be_status, certificate + 1, end)
        self._told = dataclasses.replace(
            self._told, certificate_status=self._take(certificate), validation_status=self._take(validation)
        )

    def _unlisted_certificate_status(self, end: int, validation: Optional[int]) -> Optional[int]:
        words = [at for at, line in self._left.items() if self._tail <= at < end and shapes.may_be_status(line)]
        if not words:
            return None
        return words[0] if validation is None else words[-1]


def _is_listed(line: str) -> bool:
    return shapes.is_certificate_status(line) or shapes.is_validation_status(line)


def _bare_structure(lines: List[str]) -> int:
    """How many lines the bare base64 at their start takes.

    A status line such as ``Complete`` is good base64 too, so the length that the structure states decides.
    """
    end = 0
    while end < len(lines) and is_base64(lines[end]):
        end += 1
        if lines[end - 1].endswith("="):
            break
    packed = "".join(lines[:end]).rstrip("=")
    # What follows may be good base64 as well, and then the whole need not be any.
    packed = packed[:-1] if len(packed) % 4 == 1 else packed
    data = decode_base64(packed + "=" * (-len(packed) % 4))
    length = structure_length(data) if data else None
    if data is None or length is None or length > len(data):
        raise ProtocolError("The answer ends in the middle of the certificates, or holds none: was it cut off?")
    size = 0
    for count, line in enumerate(lines[:end], 1):
        size += len(line)
        if size >= (length + 2) // 3 * 4:
            return count
    return end
