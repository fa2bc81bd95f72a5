"""Each name of Ruby's and of pyOpenSSL's has an answer in the docs: something of tlskit that is
there and tested, or a sentence.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import tlskit
from tlskit._settings.sessions import ContextSessions

from .support.pairs import client_context, memory_pair

ROOT = Path(__file__).resolve().parents[1]
NAMES = {
    "from-ruby": """
        SSLContext.new set_params setup options renegotiation_cb enable_fallback_scsv verify_depth
        cert key extra_chain_cert add_certificate servername_cb client_cert_cb client_ca tmp_dh
        tmp_dh_callback ca_file ca_path cert_store verify_mode verify_hostname verify_callback
        post_connection_check min_version max_version ciphers ciphersuites groups ecdh_curves
        sigalgs client_sigalgs security_level alpn_protocols alpn_select_cb keylog_cb
        session_cache_mode session_cache_size timeout session_id_context session_cache_stats
        flush_sessions session_add session_remove session_new_cb session_get_cb session_remove_cb
        SSLSocket#session session_reused? Session#to_der Session#to_pem Session#to_text Session.new
        Session#id Session#time Session#timeout SSLSocket#cert SSLSocket#client_ca verify_result
        peer_cert peer_cert_chain ssl_version cipher group tmp_key sigalg peer_sigalg alpn_protocol
        export_keying_material finished_message peer_finished_message pending close_write
        SSLSocket#state sync_close SSLServer Store#add_cert Store#add_file Store#add_path
        Store#add_crl Store#flags Store#purpose Store#time Store#trust Store#verify_callback
        Store#set_default_paths
    """,
    "from-pyopenssl": """
        Context set_options set_mode clear_mode set_verify_depth get_verify_depth
        use_certificate_chain_file use_certificate_file use_privatekey_file use_certificate
        use_privatekey add_extra_chain_cert check_privatekey set_passwd_cb
        set_tlsext_servername_callback set_client_ca_list add_client_ca load_client_ca
        get_client_ca_list load_tmp_dh set_tmp_ecdh set_verify get_verify_mode get_cert_store
        load_verify_locations set_default_verify_paths set_min_proto_version set_max_proto_version
        set_cipher_list set_tls13_ciphersuites set_session_cache_mode set_timeout set_session_id
        set_keylog_callback set_alpn_protos set_alpn_select_callback set_ocsp_server_callback
        set_ocsp_client_callback request_ocsp set_info_callback get_state_string get_session
        set_session get_certificate get_peer_certificate get_peer_cert_chain get_verified_chain
        get_protocol_version_name get_cipher_name get_cipher_list get_group_name master_key
        client_random server_random export_keying_material get_finished get_peer_finished
        renegotiate renegotiate_pending total_renegotiations shutdown get_shutdown set_app_data
        get_app_data Connection bio_read bio_write set_tlsext_use_srtp DTLS_METHOD set_cert_store
        X509Store.add_cert X509Store.add_crl X509Store.set_flags X509Store.set_time
        X509Store.load_locations
    """,
}
OWNERS = {
    "ssl": tlskit,
    "ctx": tlskit.SSLContext,
    "sock": tlskit.SSLSocket,
    "sessions": ContextSessions,
    "session": tlskit.SSLSession,
    "info": tlskit.SessionInfo,
}


def rows(page: str) -> dict[str, list[str]]:
    """The other cells, by the name in the first."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {cells[0].strip("`"): cells[1:] for cells in found}


@pytest.mark.parametrize("page", NAMES)
def test_each_name_has_an_answer(page: str) -> None:
    assert set(rows(page)) == set(NAMES[page].split())


@pytest.mark.parametrize("page", NAMES)
def test_each_answer_is_there_and_tested(page: str) -> None:
    answers = 0
    for name, cells in rows(page).items():
        if len(cells) == 1:
            assert cells[0].endswith("."), name  # a sentence why not
            continue
        match = re.fullmatch(r"\[`(\w+)\.(\w+)`\]\((api/\w+\.md)\)", cells[0])
        assert match, name
        owner: Any = OWNERS[match[1]]
        fields = getattr(owner, "__dataclass_fields__", {})
        assert hasattr(owner, match[2]) or match[2] in fields, name
        assert (ROOT / "docs" / match[3]).exists(), name
        tested = (ROOT / cells[2].strip("`")).read_text(encoding="utf-8")
        assert re.search(rf"\b{match[2]}\b", tested), (name, match[2], cells[2])
        answers += 1
    assert answers > 40


class Foreign:
    """The shape of pyOpenSSL's X509 and PKey."""

    def __init__(self, **methods: Any) -> None:
        self.__dict__.update(methods)


def test_certificates_and_keys_of_pyopenssl(pki: Any) -> None:
    chain = x509.load_pem_x509_certificates(pki.server.chain.read_bytes())
    key = serialization.load_pem_private_key(pki.server.key.read_bytes(), None)
    leaf, *others = (Foreign(to_cryptography=lambda one=one: one) for one in chain)
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    server.add_certificate(leaf, Foreign(to_cryptography_key=lambda: key), chain=others)
    near, _ = memory_pair(client_context(pki), server)
    assert near.getpeercert(True) == chain[0].public_bytes(serialization.Encoding.DER)
    root = x509.load_pem_x509_certificate(pki.root.read_bytes())
    assert len(tlskit.TrustStore(Foreign(to_cryptography=lambda: root))) == 1


@pytest.mark.parametrize("key", [Foreign(), Foreign(to_cryptography_key=lambda: 7), 7])
def test_what_has_no_such_shape(pki: Any, key: Any) -> None:
    server = tlskit.SSLContext(tlskit.PROTOCOL_TLS_SERVER)
    with pytest.raises(TypeError):
        server.add_certificate(pki.server.chain, key)
