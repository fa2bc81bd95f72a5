/* Flat lists of (tag, length, bytes): tk_records.c. */
#ifndef TK_RECORDS_H
#define TK_RECORDS_H

#include "tk_base.h"

void tk_records_add(tk_records *r, uint32_t tag, const void *data, size_t size);
void tk_records_text(tk_records *r, uint32_t tag, const char *text); /* NULL adds nothing */

#endif
