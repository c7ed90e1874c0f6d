# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers in lines: what a line is depends on where it stands, and what stands elsewhere is kept and shifts nothing."""

from __future__ import annotations

import base64
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import SHOW, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse, parse
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _asn1
from ansible_collections.certfleet.collectssl.tests.support import authority

_PEM = "".join(armour(der) for der in authority.chain().served)


def _parse(lines: t.Iterable[str], *show: str, **changes: t.Any) -> CollectResponse:
    request = CollectRequest("order_number", "1", show=show, response_format="lines", **changes)
    return parse("\n".join(lines).encode(), None, request)


def _kept(response: CollectResponse) -> list[str]:
    return list(dict(response.extra).get("unnamed_lines", ()))


def _told(response: CollectResponse) -> list[str]:
    return [value for _name, value in response.details if value is not None]


# --- before the certificates and behind them ----------------------------------------------------------------------


def test_a_validity_behind_the_certificates_is_none() -> None:
    days = "14/05/2003 13/05/2004"
    response = _parse(["2", _PEM, days], *SHOW)
    assert (response.not_before, response.not_after, _kept(response)) == (None, None, [days])
    assert _parse(["2", days, _PEM], *SHOW).not_before == "2003-05-14T00:00:00Z"


def test_a_name_behind_the_certificates_is_none() -> None:
    response = _parse(["2", _PEM, "www.example.com"], "fqdn")
    assert (response.fqdn, _kept(response)) == (None, ["www.example.com"])


@pytest.mark.parametrize("line", ["Issued", "Complete", "1", "a.example VALIDATED", "Authorized", "42"])
def test_what_stands_before_the_certificates_is_nothing_that_stands_behind_them(line: str) -> None:
    response = _parse(["2", line, _PEM], *(name for name in SHOW if name != "fqdn"))
    assert _kept(response) == [line]
    assert (response.certificate_status, response.validation_status, response.caa_status) == (None, None, None)
    assert (_told(response), response.mdc_domains) == ([], ())


@pytest.mark.parametrize("day", ["31/02/2004 13/05/2004", "13/05/2004 31/02/2004"])
def test_a_day_that_there_is_not_is_named(day: str) -> None:
    with pytest.raises(ProtocolError, match="The answer's validity period is not a day: 31/02/2004"):
        _parse(["2", day, _PEM])


def test_the_status_of_an_order_is_no_promise_of_certificates() -> None:
    assert _parse(["2"], query_type=0).state == "issued"
    with pytest.raises(ProtocolError, match="says that certificates are attached, and there are none"):
        _parse(["2"])
    with pytest.raises(ProtocolError, match="in the middle of the certificates, or holds none"):
        _parse(["2"], response_type="pkcs7")


@pytest.mark.parametrize("torn", ["-----BEGIN", "x-----BEGIN", "-----END", "-----END CERTIFICATE-----", "AAAA-----END"])
def test_a_boundary_before_the_certificates_is_a_part_of_one(torn: str) -> None:
    with pytest.raises(ProtocolError, match="begins in the middle of the certificates"):
        _parse(["2", torn, _PEM])


@pytest.mark.parametrize("torn", ["-----BEGIN CERTIFICATE-----", "-----BEGIN", "-----BEG", "-"])
def test_a_boundary_behind_the_certificates_is_the_end_of_what_was_cut_off(torn: str) -> None:
    for between in ([], ["Issued"], ["", "Issued", "Complete"]):
        with pytest.raises(ProtocolError, match="in the middle"):
            _parse(["2", _PEM, *between, torn])


@pytest.mark.parametrize("cut", [1, 2, 3, 60])
def test_the_lines_of_a_bare_structure_may_be_of_any_length(cut: int) -> None:
    data = _asn1.pkcs7(authority.chain().served)
    packed = base64.b64encode(data).decode()
    bare = packed.rstrip("=")
    lines = [bare[:-cut], packed[len(bare) - cut :]]
    response = _parse(["2", *lines, "Issued", "Complete"], "ext_status", response_type="pkcs7")
    assert response.container == ("pkcs7", data)
    assert (response.certificate_status, response.validation_status, _kept(response)) == ("Issued", "Complete", [])
    with pytest.raises(ProtocolError, match="in the middle of the certificates"):
        _parse(["2", bare[:-72]], response_type="pkcs7")


