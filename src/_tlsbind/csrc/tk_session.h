/* Sessions, for the other files: tk_session.c. */
#ifndef TK_SESSION_H
#define TK_SESSION_H

#include "tk_base.h"

/* also of one that was withdrawn; or NULL */
SSL_SESSION *tk_session_resumable_copy(SSL_SESSION *s);

#endif
