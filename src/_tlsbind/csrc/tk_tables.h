/* Tables made from OpenSSL's headers, and from decl/, when this is built. */
#ifndef TK_TABLES_H
#define TK_TABLES_H

#include "tk_base.h"

typedef struct { int library, reason; const char *name; } tk_name;
extern const tk_name tk_library_names[], tk_reason_names[]; /* each ends with a NULL name */
typedef struct { const char *name; long long value; } tk_constant;
extern const tk_constant tk_constant_table[];
typedef struct { const char *name; int there; const char *since; } tk_feature;
extern const tk_feature tk_feature_table[]; /* made from decl/features.py, as tk_features.h is */

#endif