def test_what_is_no_certificate_is_said_of_the_certificates() -> None:
    with pytest.raises(ProtocolError, match="The answer's certificates is not a whole certificate"):
        _parse(["2", armour(b"junk")])


# --- the name, where no certificates tell -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behind", [["Issued"], ["Complete"], ["Authorized"], ["a.example VALIDATED"], ["1", "1", "1", "1", "1", "1", "1"]]
)
def test_a_word_behind_what_follows_the_name_is_none(behind: list[str]) -> None:
    response = _parse(["1", *behind, "intranet"], "fqdn", "status_details", "ext_status", query_type=0)
    assert response.fqdn is None
    assert "intranet" in [*_kept(response), response.certificate_status, response.validation_status]


@pytest.mark.parametrize("behind", ["Issued", "Complete", "Authorized", "a.example VALIDATED"])
def test_a_name_behind_what_follows_the_name_is_none(behind: str) -> None:
    response = _parse(["1", "365", behind, "www.example.com"], "fqdn", "status_details", query_type=0)
    assert response.fqdn is None
    assert "www.example.com" in _kept(response)


def test_a_number_before_the_name_hides_no_name() -> None:
    assert _parse(["1", "365", "www.example.com"], "fqdn", "status_details", query_type=0).fqdn == "www.example.com"
    # Where no details were asked for, a number is nothing that follows the name.
    assert _parse(["1", "365", "intranet"], "fqdn", query_type=0).fqdn == "intranet"
    assert _parse(["1", "365", "intranet"], "fqdn", "status_details", query_type=0).fqdn is None


@pytest.mark.parametrize(
    ("name", "behind", "is_name"),
    [
        ("intranet", [], True),
        ("intranet", ["Issued"], True),
        ("INTRANET", [], False),
        ("INTRANET", ["Authorized"], False),
        ("INTRANET", ["Issued"], True),
        ("INTRANET", ["Something"], False),
        ("INTRANET", ["Something", "New"], True),
        ("INTRANET", ["Something", "Authorized"], False),
        ("INTRANET", ["Something", "flag=1"], False),
        ("INTRANET", ["flag=1", "Issued"], True),
    ],
)
def test_a_word_in_capitals_is_a_name_where_both_statuses_follow(name: str, behind: list[str], is_name: bool) -> None:
    response = _parse(["1", name, *behind], "fqdn", "ext_status", query_type=0)
    assert response.fqdn == (name if is_name else None)
    # Where no status was asked for, none is to be told from a name.
    assert _parse(["1", name, *behind], "fqdn", query_type=0).fqdn == name


@pytest.mark.parametrize("name", ["WORD", "intranet", "v1.22", "www.example.com"])
def test_a_name_is_one_where_a_certificate_is_issued(name: str) -> None:
    assert _parse(["2", name, _PEM], "fqdn", "ext_status").fqdn == name
    for code in ("1", "2"):
        assert _parse([code, name], "fqdn", query_type=0).fqdn == name


@pytest.mark.parametrize("code", ["3", "500"])
@pytest.mark.parametrize(("name", "is_name"), [("www.example.com", True), ("v1.22", True), ("intranet", False)])
def test_a_word_behind_a_status_that_is_not_listed_is_its_message(code: str, name: str, is_name: bool) -> None:
    response = _parse([code, name], "fqdn")
    assert (response.fqdn, response.message) == ((name, "") if is_name else (None, name))


@pytest.mark.parametrize("name", ["intranet", "www.example.com", "v1.22"])
def test_the_line_that_looks_most_like_a_name_is_the_name(name: str) -> None:
    ranked = ["WORD", "word", "v1.22", "www.example.com"]
    response = _parse(["2", *ranked[: ranked.index(name) if name in ranked else 1], name, _PEM], "fqdn")
    assert response.fqdn == name


def test_a_name_of_an_order_that_is_pending_is_none() -> None:
    response = _parse(["0", "www.example.com"], "fqdn")
    assert (response.fqdn, _kept(response)) == (None, ["www.example.com"])


def test_a_caa_status_in_one_word_is_no_name() -> None:
    response = _parse(["1", "ERROR"], "fqdn", query_type=0)
    assert (response.fqdn, response.caa_status) == (None, "ERROR")


def test_a_name_that_was_not_asked_for_is_kept() -> None:
    for lines in (["2", "www.example.com", _PEM], ["1", "www.example.com"]):
        response = _parse(lines, "validity_period", query_type=0 if lines[0] == "1" else 1)
        assert (response.fqdn, _kept(response)) == (None, ["www.example.com"])


