/* The session cache that all states of one context share: tk_cache.c has the theory. */
#ifndef TK_CACHE_H
#define TK_CACHE_H

#include "tk_conn.h"

#ifdef SSL_SESS_CACHE_UPDATE_TIME
#define TK_CACHE_UPDATE_TIME SSL_SESS_CACHE_UPDATE_TIME
#else
#define TK_CACHE_UPDATE_TIME 0
#endif

enum { TK_TALLY_MOST = 24 };

typedef struct {
    int32_t kind; /* TK_SEEN_GROUP ... */
    char name[28];
    int64_t count; /* 0: this row is free, and so are those behind it */
} tk_tally;

struct tk_cache {
    int32_t references;
    SSL_CTX *home;         /* has the sessions; NULL until there is one to keep */
    int64_t size;          /* the most sessions; 0: no bound */
    int64_t kept;          /* how many sessions have been put in */
    int64_t hits, misses;  /* of look-ups here, which libssl takes for an external cache's */
    tk_session_stats gone; /* the counters of freed states */
    tk_ctx *states;        /* those that are there */
    int32_t tells;         /* whether what is removed is to be told */
    tk_event *removed, *last_removed; /* ... and waits for that, the oldest first */
    int32_t removed_count;
    tk_tally seen[TK_TALLY_MOST]; /* tk_tally.c */
};

int tk_cache_init(void);
void tk_cache_lock(void); /* of all caches: so that a fork can hold it */
void tk_cache_unlock(void);

tk_cache *tk_cache_new(void);
tk_cache *tk_cache_up_ref(tk_cache *k);
void tk_cache_free(tk_cache *k);

/* Whether there is a session of this id; yes, if there is no memory to look. */
int tk_cache_has(tk_cache *k, const SSL *ssl, const unsigned char *id, size_t size);
/* What libssl calls back. */
void tk_cache_keep(tk_conn *c, SSL *ssl, SSL_SESSION *s);
SSL_SESSION *tk_cache_answer(tk_conn *c, SSL *ssl, const unsigned char *id, size_t size);
void tk_cache_withdraw(tk_cache *k, SSL_SESSION *s);

#endif
