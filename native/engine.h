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

/* An own function of a module. `code` is the lowering stub until the first call. */
struct tm_func {
    const word *code;
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
enum { T_BOT = 0, T_ADDRESS = 0x60 /* in rows: the index type of the memory */, T_I32 = 0x7F, T_I64 = 0x7E, T_F32 = 0x7D, T_F64 = 0x7C, T_V128 = 0x7B, T_FUNCREF = 0x70, T_EXTERNREF = 0x6F };

/* The word that stands for a handler: its address where handlers are functions, its number where they are cases (run.c). */
word tm_handler_word(uint32_t handler);
int tm_fuse(word *code, uint32_t n); /* fuse.c */
#ifdef TAMIS_COUNT
void tm_count(const word *ip);
void tm_count_standing(const uint16_t *handlers, uint32_t n);
#endif
#endif
