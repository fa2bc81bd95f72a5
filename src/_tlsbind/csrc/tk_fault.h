/* The fault record: tk_fault.c. */
#ifndef TK_FAULT_H
#define TK_FAULT_H

#include "tk_base.h"

void tk_fault_begin(void); /* clear this thread's error queue and errno */
void tk_fault_capture(tk_fault *fault, tk_conn *c, int ssl_error, int sys_errno);
int tk_fail(tk_fault *fault); /* capture the queue alone: returns TK_SSL */

#endif
