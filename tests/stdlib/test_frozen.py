"""The names of Python 3.15's `ssl`, written down: every Python from 3.10 on has them in tlskit,
with these parameters and values.

What the running Python has of its own is compared in test_names.py; this list stays as it is.
"""

from __future__ import annotations

import pytest

import tlskit

from .test_names import same_call, signature

# ruff: noqa: SIM905  (words are read, and changed, more easily than lists of strings)

NAMES = """
AlertDescription CHANNEL_BINDING_TYPES CertificateError DER_cert_to_PEM_cert DefaultVerifyPaths
MemoryBIO OPENSSL_VERSION
OPENSSL_VERSION_INFO OPENSSL_VERSION_NUMBER Options PEM_FOOTER PEM_HEADER PEM_cert_to_DER_cert
Purpose RAND_add RAND_bytes
RAND_status SOCK_STREAM SOL_SOCKET SO_TYPE SSLCertVerificationError SSLContext SSLEOFError SSLError
SSLErrorNumber SSLObject
SSLSession SSLSocket SSLSyscallError SSLWantReadError SSLWantWriteError SSLZeroReturnError
TLSVersion VerifyFlags VerifyMode
cert_time_to_seconds create_default_context get_default_verify_paths get_protocol_name
get_server_certificate get_sigalgs
socket_error
""".split()

#: Of constants, with their numbers.
VALUES = """
ALERT_DESCRIPTION_CLOSE_NOTIFY=0 ALERT_DESCRIPTION_UNEXPECTED_MESSAGE=10
ALERT_DESCRIPTION_BAD_RECORD_MAC=20
ALERT_DESCRIPTION_RECORD_OVERFLOW=22 ALERT_DESCRIPTION_DECOMPRESSION_FAILURE=30
ALERT_DESCRIPTION_HANDSHAKE_FAILURE=40
ALERT_DESCRIPTION_BAD_CERTIFICATE=42 ALERT_DESCRIPTION_UNSUPPORTED_CERTIFICATE=43
ALERT_DESCRIPTION_CERTIFICATE_REVOKED=44
ALERT_DESCRIPTION_CERTIFICATE_EXPIRED=45 ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN=46
ALERT_DESCRIPTION_ILLEGAL_PARAMETER=47
ALERT_DESCRIPTION_UNKNOWN_CA=48 ALERT_DESCRIPTION_ACCESS_DENIED=49 ALERT_DESCRIPTION_DECODE_ERROR=50
ALERT_DESCRIPTION_DECRYPT_ERROR=51 ALERT_DESCRIPTION_PROTOCOL_VERSION=70
ALERT_DESCRIPTION_INSUFFICIENT_SECURITY=71
ALERT_DESCRIPTION_INTERNAL_ERROR=80 ALERT_DESCRIPTION_USER_CANCELLED=90
ALERT_DESCRIPTION_NO_RENEGOTIATION=100
ALERT_DESCRIPTION_UNSUPPORTED_EXTENSION=110 ALERT_DESCRIPTION_CERTIFICATE_UNOBTAINABLE=111
ALERT_DESCRIPTION_UNRECOGNIZED_NAME=112 ALERT_DESCRIPTION_BAD_CERTIFICATE_STATUS_RESPONSE=113
ALERT_DESCRIPTION_BAD_CERTIFICATE_HASH_VALUE=114 ALERT_DESCRIPTION_UNKNOWN_PSK_IDENTITY=115
OP_NO_SSLv2=0 OP_SINGLE_DH_USE=0 OP_SINGLE_ECDH_USE=0 OP_LEGACY_SERVER_CONNECT=4 OP_ENABLE_KTLS=8
OP_IGNORE_UNEXPECTED_EOF=128
OP_NO_TICKET=16384 OP_NO_COMPRESSION=131072 OP_ENABLE_MIDDLEBOX_COMPAT=1048576
OP_CIPHER_SERVER_PREFERENCE=4194304
OP_NO_SSLv3=33554432 OP_NO_TLSv1=67108864 OP_NO_TLSv1_2=134217728 OP_NO_TLSv1_1=268435456
OP_NO_TLSv1_3=536870912
OP_NO_RENEGOTIATION=1073741824 OP_ALL=2147483728
SSL_ERROR_SSL=1 SSL_ERROR_WANT_READ=2 SSL_ERROR_WANT_WRITE=3 SSL_ERROR_WANT_X509_LOOKUP=4
SSL_ERROR_SYSCALL=5
SSL_ERROR_ZERO_RETURN=6 SSL_ERROR_WANT_CONNECT=7 SSL_ERROR_EOF=8 SSL_ERROR_INVALID_ERROR_CODE=10
VERIFY_DEFAULT=0 VERIFY_CRL_CHECK_LEAF=4 VERIFY_CRL_CHECK_CHAIN=12 VERIFY_X509_STRICT=32
VERIFY_ALLOW_PROXY_CERTS=64
VERIFY_X509_TRUSTED_FIRST=32768 VERIFY_X509_PARTIAL_CHAIN=524288
CERT_NONE=0 CERT_OPTIONAL=1 CERT_REQUIRED=2
PROTOCOL_TLS=2 PROTOCOL_TLSv1=3 PROTOCOL_TLSv1_1=4 PROTOCOL_TLSv1_2=5 PROTOCOL_TLS_CLIENT=16
PROTOCOL_TLS_SERVER=17
PROTOCOL_SSLv23=2
""".split()