# --- messages -----------------------------------------------------------------------------------------------------


def test_a_message_may_stand_behind_an_empty_line() -> None:
    assert _parse(["3", "", "Maintenance"], "ext_status").message == "Maintenance"
    assert _parse(["-20", "", "Rejected"]).message == "Rejected"
    # Where more was asked for, it is that.
    assert _parse(["-20", "", "Rejected"], "ext_status").certificate_status == "Rejected"
    assert _parse(["-20", "", "1"], "status_details").message == ""
    assert _parse(["-20", "", "Rejected"], "status_details").message == ""


def test_a_number_is_a_message_where_no_details_were_asked_for() -> None:
    assert _parse(["-20", "1"]).message == "1"
    assert _parse(["-20", "1"], "status_details").message == ""


@pytest.mark.parametrize("message", ["Issued", "Revoked"])
def test_a_status_is_a_message_where_no_status_was_asked_for(message: str) -> None:
    assert _parse(["-20", message]).message == message
    response = _parse(["-20", message], "ext_status")
    assert (response.message, response.certificate_status) == ("", message)


@pytest.mark.parametrize("code", ["0", "1"])
def test_an_order_without_an_error_has_no_message(code: str) -> None:
    response = _parse([code, "Some words"], query_type=0)
    assert (response.message, _kept(response)) == ("", ["Some words"])


# --- details ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [7, 13])
@pytest.mark.parametrize("stranger", ["flag=1", "two words."])
def test_a_line_among_the_details_or_around_them_is_none(count: int, stranger: str) -> None:
    values = (["1", "2", "0", "-1"] * 4)[:count]
    plain = _parse(["0", "Issued", "Complete", *values, "Authorized"], *SHOW)
    assert len(_told(plain)) == count
    for at in range(count + 1):
        response = _parse(["0", "Issued", "Complete", *values[:at], stranger, *values[at:], "Authorized"], *SHOW)
        assert response.details == plain.details, at
        assert (_kept(response), response.caa_status) == ([stranger], "Authorized"), at


@pytest.mark.parametrize(
    ("numbers", "told", "caa"),
    [
        (["1"] * 8, 8, None),
        (["1"] * 14, 13, "1"),
        (["1"] * 7 + ["42"], 7, "42"),
        (["1"] * 13 + ["42"], 13, "42"),
        (["42"] + ["1"] * 7, 7, None),
        (["42"] + ["1"] * 13, 13, None),
        (["42", "43"] + ["1"] * 7, 7, None),
        (["1"] * 3 + ["42"] + ["1"] * 4, 7, None),
        (["1"] * 6 + ["42"], 6, None),
        (["1"] * 5 + ["42"], 5, "42"),
        (["1"] * 15, 13, None),
    ],
)
def test_which_numbers_are_details(numbers: list[str], told: int, caa: str | None) -> None:
    response = _parse(["0", *numbers], "status_details")
    assert (len(_told(response)), response.caa_status) == (told, caa)
    in_answer = [value for name, value in response.extra if name != "unnamed_lines"]
    assert len(_kept(response)) + len(in_answer) + told + bool(caa) == len(numbers)


@pytest.mark.parametrize("blanks", range(8))
@pytest.mark.parametrize("count", [1, 3, 6, 7, 12])
def test_empty_lines_before_the_first_detail_count_where_they_make_up_what_is_missing(blanks: int, count: int) -> None:
    response = _parse(["0", "Issued", "Complete", *[""] * blanks, *["1"] * count], *SHOW)
    size = blanks + count
    shift = blanks if size <= 7 or size == 13 else 0
    values = [value for _name, value in response.details]
    assert values[shift : shift + count] == ["completed"] * count
    assert values[:shift] == [None] * shift
    assert not _kept(response)


@pytest.mark.parametrize("blanks", range(1, 7))
def test_empty_lines_behind_a_status_alone_are_details_too(blanks: int) -> None:
    response = _parse(["0", *[""] * blanks, *["2"] * (7 - blanks)], "status_details")
    assert [value for _name, value in response.details][:7] == [None] * blanks + ["in_progress"] * (7 - blanks)


_MEANINGS = {"completed": "1", "in_progress": "2", "not_completed": "0", "not_required": "-1", None: "."}


