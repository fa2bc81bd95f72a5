/* The record of writes that ended early: how many of their bytes are encrypted, and a digest of
   these, which distinguishes a repetition from another write.

   The digest is computed under the connection's lock, and a long write takes a while to digest: a
   signal, a timeout or a close would wait for it. So only the beginning and the end of a long write
   are digested, and then only the thread that wrote it can repeat it: two threads may have messages
   that differ only in the middle. */
#include "tk_hash.h"
#include "tk_lock.h"
#include "tk_partial.h"

enum { END = 16 << 20, MUCH = 2 * END }; /* bytes */

static int print_of(const uint8_t *data, size_t size, uint8_t *print)
{
    uint8_t ends[2][32];

    if (size <= MUCH)
        return tk_sha256(data, size, print);
    return tk_sha256(data, END, ends[0]) && tk_sha256(data + size - END, END, ends[1]) &&
           tk_sha256(ends[0], sizeof ends, print);
}

static int begins_with(const uint8_t *data, const tk_partial *o)
{
    uint8_t print[sizeof o->print];

    return (o->size <= MUCH || o->thread == tk_thread()) && print_of(data, o->size, print) &&
           memcmp(print, o->print, sizeof print) == 0;
}

void tk_owe(tk_conn *c, const uint8_t *data, size_t size, int torn)
{
    tk_partial *all = realloc(c->owed, ((size_t)c->owed_count + 1) * sizeof *all), *o;

    if (all != NULL)
        c->owed = all;
    if (all == NULL || !print_of(data, size, all[c->owed_count].print)) {
        ERR_clear_error();
        c->send_failed = ENOMEM; /* nobody could tell what is to follow */
        return;
    }
    o = &all[c->owed_count++];
    o->size = size;
    o->thread = tk_thread();
    o->torn = torn;
}

tk_partial *tk_partial_by(tk_conn *c, const uint8_t *data, size_t size)
{
    tk_partial *found = NULL;
    int32_t i;

    for (i = 0; i < c->owed_count; i++) {
        tk_partial *o = &c->owed[i];
        if (o->size <= size && (found == NULL || o->size > found->size) && begins_with(data, o))
            found = o;
    }
    return found;
}
