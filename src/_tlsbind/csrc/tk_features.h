/* Made by tools/features.py from decl/features.py: do not edit. */
#ifndef TK_FEATURES_H
#define TK_FEATURES_H

#if !defined(OPENSSL_NO_TLS1)
#define TK_HAS_TLS1 1
#else
#define TK_HAS_TLS1 0
#endif

#if !defined(OPENSSL_NO_TLS1_1)
#define TK_HAS_TLS1_1 1
#else
#define TK_HAS_TLS1_1 0
#endif

#if !defined(OPENSSL_NO_TLS1_2)
#define TK_HAS_TLS1_2 1
#else
#define TK_HAS_TLS1_2 0
#endif

#if !defined(OPENSSL_NO_TLS1_3)
#define TK_HAS_TLS1_3 1
#else
#define TK_HAS_TLS1_3 0
#endif

#if !defined(OPENSSL_NO_SSL3) && !(OPENSSL_VERSION_NUMBER >= 0x40000000L)
#define TK_HAS_SSL3 1
#else
#define TK_HAS_SSL3 0
#endif

#if !defined(OPENSSL_NO_PSK)
#define TK_HAS_PSK 1
#else
#define TK_HAS_PSK 0
#define SSL_CTX_set_psk_client_callback(ctx, callback) ((void)(ctx), (void)(callback), (void)0)
#define SSL_CTX_set_psk_server_callback(ctx, callback) ((void)(ctx), (void)(callback), (void)0)
#define SSL_CTX_set_psk_use_session_callback(ctx, callback) ((void)(ctx), (void)(callback), (void)0)
#define SSL_CTX_set_psk_find_session_callback(ctx, callback) \
    ((void)(ctx), (void)(callback), (void)0)
#define SSL_CTX_use_psk_identity_hint(ctx, hint) ((void)(ctx), (void)(hint), 0)
#define SSL_get_psk_identity(ssl) ((void)(ssl), NULL)
#endif

#if OPENSSL_VERSION_NUMBER >= 0x30400000L
#define TK_HAS_SIGALG_LIST 1
#else
#define TK_HAS_SIGALG_LIST 0
#define SSL_get1_builtin_sigalgs(library) ((void)(library), NULL)
#endif

#if OPENSSL_VERSION_NUMBER >= 0x30500000L
#define TK_HAS_GROUP_LIST 1
#else
#define TK_HAS_GROUP_LIST 0
#define SSL_CTX_get0_implemented_groups(ctx, aliases, out) \
    ((void)(ctx), (void)(aliases), (void)(out), 0)
#endif

#if OPENSSL_VERSION_NUMBER >= 0x30200000L
#define TK_HAS_HANDSHAKE_RTT 1
#else
#define TK_HAS_HANDSHAKE_RTT 0
#define SSL_get_handshake_rtt(ssl, rtt) ((void)(ssl), (void)(rtt), 0)
#endif

#if !defined(OPENSSL_NO_ECH) && OPENSSL_VERSION_NUMBER >= 0x40000000L
#define TK_HAS_ECH 1
#else
#define TK_HAS_ECH 0
#endif

#if OPENSSL_VERSION_NUMBER >= 0x30500000L
#define TK_HAS_SIGALG_NAMES 1
#else
#define TK_HAS_SIGALG_NAMES 0
#define SSL_get0_signature_name(ssl, out) ((void)(ssl), (void)(out), 0)
#define SSL_get0_peer_signature_name(ssl, out) ((void)(ssl), (void)(out), 0)
#endif

#endif