@pytest.mark.parametrize(
    ("lines", "details", "caa", "extra"),
    [
        ("0|||1|2|0", ". . 1 2 0", None, {}),
        ("3||1|", "1", None, {}),
        ("0|42|1|", ". 1", None, {"csrStatus": "42"}),
        (
            "1|1|1||2||1|42|-1||-1|||42",
            "1 1 . 2 . 1 . -1 . -1",
            None,
            {"brandValStatus": "42", "evSignerSecondApproval": "42"},
        ),
        (
            "1|1|1|42|2|3 - x|0|1||0|3 - x|42|42|42",
            "1 1 . 2 . 0 1 . 0",
            None,
            {
                "ovCallBackStatus": "42",
                "freeDVUPStatus": "3 - x",
                "evPhysicalExistence": "3 - x",
                "evOperationalExistence": "42",
                "evSignerApproverRequester": "42",
                "evSignerSecondApproval": "42",
            },
        ),
        ("0||0|1|1|0|1|2|42|0|-1|-1|1|0|1|1|2", "0 1 1 0 1 2 0 -1 -1 1 0 1 1", "2", {"unnamed_lines": ("42",)}),
        ("3|1|||1|1|1|3 - x", "1 . . 1 1 1", None, {"brandValStatus": "3 - x"}),
        ("3|42|-1||0|1|2||1|2", "-1 . 0 1 2 . 1 2", None, {"unnamed_lines": ("42",)}),
        (
            "0||1|1|3 - x|2|0|stop=1|1|1|1|1|3 - x|1|1||0",
            ". 1 1 . 2 0 1 1 1 1 . 1 1",
            "0",
            {"organizationValidationStatus": "3 - x", "evOperationalExistence": "3 - x", "unnamed_lines": ("stop=1",)},
        ),
        ("1|42|42|1|1|0|1|0|2|2||2|1", "1 1 0 1 0 2 2 . 2 1", None, {"unnamed_lines": ("42", "42")}),
        ("1|0|stop=1|42|1|1||1", "0 . 1 1 . 1", None, {"dcvStatus": "42", "unnamed_lines": ("stop=1",)}),
        (
            "0|1|1|0||1||| word=1|1|42|stop=1|1|2|2",
            "1 1 0 . 1 1",
            None,
            {"brandValStatus": "42", "unnamed_lines": ("word=1", "stop=1", "1", "2", "2")},
        ),
        ("0||-1||-1|1|0||1|1", "-1 . -1 1 0 . 1 1", None, {}),
        ("0||1|1", ". 1 1", None, {}),
        ("0||1|", ". 1", None, {}),
        ("0|1|1|1|1|1|1|1|1|1|1|1|1|1|2", "1 1 1 1 1 1 1 1 1 1 1 1 1", "2", {}),
        ("0|1|1|1|1|1|1|1|stop=1|1|1|1|1|1|1", "1 1 1 1 1 1 1 1 1 1 1 1 1", None, {"unnamed_lines": ("stop=1",)}),
        ("0|1|1|1|1|1|1|1|stop=1|1|1", "1 1 1 1 1 1 1", None, {"unnamed_lines": ("stop=1", "1", "1")}),
        ("0|stop=1|1|stop=1|1|1|1|1|1|1", "1 1 1 1 1 1 1", None, {"unnamed_lines": ("stop=1", "stop=1")}),
        ("0|42|1|1|1|1|1|1|1|stop=1", "1 1 1 1 1 1 1", None, {"unnamed_lines": ("42", "stop=1")}),
        ("0|1|1|1|1|1|1|1|1|1|1|1|1|42", "1 1 1 1 1 1 1 1 1 1 1 1", None, {"evSignerSecondApproval": "42"}),
        ("0|1|||||||||||||||1", "1 1", None, {}),
    ],
)
def test_numbers_and_empty_lines_are_the_details_that_they_make_up(
    lines: str, details: str, caa: str | None, extra: dict[str, t.Any]
) -> None:
    """Seven or thirteen, where they can be that many; what has to be left out for it is kept."""
    response = _parse(lines.split("|"), "status_details", "mdc_domain_details", query_type=0)
    told = [_MEANINGS[value] for _name, value in response.details]
    assert told == details.split() + ["."] * (13 - len(details.split()))
    assert (response.caa_status, dict(response.extra)) == (caa, extra)


