/* The library as a whole: tk_library.c. */
#ifndef TK_LIBRARY_H
#define TK_LIBRARY_H

#include "tk_base.h"

extern int32_t tk_generation; /* one more in every forked child */

#endif
