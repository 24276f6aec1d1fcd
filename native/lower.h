/* Slot code: how operands become frame slots, registers and constants (README.md, "Slot code").

   The operand stack of the walk has a twin of locations. A location is its own temporary (slot `nl` + the cells below it, where
   a vector takes two, as it does among the locals; vectors never stand in registers), a local not
   read yet (in its slot, or in the register it is pinned to), a constant not written yet, or the register for temporaries of
   its class. Few locals may be pending: they are written to their temporaries before the local changes and before any block
   begins, and the registers for temporaries are emptied there too, so that every path to a label finds the same picture. */
#ifndef TAMIS_LOWER_H
#define TAMIS_LOWER_H
#include "engine.h"
#include "types.h"

typedef struct tm_op {
    uint8_t cls, imm, feature, width_log2, lanes, commutes, n_params, n_results;
    uint8_t params[4];
    uint8_t result;
    uint16_t inverse, swapped;
    uint16_t base, branch;  /* numbers of its handlers: base + (d * na + a) * nb + b */
    uint8_t nd, na, nb;
    uint8_t indices;        /* how many plain indices follow the opcode; 0xFF: something else does */
} tm_op;
#include "generated/ops.inc"

enum { L_TEMP, L_LOCAL, L_CONST, L_REG };
typedef struct tm_loc {
    uint8_t kind;
    uint8_t reg;            /* L_REG */
    uint32_t local;         /* L_LOCAL, and L_REG of a pinned local: its slot */
    uint64_t constant;
} tm_loc;

#define MAX_PENDING 16
#define NOT_PINNED 0xFF
enum { CLASS_INT, CLASS_FLOAT, CLASS_NONE };
/* Registers are numbered through: class * 4 + number. The last one of a class is for temporaries, the others for pinned
   locals. A place is the slot, a register of the class, or the constant (for an address: what is known beforehand). */
enum { ALL_REGISTERS = 8, PLACE_SLOT = 0, PLACE_ADDRESS = REGISTERS_i + 1 };
static const uint8_t registers_of[2] = {REGISTERS_i, REGISTERS_f};
_Static_assert(REGISTERS_i <= 4 && REGISTERS_f <= 4, "registers are numbered by fours");
#define PLACE_CONST(c) (registers_of[c] + 1u)
#define PLACE_REG(reg) (1u + (reg) % 4u)
#define SPARE(c) ((c) * 4u + registers_of[c] - 1u)

typedef struct tm_lower {
    word *code;
    uint32_t n, capacity;
    tm_loc *loc;
    uint32_t *cell;                /* per height: cells of the operands below it; one more for the top */
    uint32_t *local_slot;          /* per local: its first slot */
    uint32_t nl;                   /* cells of parameters and locals: where the temporaries begin */
    uint32_t pending[MAX_PENDING]; /* heights whose location is a local, ascending */
    uint32_t n_pending;
    uint32_t owner[2];             /* height of the temporary in the spare register of each class, or NONE */
    uint8_t *pins;                 /* per local: its register, or NOT_PINNED */
    uint32_t pinned[ALL_REGISTERS];            /* per register: the slot of the local pinned to it, or NONE */
    uint8_t dirty, written;        /* registers whose slot is out of date; those ever written */
    /* the instruction written last, while it may still be changed */
    uint32_t last;                 /* its place, NONE behind a label */
    uint32_t last_value;           /* the height it gives a value to, NONE when its destination must not be changed */
    uint32_t last_base, last_stride, last_d, last_rest; /* handler = base + d * stride + rest */
    uint32_t last_nd;
    uint32_t last_op;              /* its row when it is a comparison in its plain form, else NONE */
    uint32_t low;                  /* lowest word written for the present instruction */
    uint32_t *map;                 /* byte offset per word, only for backtraces */
    uint32_t map_capacity;
    int out_of_memory;
    /* try blocks, in the order in which they begin, and their clauses; while a label is not placed, the targets of its clauses
       are a chain */
    tm_region *regions;
    uint32_t n_regions, regions_capacity;
    tm_clause *clauses;
    uint32_t n_clauses, clauses_capacity;
} tm_lower;

static inline uint32_t class_of(uint32_t type) {
    return type == T_F64 ? CLASS_FLOAT : type == T_I32 || type == T_I64 || is_ref(type) ? CLASS_INT : CLASS_NONE;
}

/* The first slot of the temporary at a height, and whether it takes two. */
static inline uint32_t own_slot(const tm_lower *l, uint32_t i) { return l->nl + l->cell[i]; }
static inline int is_wide(const tm_lower *l, uint32_t i) { return l->cell[i + 1] - l->cell[i] == 2; }

static inline void lower_barrier(tm_lower *l) { l->last = l->last_value = l->last_op = NONE; }

static void lower_room(tm_lower *l) {
    if (likely(l->n + 16 <= l->capacity)) return;
    uint32_t capacity = l->capacity ? l->capacity * 2 : 1024;
    word *code = realloc(l->code, (size_t)capacity * sizeof(word));
    if (!code) { l->out_of_memory = 1; l->n = 0; return; } /* the code is thrown away: it may be overwritten meanwhile */
    l->code = code;
    l->capacity = capacity;
}

static inline void emit_word(tm_lower *l, word w) {
    lower_room(l);
    if (likely(l->code != NULL)) l->code[l->n++] = w;
}

static inline uint32_t emit(tm_lower *l, uint32_t handler, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    lower_room(l);
    uint32_t at = l->n;
    if (unlikely(l->code == NULL)) return 0;
    if (at < l->low) l->low = at;
    l->code[at] = handler; /* its number: tm_fuse puts the word for it */
    l->code[at + 1] = (word)(uint16_t)a | (word)(uint16_t)b << 16 | (word)(uint16_t)c << 32 | (word)(uint16_t)d << 48;
    l->n = at + 2;
    l->last = at;
    l->last_value = l->last_op = NONE;
    return at;
}

/* A move of one cell: to a place of class c, from one. */
static void emit_move(tm_lower *l, uint32_t c, uint32_t d, uint32_t d_slot, uint32_t a, uint32_t a_slot, uint64_t constant) {
    emit(l, (c == CLASS_FLOAT ? BASE_mov_f : BASE_mov_i) + d * (registers_of[c] + 2u) + a, d_slot, a_slot, 0, 0);
    if (a == PLACE_CONST(c)) emit_word(l, constant);
}

#include "pin.h"
#include "lower_operands.h"
#include "lower_plain.h"
#include "lower_variables.h"
#include "lower_calls.h"
#include "lower_branches.h"
#include "lower_tries.h"
#include "lower_objects.h"
#endif