# --- domains ------------------------------------------------------------------------------------------------------


def test_a_line_that_is_a_list_by_itself_takes_nothing_from_the_next() -> None:
    response = _parse(["0", "a.example VALIDATED", "VALIDATED"], "mdc_domain_details")
    assert (dict(response.mdc_domains), _kept(response)) == ({"a.example": "validated"}, ["VALIDATED"])


def test_a_line_that_begins_with_a_status_is_no_part_of_another_list() -> None:
    response = _parse(["0", "a.example", "something", "VALIDATED"], "mdc_domain_details")
    assert dict(response.mdc_domains) == {"something": "validated"}
    assert _kept(response) == ["a.example"]
    # An empty line is no end of one pair.
    response = _parse(["0", "a.example", "", "VALIDATED"], "mdc_domain_details")
    assert (response.mdc_domains, _kept(response)) == ((), ["a.example", "VALIDATED"])


# --- statuses and the CAA status ----------------------------------------------------------------------------------


@pytest.mark.parametrize("middle", [["a.example VALIDATED"], ["1"] * 7, ["1"] * 7 + ["a.example VALIDATED"]])
def test_statuses_that_are_not_listed_stand_before_details_and_domains(middle: list[str]) -> None:
    response = _parse(["0", "One", "Two", *middle, "Three"], *SHOW)
    assert (response.certificate_status, response.validation_status) == ("One", "Two")
    assert _kept(response) == ["Three"]
    among = _parse(["0", "1", "1", "Three", "1", "1", "1", "1", "1"], *SHOW)
    assert (among.certificate_status, _kept(among)) == (None, ["Three"])
    response = _parse(["0", *middle, "Three"], *SHOW)
    assert (response.certificate_status, response.validation_status, _kept(response)) == (None, None, ["Three"])
    response = _parse(["0", "One", *middle, "Three"], *SHOW)
    assert (response.certificate_status, response.validation_status, _kept(response)) == ("One", None, ["Three"])


@pytest.mark.parametrize(
    ("lines", "caa", "kept"),
    [
        (["Authorized", "a.example VALIDATED"], None, ["Authorized"]),
        (["Authorized", "Timeout"], "Timeout", ["Authorized"]),
        (["42", "43"], None, ["42", "43"]),
        (["42", "Timeout"], "Timeout", ["42"]),
        (["Timeout", "flag=1"], "Timeout", ["flag=1"]),
    ],
)
def test_the_caa_status_is_the_last_of_what_is_known(lines: list[str], caa: str | None, kept: list[str]) -> None:
    response = _parse(["0", *lines], "mdc_domain_details")
    assert (response.caa_status, _kept(response)) == (caa, kept)


def test_a_listed_status_behind_a_caa_status_makes_it_none() -> None:
    response = _parse(["0", "Authorized", "Issued", "Complete"], "ext_status")
    assert (response.caa_status, response.certificate_status, _kept(response)) == (None, "Issued", ["Authorized"])


def test_a_listed_status_ends_nothing_where_no_status_was_asked_for() -> None:
    response = _parse(["0", "Authorized", "Issued"])
    assert (response.caa_status, _kept(response)) == ("Authorized", ["Issued"])


def test_what_nobody_knows_is_kept_in_its_order() -> None:
    request = CollectRequest("order_number", "1")
    response = parse(b"errorCode=0&z=1&fqdn=a.example&y=2&mdcDomainDetails2=a+VALIDATED&x=3", None, request)
    assert [name for name, _value in response.extra] == ["z", "y", "x"]
    assert _kept(_parse(["0", "zz=1", "yy=2", "xx=3"])) == ["zz=1", "yy=2", "xx=3"]


# --- the first line -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code"), [("0", 0), ("-1", -1), ("+1", 1), ("999999", 999999), ("-999999", -999999), ("000002", 2)]
)
def test_a_status_line(line: str, code: int) -> None:
    assert _parse([line, "x"], query_type=0).status_code == code
    assert _parse(["", "", f"  {line}  ", "x"], query_type=0).status_code == code


@pytest.mark.parametrize(
    "line", ["1000000", "0.5", "0 x", "x 0", "X0", "--1", "-", "+", "0\n<html>", "0\n\n <!DOCTYPE html>"]
)
def test_what_is_no_status_line(line: str) -> None:
    with pytest.raises(ProtocolError, match="not one of the CollectSSL interface"):
        _parse([line])
