/* What the targets and the first corpus share. */
#ifndef FUZZ_H
#define FUZZ_H

#include "tk_test.h"

enum { ROOM = 16384 };

extern contexts with_ring, with_store;
extern contexts with_eyes; /* Python looks at each ClientHello */
extern SSL_SESSION *ticket, *stateful;
extern tk_records clients; /* DER of the session of a client that has shown a certificate */
extern tk_seal *seal_of_tests;
extern uint8_t into[ROOM];

void seeds(void); /* into the folder that FUZZ_SEEDS names: a file for each, by target */

#endif
