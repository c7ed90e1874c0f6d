# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server: connections, the record of calls, the control interface and the command line."""

from __future__ import annotations

import concurrent.futures
import json
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time
import typing as t
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._records import Call, peak
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._simulator import (
    SetupError,
    Simulator,
    loopback_address,
)

from .support import ACCOUNTS, GOOD, PASSWORD, Caller, dump_orders

Start = t.Callable[..., Caller]
#: An address that must be refused.
EVERYWHERE = "0.0.0.0"  # noqa: S104
PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "simulator"


def test_get_is_answered_with_its_own_code(start: Start) -> None:
    caller = start([{"order_number": "1"}])
    answered = caller.send("", method="GET")
    assert answered.lines == ["-17", "Request used GET rather than POST!"]
    assert answered.headers["Content-Type"] == "text/plain"
    assert caller.send("", method="PUT").status == 405


def test_arguments_may_stand_in_the_query_string_too(start: Start) -> None:
    caller = start([{"order_number": "1", "names": ["a.example"]}])
    good = [*GOOD.items(), ("showFQDN", "Y"), ("responseFormat", "1")]
    whole = caller.send(urllib.parse.urlencode(good))
    for cut in range(len(good) + 1):
        query, body = urllib.parse.urlencode(good[:cut]), urllib.parse.urlencode(good[cut:])
        assert caller.send(body, query=query).body == whole.body
    assert caller.send(b"", query=urllib.parse.urlencode(good), content_type="text/plain").body == whole.body
    # What is wrong there is as wrong as in the body, and so is what stands in both.
    assert caller.send(urllib.parse.urlencode(good), query="nonsense=1").fields["errorCode"] == ["-2"]
    twice = caller.send(urllib.parse.urlencode(good), query="queryType=1").fields
    assert (twice["errorCode"], twice["errorItem"]) == (["-4"], ["queryType"])
    assert caller.send(b"", query=urllib.parse.urlencode(good), method="GET").fields["errorCode"] == ["-17"]
    record = caller.control("GET", "calls")["calls"][0]
    assert record["arguments"]["loginPassword"] == "***"


def test_plain_http_is_answered_with_its_own_code(start: Start) -> None:
    caller = start([{"order_number": "1"}], http_port=0)
    answered = caller.send(urllib.parse.urlencode(GOOD), key="api_url_ssl_http")
    assert answered.lines == ["-1", "Request was not made over https!"]
    assert caller.send("responseFormat=1", "ccc", key="api_url_ccc_http").lines[0] == "-1"


def test_other_bodies_other_paths(start: Start) -> None:
    caller = start([{"order_number": "1"}])
    body = urllib.parse.urlencode(GOOD)
    assert caller.send(body, content_type="application/json").lines[0] == "-3"
    assert caller.send(body, content_type="application/x-www-form-urlencoded; charset=utf-8").lines[0] == "2"
    assert caller.send("x" * 3000000).status == 413
    connection = caller.connection(caller.ready["api_url_ssl"])
    connection.request("POST", "/products/download/!CollectSSL", body)
    assert connection.getresponse().status == 404
    connection.close()


def test_keep_alive_and_quick(start: Start) -> None:
    caller = start([{"order_number": "1"}])
    connection = caller.connection(caller.ready["api_url_ssl"])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.connect()
    first = connection.sock
    taken = []
    for _unused in range(50):
        began = time.monotonic()
        connection.request("POST", "/products/download/CollectSSL", urllib.parse.urlencode(GOOD), headers)
        assert connection.getresponse().read().startswith(b"2\n")
        taken.append(time.monotonic() - began)
    # A delayed acknowledgement costs each call 40 ms, a busy machine only some of them.
    assert min(taken) < 0.03
    assert connection.sock is first
    connection.close()


def test_tls_is_for_localhost_in_every_spelling_and_for_nobody_else(start: Start) -> None:
    caller = start([{"order_number": "1"}])
    port = urllib.parse.urlsplit(caller.ready["api_url_ssl"]).port
    for name in ("localhost", "127.0.0.1", "::1"):
        plain = socket.create_connection(("127.0.0.1", port), 5)
        with caller.context.wrap_socket(plain, server_hostname=name) as tls:
            assert tls.version() in ("TLSv1.2", "TLSv1.3")
    for context, name in ((caller.context, "example.com"), (ssl.create_default_context(), "localhost")):
        with socket.create_connection(("127.0.0.1", port), 5) as plain, pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(plain, server_hostname=name)