#: Flags: whether the OpenSSL at hand can do something.
FLAGS = """
HAS_ALPN HAS_ECDH HAS_NEVER_CHECK_COMMON_NAME HAS_NPN HAS_PHA HAS_PSK HAS_PSK_TLS13 HAS_SNI
HAS_SSLv2 HAS_SSLv3 HAS_TLSv1
HAS_TLSv1_1 HAS_TLSv1_2 HAS_TLSv1_3
""".split()

#: What the classes have, a socket's own apart.
ATTRIBUTES = {
    "SSLContext": """
        cert_store_stats check_hostname get_ca_certs get_ciphers get_groups
        hostname_checks_common_name keylog_filename
        load_cert_chain load_default_certs load_dh_params load_verify_locations maximum_version
        minimum_version num_tickets
        options post_handshake_auth protocol security_level session_stats set_alpn_protocols
        set_ciphers set_ciphersuites
        set_client_sigalgs set_default_verify_paths set_ecdh_curve set_groups set_npn_protocols
        set_psk_client_callback
        set_psk_server_callback set_server_sigalgs set_servername_callback sni_callback
        sslobject_class sslsocket_class
        verify_flags verify_mode wrap_bio wrap_socket
    """.split(),
    "SSLSocket": """
        accept cipher client_sigalg compression connect connect_ex context detach do_handshake dup
        get_channel_binding
        get_unverified_chain get_verified_chain getpeercert group pending read recv recv_into
        recvfrom recvfrom_into recvmsg
        recvmsg_into selected_alpn_protocol selected_npn_protocol send sendall sendfile sendmsg
        sendto server_sigalg session
        session_reused shared_ciphers shutdown unwrap verify_client_post_handshake version write
    """.split(),
    "SSLObject": """
        cipher client_sigalg compression context do_handshake get_channel_binding
        get_unverified_chain get_verified_chain
        getpeercert group pending read selected_alpn_protocol selected_npn_protocol server_hostname
        server_side server_sigalg
        session session_reused shared_ciphers unwrap verify_client_post_handshake version write
    """.split(),
    "MemoryBIO": """
        eof pending read write write_eof
    """.split(),
    "SSLSession": """
        has_ticket id ticket_lifetime_hint time timeout
    """.split(),
}

