"""What PyPy cannot be asked: rows of tests that are about its own `ssl`, or about CPython itself.

PyPy's `ssl` is another program than CPython's: it is written in Python over cffi. tlskit answers as
CPython's does on PyPy too. Where a test runs with the stdlib's module as well, and PyPy's answers
otherwise, the row is skipped here, with the reason; the row of tlskit is not.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest

PYPY = sys.implementation.name == "pypy"


def _slots() -> frozenset[str]:
    if not PYPY:
        return frozenset()
    import ssl

    kinds = ssl.SSLContext.__mro__
    return frozenset(name for kind in kinds for name in vars(kind).get("__slots__", ()))


#: Where PyPy's SSLContext keeps what CPython's keeps in C: the dormant context needs them.
SLOTS = _slots()

#: Names that only PyPy's `ssl` and its SSLContext have.
OF_PYPY = SLOTS | (
    {
        "OP_NO_DTLSv1", "OP_NO_DTLSv1_2", "OP_NO_QUERY_MTU", "OP_TLS_ROLLBACK_BUG",
        "SSL_ERROR_NONE", "SSL_ERROR_NO_SOCKET",
        "_add_ca_certs", "_set_verify_mode", "set_min_max_proto_version",
    }
    if PYPY else set()
)  # fmt: skip


def collected() -> None:
    """Let PyPy free what CPython has freed with the last reference."""
    if PYPY:
        gc.collect()
        gc.collect()


def circles_collected() -> None:
    """Let the collector free circles, for which PyPy's has to be asked more than once."""
    gc.collect()
    collected()


def freed(holding: list[Any]) -> None:
    """Drop the last references to what a list holds, and wait until it is freed."""
    holding.clear()
    collected()


class Skipped(NamedTuple):
    """Rows of a test that are skipped on PyPy.

    Attributes:
        test: the file and the function.
        parts: the row's id has one of them.
        reason: why.
    """

    test: str
    parts: tuple[str, ...]
    reason: str


OWN = ("-ssl-", "-ssl]", "[ssl]", "[ssl-")  # the rows of the stdlib's module
TIMES = "PyPy's sockets wait too short, by the part of a millisecond"
BUFFERS = "PyPy's ssl takes what is no buffer, and counts in items"
COUNTS = "PyPy counts no references: only its collector frees what nothing holds"
RACES = "PyPy's MemoryBIO loses bytes when one thread writes and another reads"

ROWS = [
    Skipped("test_context.py::test_options", ("PROTOCOL_TLSv1",),
        "PyPy keeps a protocol version by the options for DTLS too"),
    Skipped("test_context.py::test_setting_sni_callback", ("function len",),
        "PyPy gives back another object than the callback"),
    Skipped("test_context.py::test_sni_callback_that_gives_something_else", ("1.5",),
        "PyPy sends the alert with the number 1"),
    Skipped("test_defaults.py::test_options", ("PROTOCOL_TLSv1",),
        "PyPy keeps a protocol version by the options for DTLS too"),
    Skipped("test_faults.py::test_flipping_relay", OWN, "PyPy has no name for the reason"),
    Skipped("test_faults.py::test_senseless_number_from_sni_callback", ("2**70",),
        "PyPy lets the handshake go on"),
    Skipped("test_fips.py::test_an_import_works_and_a_context_names_the_missing_provider", ("",),
        "PyPy does not say why it has no context"),
    Skipped("test_fips.py::test_info_names_the_missing_provider_when_there_can_be_no_context",
        ("",),
        "PyPy does not say why it has no context"),
    Skipped("test_handshake.py::test_a_failed_handshake_leaves_no_cycle", ("",), COUNTS),
    Skipped("test_traffic.py::test_an_ended_connection_is_no_circle", ("",), COUNTS),
    Skipped("test_memory.py::test_size_is_a_number", ("MemoryBIO1-1.5",), "PyPy rounds it"),
    Skipped("test_memory.py::test_what_is_no_bio", OWN, "PyPy raises AttributeError"),
    Skipped("test_memory.py::test_written_in_one_thread_and_read_in_another", ("MemoryBIO1",),
        RACES),
    Skipped("test_memory.py::test_wrong_types", OWN, BUFFERS),
    Skipped("test_pump.py::test_threads_that_read_what_one_feeds", ("",), RACES),
    Skipped("test_sockets.py::test_recv_times_out", OWN, TIMES),
    Skipped("test_sockets.py::test_recv_into_times_out", OWN, TIMES),
    Skipped("test_sockets.py::test_handshake_times_out", OWN, TIMES),
    Skipped("test_sockets.py::test_unwrap_times_out", OWN, TIMES),
    Skipped("test_sockets.py::test_a_failure_behind_the_data_wakes_who_waits_for_the_socket", OWN,
        "PyPy has no name for the reason"),
    Skipped("test_sockets.py::test_recv_into_other_buffers", OWN, BUFFERS),
    Skipped("test_sockets.py::test_write_of_any_buffer", OWN, BUFFERS),
    Skipped("test_sockets.py::test_write_of_what_is_no_buffer", OWN, BUFFERS),
    Skipped("test_trust.py::test_the_environment", ("[-None]", "[-]"),
        "PyPy takes an empty SSL_CERT_FILE for none"),
    Skipped("test_bad_input.py::test_writes", ("array-made",), BUFFERS),
    Skipped("test_bad_input.py::test_passwords", ("udcff",), "PyPy prints the failure"),
    Skipped("test_bad_input.py::test_functions_that_give_passwords", ("udcff",),
        "PyPy prints the failure"),
    Skipped("test_bad_input.py::test_authorities", ("udcff'-capath",),
        "PyPy has no such paths"),
    Skipped("test_identity.py::test_the_stdlibs_socket_over_our_context", ("None]", "5]"),
        "PyPy's SSLSocket writes by a method that only PyPy's own inner object has"),
    Skipped("test_memory.py::test_signal_handlers_may_use_it", ("",),
        "PyPy runs signal handlers in the middle of an OrderedDict's methods"),
    Skipped("test_names.py::test_methods", ("get_ca_certs", "_wrap_bio"),
        "PyPy's default is another one"),
    Skipped("test_inject.py::test_old_contexts_can_be_set", ("_msg_callback-None",),
        "PyPy refuses None"),
    Skipped("test_inject.py::test_old_contexts_refuse_what_is_no_bio", ("",),
        "PyPy raises AttributeError"),
]  # fmt: skip


def skip(items: Iterable[pytest.Item]) -> None:
    """Mark the rows; nothing on CPython."""
    if not PYPY:
        return
    for item in items:
        name, bracket, row = item.nodeid.partition("[")
        test, row = name.rpartition("/")[2], bracket + row
        for skipped in ROWS:
            if skipped.test == test and any(part in row for part in skipped.parts):
                item.add_marker(pytest.mark.skip(reason=skipped.reason))