def test_a_client_that_says_nothing_holds_up_nobody(start: Start) -> None:
    caller = start([{"order_number": "1"}])
    port = urllib.parse.urlsplit(caller.ready["api_url_ssl"]).port
    with socket.create_connection(("127.0.0.1", port), 5):
        assert caller.call(timeout=5).lines[0] == "2"


def test_peak_of_overlapping_calls(start: Start) -> None:
    caller = start([{"order_number": "1"}, {"order_number": "2", "account": "other"}])
    caller.control("POST", "delay", {"seconds": 3})
    others: dict[str, t.Any] = {"loginName": "other", "loginPassword": "other password", "orderNumber": "2"}
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(caller.call) for _unused in range(3)]
        calls += [pool.submit(caller.call, **others) for _unused in range(2)]
        end = time.monotonic() + 3
        while caller.control("GET", "status")["in_flight"] < 5 and time.monotonic() < end:
            time.sleep(0.05)
        assert caller.control("GET", "status")["in_flight"] == 5
        assert {call.result().lines[0] for call in calls} == {"2"}
    status = caller.control("GET", "status")
    assert (status["calls"], status["in_flight"], status["peak_in_flight"]) == (5, 0, 5)
    assert status["accounts"] == {
        "other": {"calls": 2, "peak_in_flight": 2},
        "owner": {"calls": 3, "peak_in_flight": 3},
    }
    assert sorted(record["in_flight"] for record in caller.control("GET", "calls")["calls"]) == [1, 2, 3, 4, 5]
    caller.control("POST", "reset", {"clear_faults": True})
    status = caller.control("GET", "status")
    assert (status["calls"], status["peak_in_flight"], status["accounts"], status["delay"]) == (0, 0, {}, 0.0)


def test_calls_one_after_the_other_never_overlap(start: Start) -> None:
    caller = start([{"order_number": "1"}])
    for _unused in range(100):
        caller.call(queryType="0")
    status = caller.control("GET", "status")
    assert (status["calls"], status["peak_in_flight"]) == (100, 1)
    assert {record["in_flight"] for record in caller.control("GET", "calls")["calls"]} == {1}


def test_peak_is_of_calls_that_overlap() -> None:
    def call(began: float, ended: float | None) -> Call:
        return Call(number=1, began=began, in_flight=1, time="", ended=ended)

    assert peak([]) == 0
    assert peak([call(0, 1), call(1, 2), call(2, 3)]) == 1
    assert peak([call(0, 5), call(1, 2), call(3, 4)]) == 2
    assert peak([call(0, None), call(1, None), call(0.5, 0.7)]) == 2


