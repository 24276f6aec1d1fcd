/* Inner structures of the native engine. The public ones are in api.h. */
#ifndef TAMIS_ENGINE_H
#define TAMIS_ENGINE_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "api.h"
#include "generated/tables.h" /* opcodes, errors, traps, exits: written by build.py from the tables in interp/syntax */

typedef uint64_t word;

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Where exceptions go on within a function: its try blocks as regions of its code, in the order in which they begin. They are
   nested or apart, so a place is within the last region that begins before it, or within one of those around that. Nothing
   here is looked at unless something is thrown. All places are words of the code. */
typedef struct tm_region {
    uint32_t start, end;
    uint32_t outer;     /* the region around it, or NO_REGION */
    uint32_t next;      /* where the search goes on when no clause takes the exception */
    uint32_t first, count; /* its clauses */
} tm_region;

typedef struct tm_clause {
    uint32_t tag;       /* of the instance, or ANY_TAG */
    uint32_t target;    /* where to go on */
    uint32_t values;    /* the first slot for the values of the exception; a clause for any tag gets none */
    uint32_t reference; /* the slot for a reference to it, or NO_SLOT */
    uint32_t loop;      /* the target is a loop: it costs a tick */
} tm_clause;

typedef struct tm_handlers {
    uint32_t n_regions;
    uint64_t bytes;
    uint32_t pinned[8]; /* per register: the slot of the local pinned to it, or NO_SLOT */
    tm_region *regions;
    tm_clause *clauses;
} tm_handlers;
#define NO_REGION 0xFFFFFFFFu
#define NO_SLOT 0xFFFFFFFFu
#define ANY_TAG 0xFFFFFFFFu

/* An own function of a module. `code` is the lowering stub until the first call. */
struct tm_func {
    const word *code;
    const tm_handlers *handlers; /* NULL for a function without try blocks */
    uint32_t ticks;     /* charged for entering: 1 + one per started 64 declared locals */
    uint32_t cells;     /* frame_cells: what the depth check sums up */
    uint32_t own_index;
    uint32_t words;     /* length of the lowered code */
    tm_code *owner;
};

struct tm_code {
    tm_env env;
    tm_func *funcs;
    uint32_t n_own;
    uint64_t bytes;     /* of lowered code */
    char lock;          /* held while a function is lowered */
};

/* Value type codes as in the binary format; 0 stands for the unknown type of unreachable code. */
enum { T_BOT = 0, T_ADDRESS = 0x60 /* in rows: the index type of the memory */, T_I32 = 0x7F, T_I64 = 0x7E, T_F32 = 0x7D, T_F64 = 0x7C, T_V128 = 0x7B, T_FUNCREF = 0x70, T_EXTERNREF = 0x6F, T_EXNREF = 0x69 };

/* The word that stands for a handler: its address where handlers are functions, its number where they are cases (run.c). */
word tm_handler_word(uint32_t handler);
const word *tm_entry_code(void);
#endif
