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
    uint32_t first, last; /* its clauses, chained: those of others may stand between */
} tm_region;

typedef struct tm_clause {
    uint32_t tag;       /* of the instance, or ANY_TAG */
    uint32_t target;    /* where to go on */
    uint32_t values;    /* the first slot for the values of the exception; a clause for any tag gets none */
    uint32_t reference; /* the slot for a reference to it, or NO_SLOT */
    uint32_t loop;      /* the target is a loop: it costs a tick */
    uint32_t next;      /* or NO_CLAUSE */
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
#define NO_CLAUSE 0xFFFFFFFFu
#define ANY_TAG 0xFFFFFFFFu

/* An own function of a module. `code` is the lowering stub until the first call. */
struct tm_func {
    const word *code;
    const tm_handlers *handlers; /* NULL for a function without try blocks */
    uint32_t ticks;     /* charged for entering: 1 + one per started 64 declared locals */
    uint32_t cells;     /* frame_cells: what the depth check sums up */
    uint32_t own_index;
    uint32_t caught;    /* how many handlers of the legacy proposal are open at once: each has a cell behind the locals */
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

/* Types (types.h). Codes of the binary format; 0 stands for the unknown type of unreachable code. */
enum {
    T_BOT = 0, T_ADDRESS = 0x60 /* in rows: the index type of the memory */,
    T_I32 = 0x7F, T_I64 = 0x7E, T_F32 = 0x7D, T_F64 = 0x7C, T_V128 = 0x7B,
    T_NULLEXNREF = 0x74, T_NULLFUNCREF = 0x73, T_NULLEXTERNREF = 0x72, T_NULLREF = 0x71, T_FUNCREF = 0x70, T_EXTERNREF = 0x6F,
    T_ANYREF = 0x6E, T_EQREF = 0x6D, T_I31REF = 0x6C, T_STRUCTREF = 0x6B, T_ARRAYREF = 0x6A, T_EXNREF = 0x69,
    T_BOTREF = 0x68 /* the heap type below all others, of which dead code makes references */,
    T_I8 = 0x78, T_I16 = 0x77, /* in fields only */
    T_NON_NULL = 1 << 29, T_DEFINED = 1 << 30, T_INDEX = (1 << 29) - 1, T_CODE = 0x7FFFFFFF,
    BYTE_REF_NULL = 0x63, BYTE_REF = 0x64
};
enum { KIND_func, KIND_struct, KIND_array };
#define LIST_ONE (1ull << 62)
#define LIST_SOME (1ull << 63)
#define LIST_EXN (1ull << 61) /* and a reference to an exception behind them */

/* What a cast asks for, as one word: a type's number and its place in its line as `line_word` gives them, and what else goes. */
#define MATCH_NULL (1ull << 48)
#define MATCH_I31 (1ull << 49)
#define MATCH_HOST (1ull << 50)   /* external objects and, in their hierarchy, functions */
#define MATCH_OBJECT (1ull << 51) /* every object of the heap */
#define MATCH_STRUCT (1ull << 52)
#define MATCH_ARRAY (1ull << 53)
#define MATCH_LINE (1ull << 54)   /* structures or arrays of the type */
#define MATCH_FUNC (1ull << 55)   /* functions of the type */

/* The word that stands for a handler: its address where handlers are functions, its number where they are cases (run.c). */
word tm_handler_word(uint32_t handler);
int tm_fuse(word *code, uint32_t n); /* fuse.c */
#ifdef TAMIS_COUNT
void tm_count(const word *ip);
void tm_count_standing(const uint16_t *handlers, uint32_t n);
#endif
/* What the frame that marks an entry runs: it enters the function, and stands behind that while the function runs. */
extern word tm_entry[2];
/* Bytes of zeros that take no memory before they are written (memory.c); NULL when there are none. */
void *tm_zeros_new(uint64_t size);
void tm_zeros_free(void *p, uint64_t size);
#endif