def test_the_record_of_calls_is_there_before_the_answer_and_without_secrets(
    start: Start, shared_directory: pathlib.Path
) -> None:
    caller = start([{"order_number": "1"}, {"order_number": "2", "product": "ccc", "collection_code": "code & code"}])
    caller.call(showFQDN="Y")
    record = json.loads((shared_directory / "calls.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert record["arguments"] == {
        "loginName": "owner",
        "loginPassword": "***",
        "orderNumber": "1",
        "queryType": "1",
        "showFQDN": "Y",
    }
    assert (record["product"], record["account"], record["order_number"]) == ("ssl", "owner", "1")
    assert (record["code"], record["http_status"], record["fault"], record["in_flight"]) == (2, 200, None, 1)
    by_code = urllib.parse.urlencode({"collectionCode": "code & code", "queryType": "0"})
    assert caller.send(by_code, "ccc").lines == ["1"]
    assert caller.send(b"", "ccc", query=by_code).lines == ["1"]
    assert caller.send(b"", "ccc", query=by_code + "&x").lines[0] == "-2"
    caller.call(loginPassword="another secret")
    caller.send(f"loginName=owner&loginPassword={PASSWORD}&orderNumber=1".encode())
    caller.fault("html_echo", calls=1)
    caller.call()
    kept = b"".join(path.read_bytes() for path in shared_directory.rglob("*") if path.is_file())
    kept += json.dumps(caller.control("GET", "calls"), ensure_ascii=False).encode()
    kept += json.dumps(caller.control("GET", "status"), ensure_ascii=False).encode()
    for secret in (PASSWORD, "space ü", "code & code", "another secret"):
        assert secret.encode() not in kept
        assert urllib.parse.quote_plus(secret).encode() not in kept
        assert json.dumps(secret)[1:-1].encode() not in kept


@pytest.mark.parametrize(
    ("method", "name", "value", "word"),
    [
        ("GET", "nothing", None, "status"),
        ("GET", "reset", None, "GET"),
        ("POST", "status", {}, "POST"),
        ("POST", "reset", [], "object"),
        ("POST", "reset", {"lives": True}, "lives"),
        ("POST", "reset", {"restart_lives": 1}, "restart_lives"),
        ("POST", "advance", {}, "order_number"),
        ("POST", "delay", {"seconds": -1}, "seconds"),
        ("POST", "orders", {"order": []}, "order"),
    ],
)
def test_wrong_control_requests(start: Start, method: str, name: str, value: t.Any, word: str) -> None:
    caller = start([{"order_number": "1"}])
    answer = caller.control(method, name, value)
    assert word in answer["error"]
    assert caller.control("GET", "status")["calls"] == 0


def test_control_is_not_served_in_clear(start: Start) -> None:
    caller = start([{"order_number": "1"}], http_port=0)
    connection = caller.connection(caller.ready["api_url_ssl_http"])
    connection.request("GET", "/control/status")
    assert connection.getresponse().status == 404
    connection.close()


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.0.2.1", "example.com", ""])
def test_loopback_alone(host: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(SetupError, match="loopback"):
        Simulator(dump_orders(tmp_path / "orders.yml", []), tmp_path / "d", host=host)
    assert [loopback_address(good) for good in ("localhost", "127.0.0.2", "::1")] == ["127.0.0.1", "127.0.0.2", "::1"]


def test_a_port_that_is_taken(start: Start, shared_directory: pathlib.Path, tmp_path: pathlib.Path) -> None:
    caller = start([{"order_number": "1"}])
    port = urllib.parse.urlsplit(caller.ready["api_url_ssl"]).port
    orders = dump_orders(tmp_path / "other.yml", [])
    second = Simulator(orders, tmp_path / "second", port=port or 0)
    with pytest.raises(SetupError, match="Can't listen"):
        second.start()
    assert not (tmp_path / "second" / "simulator.json").exists()
    assert caller.call().lines[0] == "2"


def test_a_directory_that_cannot_be_one(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SetupError, match="Can't use the directory"):
        Simulator(dump_orders(tmp_path / "orders.yml", []), tmp_path / "file").start()


def run(*arguments: str | pathlib.Path, cwd: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PROGRAM, *arguments], capture_output=True, text=True, timeout=60, cwd=cwd, check=False
    )


@pytest.fixture
def process(tmp_path: pathlib.Path) -> t.Iterator[subprocess.Popen[str]]:
    """The program itself, running on tmp_path / "d"."""
    orders = dump_orders(tmp_path / "orders.yml", [{"order_number": "1"}], ACCOUNTS)
    command: list[str | pathlib.Path] = [
        sys.executable,
        PROGRAM,
        "--orders",
        orders,
        "--directory",
        tmp_path / "d",
        "--log",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        yield running
        running.kill()


def test_the_program_from_start_to_end(process: subprocess.Popen[str], tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "d"
    waited = run("control", directory, "wait", "--seconds", "30")
    assert waited.returncode == 0, waited.stderr
    ready = json.loads(waited.stdout)
    assert ready == json.loads((directory / "simulator.json").read_text(encoding="utf-8"))
    assert ready["pid"] == process.pid
    assert ready["directory"] == str(directory)
    caller = Caller(ready)
    assert caller.call().lines[0] == "2"
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors == ""
    assert ready["api_url_ssl"] in output
    assert "order 1 for owner: HTTP 200, status 2" in output
    assert not (directory / "simulator.json").exists()
    gone = run("control", directory, "status")
    assert gone.returncode == 1
    assert "No simulator is running" in gone.stderr


def test_the_control_commands(process: subprocess.Popen[str], tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "d"
    ready = json.loads(run("control", directory, "wait").stdout)
    caller = Caller(ready)

    def control(*arguments: str) -> t.Any:
        done = run("control", directory, *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    control("fault", "code", "--order", "1", "--calls", "1", "--set", "code=-90", "--set", "message=own words")
    assert caller.call().lines == ["-90", "own words"]
    control("fault", "html_page")
    assert caller.call().body.startswith(b"<!DOCTYPE")
    assert control("fault", "clear") == {"faults": []}
    assert control("status")["calls"] == 2
    assert [call["fault"] for call in control("calls")["calls"]] == ["code", "html_page"]
    control("delay", "0.25")
    began = time.monotonic()
    caller.call()
    assert time.monotonic() - began >= 0.25
    control("reset", "--lives", "--faults")
    assert control("status")["calls"] == 0
    assert "drip" in control("faults")["catalogue"]
    (tmp_path / "keys").mkdir()
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ED25519", "-out", tmp_path / "keys" / "two.key"], check=True, timeout=60
    )
    life = [{"state": "pending", "calls": 5}, {"state": "issued", "key": "keys/two.key"}]
    dump_orders(tmp_path / "more.yml", [{"order_number": "2", "life": life}], [])
    assert control("orders", str(tmp_path / "more.yml")) == {"orders": ["2"]}
    assert caller.call(orderNumber="2").lines[0] == "0"
    assert control("advance", "2") == {"order_number": "2", "state": "issued"}
    assert caller.call(orderNumber="2").lines[0] == "2"
    refused = run("control", directory, "advance", "2")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "last phase" in refused.stderr
    unknown = run("control", directory, "fault", "gremlins")
    assert unknown.returncode == 1
    assert "gremlins" in unknown.stderr
    assert run("control", directory, "orders", str(tmp_path / "nothing.yml")).returncode == 1


def test_a_restart_on_the_same_directory_keeps_authorities_keys_and_certificates(tmp_path: pathlib.Path) -> None:
    orders = dump_orders(tmp_path / "orders.yml", [{"order_number": "1"}])
    bodies, anchors = [], []
    for _unused in (1, 2):
        with Simulator(orders, tmp_path / "d") as simulator:
            bodies.append(Caller(simulator.ready).call().body)
            anchors.append(pathlib.Path(simulator.ready["ca_path"]).read_bytes())
    assert bodies[0] == bodies[1]
    assert anchors[0] == anchors[1]
    assert (tmp_path / "d" / "keys" / "1.key").stat().st_mode & 0o777 == 0o600


def test_stopping_ends_open_connections(tmp_path: pathlib.Path) -> None:
    orders = dump_orders(tmp_path / "orders.yml", [{"order_number": "1"}])
    with Simulator(orders, tmp_path / "d") as simulator:
        caller = Caller(simulator.ready)
        connection = caller.connection(simulator.ready["control_url"], timeout=5)
        connection.request("GET", "/control/status")
        connection.getresponse().read()
    try:
        ended = connection.sock.recv(1) == b""
    except TimeoutError:
        ended = False
    except OSError:
        ended = True
    assert ended
    connection.close()


def test_what_the_command_line_says(tmp_path: pathlib.Path) -> None:
    helped = run("--help")
    assert helped.returncode == 0
    assert "--directory" in helped.stdout
    assert "control" in helped.stdout
    assert run("control", "--help").returncode == 0
    assert run().returncode == 2
    orders = dump_orders(tmp_path / "orders.yml", [{"order_number": "1", "nmaes": []}])
    wrong = run("--orders", orders, "--directory", tmp_path / "d")
    assert wrong.returncode == 2
    assert wrong.stderr.strip().endswith("Order '1' has an unknown field 'nmaes'.")
    assert "Traceback" not in wrong.stderr
    assert not (tmp_path / "d").exists()
    public = run("--orders", orders, "--directory", tmp_path / "d", "--host", EVERYWHERE)
    assert "loopback" in public.stderr
    assert run("--orders", orders, "--directory", tmp_path / "d", "--port", "70000").returncode == 2