#: Parameters; defaults that are objects by their names.
SIGNATURES = {
    "DER_cert_to_PEM_cert": "(der_cert_bytes)",
    "PEM_cert_to_DER_cert": "(pem_cert_string)",
    "RAND_add": "(string, entropy, /)",
    "RAND_bytes": "(n, /)",
    "RAND_status": "()",
    "cert_time_to_seconds": "(cert_time)",
    "create_default_context": (
        "(purpose=Purpose.SERVER_AUTH, *, cafile=None, capath=None, cadata=None)"
    ),
    "get_default_verify_paths": "()",
    "get_protocol_name": "(protocol_code)",
    "get_server_certificate": "(addr, ssl_version=PROTOCOL_TLS_CLIENT, ca_certs=None, timeout=...)",
    "get_sigalgs": "()",
    "SSLContext.cert_store_stats": "(self)",
    "SSLContext.get_ca_certs": "(self, binary_form=False)",
    "SSLContext.get_ciphers": "(self)",
    "SSLContext.get_groups": "(self, *, include_aliases=False)",
    "SSLContext.load_cert_chain": "(self, certfile, keyfile=None, password=None)",
    "SSLContext.load_default_certs": "(self, purpose=Purpose.SERVER_AUTH)",
    "SSLContext.load_dh_params": "(self, path, /)",
    "SSLContext.load_verify_locations": "(self, cafile=None, capath=None, cadata=None)",
    "SSLContext.session_stats": "(self)",
    "SSLContext.set_alpn_protocols": "(self, alpn_protocols)",
    "SSLContext.set_ciphers": "(self, cipherlist, /)",
    "SSLContext.set_ciphersuites": "(self, ciphersuites, /)",
    "SSLContext.set_client_sigalgs": "(self, sigalgslist, /)",
    "SSLContext.set_default_verify_paths": "(self)",
    "SSLContext.set_ecdh_curve": "(self, name, /)",
    "SSLContext.set_groups": "(self, grouplist, /)",
    "SSLContext.set_npn_protocols": "(self, npn_protocols)",
    "SSLContext.set_psk_client_callback": "(self, callback)",
    "SSLContext.set_psk_server_callback": "(self, callback, identity_hint=None)",
    "SSLContext.set_server_sigalgs": "(self, sigalgslist, /)",
    "SSLContext.set_servername_callback": "(self, server_name_callback)",
    "SSLContext.wrap_bio": (
        "(self, incoming, outgoing, server_side=False, server_hostname=None, session=None)"
    ),
    "SSLContext.wrap_socket": (
        "(self, sock, server_side=False, do_handshake_on_connect=True, "
        "suppress_ragged_eofs=True, server_hostname=None, session=None)"
    ),
    "SSLSocket.accept": "(self)",
    "SSLSocket.cipher": "(self)",
    "SSLSocket.client_sigalg": "(self)",
    "SSLSocket.compression": "(self)",
    "SSLSocket.connect": "(self, addr)",
    "SSLSocket.connect_ex": "(self, addr)",
    "SSLSocket.do_handshake": "(self, block=False)",
    "SSLSocket.dup": "(self)",
    "SSLSocket.get_channel_binding": "(self, cb_type='tls-unique')",
    "SSLSocket.get_unverified_chain": "(self)",
    "SSLSocket.get_verified_chain": "(self)",
    "SSLSocket.getpeercert": "(self, binary_form=False)",
    "SSLSocket.group": "(self)",
    "SSLSocket.pending": "(self)",
    "SSLSocket.read": "(self, len=1024, buffer=None)",
    "SSLSocket.recv": "(self, buflen=1024, flags=0)",
    "SSLSocket.recv_into": "(self, buffer, nbytes=None, flags=0)",
    "SSLSocket.recvfrom": "(self, buflen=1024, flags=0)",
    "SSLSocket.recvfrom_into": "(self, buffer, nbytes=None, flags=0)",
    "SSLSocket.recvmsg": "(self, *args, **kwargs)",
    "SSLSocket.recvmsg_into": "(self, *args, **kwargs)",
    "SSLSocket.selected_alpn_protocol": "(self)",
    "SSLSocket.selected_npn_protocol": "(self)",
    "SSLSocket.send": "(self, data, flags=0)",
    "SSLSocket.sendall": "(self, data, flags=0)",
    "SSLSocket.sendfile": "(self, file, offset=0, count=None)",
    "SSLSocket.sendmsg": "(self, *args, **kwargs)",
    "SSLSocket.sendto": "(self, data, flags_or_addr, addr=None)",
    "SSLSocket.server_sigalg": "(self)",
    "SSLSocket.shared_ciphers": "(self)",
    "SSLSocket.shutdown": "(self, how)",
    "SSLSocket.unwrap": "(self)",
    "SSLSocket.verify_client_post_handshake": "(self)",
    "SSLSocket.version": "(self)",
    "SSLSocket.write": "(self, data)",
    "SSLObject.cipher": "(self)",
    "SSLObject.client_sigalg": "(self)",
    "SSLObject.compression": "(self)",
    "SSLObject.do_handshake": "(self)",
    "SSLObject.get_channel_binding": "(self, cb_type='tls-unique')",
    "SSLObject.get_unverified_chain": "(self)",
    "SSLObject.get_verified_chain": "(self)",
    "SSLObject.getpeercert": "(self, binary_form=False)",
    "SSLObject.group": "(self)",
    "SSLObject.pending": "(self)",
    "SSLObject.read": "(self, len=1024, buffer=None)",
    "SSLObject.selected_alpn_protocol": "(self)",
    "SSLObject.selected_npn_protocol": "(self)",
    "SSLObject.server_sigalg": "(self)",
    "SSLObject.shared_ciphers": "(self)",
    "SSLObject.unwrap": "(self)",
    "SSLObject.verify_client_post_handshake": "(self)",
    "SSLObject.version": "(self)",
    "SSLObject.write": "(self, data)",
    "MemoryBIO.read": "(self, size=-1, /)",
    "MemoryBIO.write": "(self, b, /)",
    "MemoryBIO.write_eof": "(self, /)",
}


@pytest.mark.parametrize("name", NAMES)
def test_name(name):
    assert hasattr(tlskit, name)
    assert name in tlskit.__all__


@pytest.mark.parametrize("entry", VALUES)
def test_value(entry):
    name, _, number = entry.partition("=")
    assert int(getattr(tlskit, name)) & 0xFFFFFFFF == int(
        number
    )  # before 3.12, OP_ALL was a negative number
    assert name in tlskit.__all__


@pytest.mark.parametrize("name", FLAGS)
def test_flag(name):
    assert type(getattr(tlskit, name)) is bool
    assert name in tlskit.__all__


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_attributes(kind):
    assert {name for name in ATTRIBUTES[kind] if not hasattr(getattr(tlskit, kind), name)} == set()


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    found = tlskit
    for part in name.split("."):
        found = getattr(found, part)
    namespace = {}
    exec(f"def wanted{SIGNATURES[name]}: ...", dict(vars(tlskit)), namespace)
    assert same_call(signature(namespace["wanted"]), signature(found)), (
        f"{SIGNATURES[name]}\n{signature(found)}"
    )


def test_what_is_written_down_is_much():
    assert len(NAMES) + len(VALUES) + len(FLAGS) > 120
    assert len(SIGNATURES) > 80
