/* The doors from C to Python, implemented in src/tlskit/_core/hooks.py. The caller saves the error
   queue and errno around the call (tk_door_open and tk_door_close in tk_door.h). cffi reads this
   same text, so it contains no preprocessor lines. */

/* the alert to refuse with, or one of the two TK_ values */
int tk_py_servername(void *handle, const char *name);

/* Each fills in a key and returns its length; 0 refuses; -1: something was raised. */
int tk_py_psk_client(void *handle, const char *hint, void *identity, tk_psk_room *room,
                     unsigned char *key);
int tk_py_psk_server(void *handle, const void *identity, tk_psk_room *room, unsigned char *key);

/* A peer's chain that has passed verification, in DER and end to end, the leaf first. 1: go on;
   TK_VERIFY_LATER: a client pauses; everything else refuses it. */
int tk_py_verify(void *handle, const void *chain, size_t size);

/* One certificate (DER; size 0: it is not there), with its depth and its error (0: none), on the
   way through a verification. */
int tk_py_verify_each(void *handle, const void *der, size_t size, int depth, int code);

/* Fills in what a ticket that is being made shall carry, and returns its size; -1: something was
   raised. */
int tk_py_ticket(void *handle, void *into, int room);

/* Fills in the id of a new session, and returns its size; -1: something was raised. */
int tk_py_session_id(void *handle, void *into, int room);

/* A protocol message that was sent or received; the bytes are libssl's. Not 0: something was
   raised, so wait no more. */
int tk_py_message(void *handle, int sent, int version, int content_type, const void *data,
                  size_t size);

/* A server chooses one of the client's protocols, a list of names with their lengths before them.
   Where the chosen name's length stands, counted from 1; 0: none; -1: refuse the client. */
int tk_py_alpn(void *handle, const void *offered, size_t size, const char *name);

/* A line of the key log. Not 0: something was raised. */
int tk_py_keylog(void *handle, const char *line);

/* An event of a handshake, with libssl's words for where it is; or an alert, and its number. Not 0:
   something was raised. */
int tk_py_state(void *handle, int event, int value, const char *words);
