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

/* ---- operands ---- */
static inline void pending_cut(tm_lower *l, uint32_t height) {
    while (l->n_pending && l->pending[l->n_pending - 1] >= height) l->n_pending--;
    for (int c = 0; c < 2; c++)
        if (l->owner[c] != NONE && l->owner[c] >= height) l->owner[c] = NONE;
}

/* Changes where the last instruction puts its result; only when last_value says that it may. */
static void redirect(tm_lower *l, uint32_t d, uint32_t d_slot) {
    l->last_d = d;
    l->code[l->last] = l->last_base + d * l->last_stride + l->last_rest;
    l->code[l->last + 1] = (l->code[l->last + 1] & ~(word)0xFFFF) | (uint16_t)d_slot;
}

/* Moves a location of whatever kind into a slot, or into two. */
static void emit_to_slot(tm_lower *l, const tm_loc *at, uint32_t own, uint32_t to, int wide) {
    if (unlikely(wide)) {
        uint32_t from = at->kind == L_LOCAL ? at->local : own;
        if (from != to) emit(l, H_mov_v, to, from, 0, 0);
        return;
    }
    switch (at->kind) {
    case L_CONST: emit_move(l, CLASS_INT, PLACE_SLOT, to, PLACE_CONST(CLASS_INT), 0, at->constant); break;
    case L_LOCAL: emit_move(l, CLASS_INT, PLACE_SLOT, to, PLACE_SLOT, at->local, 0); break;
    case L_REG: emit_move(l, at->reg / 4, PLACE_SLOT, to, PLACE_REG(at->reg), 0, 0); break;
    default: if (own != to) emit_move(l, CLASS_INT, PLACE_SLOT, to, PLACE_SLOT, own, 0);
    }
}

/* The value at a height waits for no local any more. */
static void pending_drop(tm_lower *l, uint32_t i) {
    for (uint32_t k = 0; k < l->n_pending; k++)
        if (l->pending[k] == i) {
            memmove(&l->pending[k], &l->pending[k + 1], (l->n_pending - k - 1) * sizeof l->pending[0]);
            l->n_pending--;
            return;
        }
}

/* Puts the value at a height into its own temporary. */
static void materialise(tm_lower *l, uint32_t i) {
    tm_loc *at = &l->loc[i];
    if (at->kind == L_TEMP) return;
    uint32_t c = at->reg / 4;
    if (at->kind == L_REG && at->reg == SPARE(c)) {
        if (l->last_value == i) redirect(l, PLACE_SLOT, own_slot(l, i));
        else emit_to_slot(l, at, 0, own_slot(l, i), 0);
        if (l->owner[c] == i) l->owner[c] = NONE;
    } else {
        emit_to_slot(l, at, 0, own_slot(l, i), is_wide(l, i));
        pending_drop(l, i);
    }
    at->kind = L_TEMP;
}

/* Empties the registers for temporaries. */
static void flush_spare(tm_lower *l) {
    for (int c = 0; c < 2; c++)
        if (l->owner[c] != NONE) materialise(l, l->owner[c]);
}

static void flush_pending(tm_lower *l) {
    flush_spare(l); /* first: the last instruction may write the slot itself */
    while (l->n_pending) materialise(l, l->pending[l->n_pending - 1]);
}

/* The slot of an operand, which is put into one if it stands elsewhere. */
static inline uint32_t slot(tm_lower *l, uint32_t i) {
    tm_loc *at = &l->loc[i];
    if (at->kind == L_LOCAL) return at->local;
    if (at->kind != L_TEMP) materialise(l, i);
    return own_slot(l, i);
}

/* The place of an operand for a handler that takes registers (or does not), and its slot if it is one. */
static inline uint32_t place(tm_lower *l, uint32_t i, int registers, uint32_t *field) {
    tm_loc *at = &l->loc[i];
    if (at->kind == L_REG && registers) { *field = 0; return PLACE_REG(at->reg); }
    *field = slot(l, i);
    return PLACE_SLOT;
}

static inline void push_local(tm_lower *l, uint32_t i, uint32_t x) {
    if (l->n_pending == MAX_PENDING) materialise(l, l->pending[0]);
    tm_loc *at = &l->loc[i];
    at->local = l->local_slot[x];
    at->reg = l->pins[x];
    at->kind = at->reg == NOT_PINNED ? L_LOCAL : L_REG;
    l->pending[l->n_pending++] = i;
}

static inline void push_constant(tm_lower *l, uint32_t i, uint64_t constant) {
    l->loc[i].kind = L_CONST;
    l->loc[i].constant = constant;
}

static inline void push_temp(tm_lower *l, uint32_t i) { l->loc[i].kind = L_TEMP; }

/* Writes an instruction whose result gets height i: to the spare register of its class when that is free, else to the slot.
   handler = base + d * stride + rest, with nd kinds of d. */
static void emit_result(tm_lower *l, uint32_t base, uint32_t nd, uint32_t stride, uint32_t rest, uint32_t c, uint32_t i,
                        uint32_t b, uint32_t cc, uint32_t dd) {
    uint32_t d = PLACE_SLOT;
    if (nd > 1 && c != CLASS_NONE && l->owner[c] == NONE) {
        d = nd > 2 ? PLACE_REG(SPARE(c)) : 1;
        l->owner[c] = i;
        l->loc[i].kind = L_REG;
        l->loc[i].reg = (uint8_t)SPARE(c);
        l->loc[i].local = NONE;
    } else {
        l->loc[i].kind = L_TEMP;
    }
    emit(l, base + d * stride + rest, d ? 0 : own_slot(l, i), b, cc, dd);
    l->last_value = i;
    l->last_base = base;
    l->last_nd = nd;
    l->last_stride = stride;
    l->last_rest = rest;
    l->last_d = d;
}

/* Whether the last instruction made the value at a height, so that it may still be changed. */
static inline int is_last(const tm_lower *l, uint32_t i) {
    const tm_loc *at = &l->loc[i];
    return l->last_value == i && (at->kind == L_TEMP || (at->kind == L_REG && at->reg == SPARE(at->reg / 4)));
}

/* ---- plain instructions; operands stand from height i on ---- */
static void lower_unary(tm_lower *l, uint32_t op, uint32_t i) {
    const tm_op *row = &tm_ops[op];
    if (op == OP_i32_eqz && is_last(l, i) && l->last_op != NONE && tm_ops[l->last_op].inverse != 0xFFFF) {
        /* not (a < b) is a >= b: the comparison is turned round where it stands */
        l->last_op = tm_ops[l->last_op].inverse;
        l->last_base = tm_ops[l->last_op].base;
        l->code[l->last] = l->last_base + l->last_d * l->last_stride + l->last_rest;
        return;
    }
    uint32_t b, a = place(l, i, row->na > 1, &b);
    pending_cut(l, i);
    emit_result(l, row->base, row->nd, (uint32_t)row->na * row->nb, a * row->nb, class_of(row->result), i, b, 0, 0);
    if (row->cls == CLS_EQZ) l->last_op = op;
}

static void lower_binary(tm_lower *l, uint32_t op, uint32_t i) {
    uint32_t ia = i, ib = i + 1;
    if (l->loc[ia].kind == L_CONST && l->loc[ib].kind != L_CONST && (tm_ops[op].commutes || tm_ops[op].swapped != 0xFFFF)) {
        ia = i + 1;
        ib = i;
        if (!tm_ops[op].commutes) op = tm_ops[op].swapped;
    }
    const tm_op *row = &tm_ops[op];
    uint32_t sb, sc = 0, b;
    uint64_t k = l->loc[ib].constant;
    uint32_t constant = l->loc[ib].kind == L_CONST && row->nb > row->na ? row->nb - 1u : 0; /* K is the last kind of b */
    if (constant) b = constant;
    else b = place(l, ib, row->na > 1, &sc);
    uint32_t a = place(l, ia, row->na > 1, &sb); /* may write a move, but never to b's place */
    pending_cut(l, i);
    emit_result(l, row->base, row->nd, (uint32_t)row->na * row->nb, a * row->nb + b, class_of(row->result), i, sb, sc, 0);
    if (constant) {
        emit_word(l, k);
    }
    if (row->cls == CLS_COMPARE) l->last_op = op;
}

static void lower_load(tm_lower *l, uint32_t op, uint32_t i, uint64_t offset) {
    const tm_op *row = &tm_ops[op];
    uint32_t b = 0, a;
    if (l->loc[i].kind == L_CONST) {
        a = PLACE_ADDRESS;
        offset += (uint32_t)l->loc[i].constant;
    } else {
        a = place(l, i, 1, &b);
    }
    pending_cut(l, i);
    emit_result(l, row->base, row->nd, row->na, a, class_of(row->result), i, b, 0, 0);
    emit_word(l, offset);
}

static void lower_store(tm_lower *l, uint32_t op, uint32_t i, uint64_t offset) {
    const tm_op *row = &tm_ops[op];
    uint32_t sb = 0, sc = 0, a, v;
    uint64_t k = l->loc[i + 1].constant;
    if (l->loc[i + 1].kind == L_CONST) v = row->nb - 1u;
    else v = place(l, i + 1, row->nb > 2, &sc);
    if (l->loc[i].kind == L_CONST) {
        a = PLACE_ADDRESS;
        offset += (uint32_t)l->loc[i].constant;
    } else {
        a = place(l, i, 1, &sb);
    }
    pending_cut(l, i);
    emit(l, row->base + a * row->nb + v, 0, sb, sc, 0);
    emit_word(l, offset);
    if (v == row->nb - 1u) emit_word(l, k);
}

/* A vector instruction: all operands in slots, a lane behind them, 16 lanes or the constant as two words. */
static void lower_vector(tm_lower *l, uint32_t op, uint32_t i, uint64_t lane, const uint8_t *bytes) {
    const tm_op *row = &tm_ops[op];
    uint32_t s[4] = {0};
    for (uint32_t k = 0; k < row->n_params; k++) s[k] = slot(l, i + k);
    s[row->n_params] = (uint32_t)lane;
    pending_cut(l, i);
    emit_result(l, row->cls == CLS_CONST ? (uint32_t)H_v128_const : row->base, 1, 0, 0, CLASS_NONE, i, s[0], s[1], s[2]);
    if (row->imm == IMM_v128 || row->imm == IMM_lanes16) {
        word words[2];
        memcpy(words, bytes, sizeof words);
        emit_word(l, words[0]);
        emit_word(l, words[1]);
    }
}

/* Vectors from and to memory: the address stands anywhere, the vector in a slot. */
static void lower_vector_access(tm_lower *l, uint32_t op, uint32_t i, uint64_t offset, uint32_t lane) {
    const tm_op *row = &tm_ops[op];
    uint32_t b = 0, c = 0, a;
    if (row->n_params == 2) c = slot(l, i + 1);
    if (l->loc[i].kind == L_CONST) {
        a = PLACE_ADDRESS;
        offset += (uint32_t)l->loc[i].constant;
    } else {
        a = place(l, i, 1, &b);
    }
    pending_cut(l, i);
    if (row->cls == CLS_VECTOR_LOAD) emit_result(l, row->base, 1, 0, a, CLASS_NONE, i, b, c, lane);
    else emit(l, row->base + a, 0, b, c, lane);
    emit_word(l, offset);
}

/* An access to another memory than 0, the one whose base and length are in registers: those of `memory` take their place. */
static void use_memory(tm_lower *l, uint32_t memory) { emit(l, H_use_memory, memory, 0, 0, 0); }

/* An address of 64 bits at height i and its offset become one of 32 bits, or a trap: no memory of ours is longer. */
static void lower_address(tm_lower *l, uint32_t i, uint64_t offset) {
    uint32_t from = slot(l, i);
    pending_drop(l, i); /* its location is about to change */
    emit(l, H_address, own_slot(l, i), from, 0, 0);
    emit_word(l, offset);
    push_temp(l, i);
}

/* An atomic access, all operands in slots. One with an address of 64 bits is checked for its alignment before it is cut. */
static void lower_atomic(tm_lower *l, uint32_t op, uint32_t i, uint64_t offset, uint32_t memory, int wide) {
    const tm_op *row = &tm_ops[op];
    uint32_t s[4] = {0};
    if (wide) {
        uint32_t from = slot(l, i);
        pending_drop(l, i); /* its location is about to change */
        emit(l, H_aligned_address, own_slot(l, i), from, (1u << row->width_log2) - 1, 0);
        emit_word(l, offset);
        push_temp(l, i);
        offset = 0;
    }
    for (uint32_t k = 0; k < row->n_params; k++) s[k] = slot(l, i + k);
    pending_cut(l, i);
    if (memory) use_memory(l, memory);
    if (row->n_results) emit_result(l, row->base, 1, 0, 0, CLASS_NONE, i, s[0], s[1], s[2]);
    else emit(l, row->base, 0, s[0], s[1], s[2]);
    emit_word(l, offset);
    if (memory) use_memory(l, 0);
}

/* Two results from numbers in slots. */
static void lower_wide(tm_lower *l, uint32_t op, uint32_t i) {
    const tm_op *row = &tm_ops[op];
    uint32_t s[4] = {0};
    for (uint32_t k = 0; k < row->n_params; k++) s[k] = slot(l, i + k);
    pending_cut(l, i);
    emit(l, row->base, own_slot(l, i), s[0], s[1], s[2]);
    if (row->n_params == 4) emit_word(l, s[3]);
    push_temp(l, i);
    push_temp(l, i + 1);
}

/* A load or store of memory `memory` with addresses of 32 or 64 bits; `lane` for those of a vector that have one. */
static void lower_access(tm_lower *l, uint32_t op, uint32_t i, uint64_t offset, uint32_t memory, int wide, uint32_t lane) {
    if (wide) { lower_address(l, i, offset); offset = 0; }
    if (memory) use_memory(l, memory);
    if (tm_ops[op].cls == CLS_LOAD) lower_load(l, op, i, offset);
    else if (tm_ops[op].cls == CLS_STORE) lower_store(l, op, i, offset);
    else lower_vector_access(l, op, i, offset, lane);
    if (memory) use_memory(l, 0);
}

/* local.set x with the operand at height i, which is popped. `type` is the local's. */
static void lower_set(tm_lower *l, uint32_t i, uint32_t x, uint32_t type) {
    tm_loc value = l->loc[i];
    uint32_t to = l->local_slot[x];
    int last = is_last(l, i);
    pending_cut(l, i);
    int written = 0;
    for (uint32_t k = 0; k < l->n_pending;) { /* those who still wait for the old value */
        uint32_t waiting = l->pending[k];
        if (l->loc[waiting].local == to) { materialise(l, waiting); written = 1; } else k++;
    }
    uint32_t pin = l->pins[x], d = pin == NOT_PINNED ? PLACE_SLOT : PLACE_REG(pin);
    if (pin != NOT_PINNED) l->dirty |= (uint8_t)(1u << pin);
    if (last && !written && (d == PLACE_SLOT || l->last_nd > 2)) {
        redirect(l, d, d ? 0 : to); /* the instruction before writes the local itself */
        l->last_value = l->last_op = NONE;
        return;
    }
    uint32_t c = class_of(type) == CLASS_FLOAT ? CLASS_FLOAT : CLASS_INT;
    if (type == T_V128) emit_to_slot(l, &value, own_slot(l, i), to, 1);
    else if (value.kind == L_CONST) emit_move(l, c, d, to, PLACE_CONST(c), 0, value.constant);
    else if (value.kind == L_REG) {
        if (value.reg != pin) emit_move(l, c, d, to, PLACE_REG(value.reg), 0, 0);
    } else {
        uint32_t from = value.kind == L_LOCAL ? value.local : own_slot(l, i);
        if (d != PLACE_SLOT || from != to) emit_move(l, c, d, to, PLACE_SLOT, from, 0);
    }
}

static void lower_global_get(tm_lower *l, uint32_t i, uint32_t x, uint32_t type) {
    uint32_t c = class_of(type);
    if (type == T_V128) emit_result(l, H_global_get_v, 1, 0, 0, CLASS_NONE, i, 0, 0, 0);
    else emit_result(l, c == CLASS_FLOAT ? BASE_global_get_f : BASE_global_get_i, c == CLASS_NONE ? 1 : registers_of[c] + 1u, 1, 0, c, i, 0, 0, 0);
    emit_word(l, x);
}

static void lower_global_set(tm_lower *l, uint32_t i, uint32_t x, uint32_t type) {
    uint32_t c = class_of(type) == CLASS_FLOAT ? CLASS_FLOAT : CLASS_INT, b = 0, a = PLACE_CONST(c);
    int constant = l->loc[i].kind == L_CONST;
    uint64_t k = l->loc[i].constant;
    if (!constant) a = place(l, i, 1, &b);
    pending_cut(l, i);
    emit(l, type == T_V128 ? (uint32_t)H_global_set_v : (c == CLASS_FLOAT ? BASE_global_set_f : BASE_global_set_i) + a, 0, b, 0, 0);
    emit_word(l, x);
    if (constant) emit_word(l, k);
}

/* An instruction that takes slots and gives its result to one. */
static void emit_slots(tm_lower *l, uint32_t handler, uint32_t i, uint32_t b, uint32_t c, uint32_t d) {
    emit_result(l, handler, 1, 0, 0, CLASS_NONE, i, b, c, d);
}

/* The instruction written last is taken back. */
static void take_back(tm_lower *l) {
    l->n = l->last;
    if (l->n < l->low) l->low = l->n;
    lower_barrier(l);
}

/* The operands of a choice stand at heights i to i + 2, the condition last: it goes to a slot or the register for temporaries. */
static void lower_select(tm_lower *l, uint32_t type, uint32_t i) {
    uint32_t c = class_of(type), of = c == CLASS_FLOAT ? CLASS_FLOAT : CLASS_INT, first = i, second = i + 1, test = 0, sb, sc, sd = 0;
    if (type == T_V128) {
        sd = slot(l, i + 2);
        sc = slot(l, i + 1);
        sb = slot(l, i);
        pending_cut(l, i);
        emit_slots(l, H_select_v, i, sb, sc, sd);
        return;
    }
    if (is_last(l, i + 2) && l->last_op == OP_i32_eqz &&
        (l->last_rest == PLACE_SLOT || l->last_rest == PLACE_REG(SPARE(CLASS_INT)))) {
        /* by a == 0 the first is chosen: so by a the second is */
        test = l->last_rest != PLACE_SLOT;
        sd = (l->code[l->last + 1] >> 16) & 0xFFFF;
        take_back(l);
        first = i + 1;
        second = i;
    } else if (l->loc[i + 2].kind == L_REG && l->loc[i + 2].reg == SPARE(CLASS_INT)) {
        test = 1;
    } else {
        sd = slot(l, i + 2);
    }
    uint32_t b = place(l, second, 1, &sc), a = place(l, first, 1, &sb), kinds = registers_of[of] + 1u;
    pending_cut(l, i);
    emit_result(l, of == CLASS_FLOAT ? BASE_select_f : BASE_select_i, kinds, kinds * kinds * 2, (a * kinds + b) * 2 + test, c, i, sb, sc, sd);
}

/* ---- calls: the callee uses the same registers, so pinned locals go home before and come back after ---- */
static void before_call(tm_lower *l, uint32_t i, uint32_t n) {
    flush_spare(l);
    for (uint32_t k = 0; k < n; k++) materialise(l, i + k);
    for (uint32_t r = 0; r < ALL_REGISTERS; r++)
        if (l->dirty >> r & 1) emit_move(l, r / 4, PLACE_SLOT, l->pinned[r], PLACE_REG(r), 0, 0);
    l->dirty = 0;
}

static void after_call(tm_lower *l) {
    for (uint32_t r = 0; r < ALL_REGISTERS; r++)
        if (l->pinned[r] != NONE) emit_move(l, r / 4, PLACE_REG(r), 0, PLACE_SLOT, l->pinned[r], 0);
    lower_barrier(l);
}

/* A tail call's arguments go to the first slots of the frame, which the callee takes over; a host function's results come
   to where its arguments stood, and are returned from there. */
static void lower_tail_call(tm_lower *l, uint32_t handler, uint32_t i, uint32_t n, uint32_t index, word x, word y, uint32_t result_cells) {
    emit(l, handler, own_slot(l, i), index, l->cell[i + n] - l->cell[i], 0);
    emit_word(l, x);
    if (handler == H_tail_call_indirect) emit_word(l, y);
    if (handler != H_tail_call) {
        if (result_cells) emit(l, H_retn, own_slot(l, i), result_cells, 0, 0);
        else emit(l, H_ret0, 0, 0, 0, 0);
    }
    lower_barrier(l);
}

/* ---- branches ---- */

/* A condition taken off the stack: a comparison that was just written is taken back, to be fused with the branch. */
typedef struct tm_cond {
    uint32_t op; /* NONE: the place is tested */
    uint32_t rest;
    int constant;
    word operands, k;
    uint32_t place, slot;
} tm_cond;

static tm_cond take_condition(tm_lower *l, uint32_t i) {
    tm_cond c = {.op = NONE};
    if (is_last(l, i) && l->last_op != NONE) {
        const tm_op *row = &tm_ops[l->last_op];
        c.op = l->last_op;
        c.rest = l->last_rest;
        c.constant = row->cls == CLS_COMPARE && row->nb > row->na && c.rest % row->nb == row->nb - 1u;
        c.operands = l->code[l->last + 1];
        if (c.constant) c.k = l->code[l->last + 2];
        take_back(l);
    } else {
        c.place = place(l, i, 1, &c.slot);
    }
    pending_cut(l, i);
    return c;
}

/* The place of a reference that stays where it is while code behind asks for it. The register for temporaries would not do: what
   was written there may yet be sent to a slot. */
static uint32_t steady_place(tm_lower *l, uint32_t i, uint32_t *field) {
    const tm_loc *at = &l->loc[i];
    return place(l, i, at->kind == L_REG && at->reg != SPARE(at->reg / 4), field);
}

/* Whether the reference at height i is null. It stays there. */
static tm_cond null_condition(tm_lower *l, uint32_t i) {
    uint32_t field, a = steady_place(l, i, &field);
    return (tm_cond){.op = OP_i64_eqz, .rest = a, .operands = (word)field << 16};
}

/* Whether the reference at height i is of a type, told by a word of MATCH_ flags. It stays there. */
static tm_cond cast_condition(tm_lower *l, uint32_t i, word type) {
    uint32_t field, a = steady_place(l, i, &field);
    return (tm_cond){.op = OP_br_on_cast, .rest = a, .operands = (word)field << 16, .constant = 1, .k = type};
}

/* Writes the branch; gives the place of its offset word. `back`: to a loop, with a tick. */
static uint32_t emit_condition(tm_lower *l, const tm_cond *c, uint32_t back, uint32_t negate) {
    if (c->op == NONE) {
        emit(l, BASE_br_if + (negate * 2 + back) * (REGISTERS_i + 1) + c->place, 0, c->slot, 0, 0);
    } else if (c->op == OP_br_on_cast) {
        emit(l, BASE_br_cast + (negate * 2 + back) * (REGISTERS_i + 1) + c->rest, 0, (uint32_t)(c->operands >> 16), 0, 0);
    } else {
        uint32_t op = c->op;
        if (negate && tm_ops[op].inverse != 0xFFFF) { op = tm_ops[op].inverse; negate = 0; }
        const tm_op *row = &tm_ops[op];
        emit(l, row->branch + (negate * 2 + back) * row->na * row->nb + c->rest, 0, (c->operands >> 16) & 0xFFFF,
             (c->operands >> 32) & 0xFFFF, 0);
    }
    uint32_t at = l->n;
    emit_word(l, 0);
    if (c->op != NONE && c->constant) emit_word(l, c->k);
    return at;
}

/* Label values: `n` operands from height `from` go to the temporaries from height `to` on. Locations stay as they are. */
enum { MANY = 6 };

/* Many values are put into their temporaries first, once for all the branches that carry them, and then moved by a single
   instruction: so that a thousand values and ten thousand branches do not make ten million moves. */
static void settle_many(tm_lower *l, uint32_t from, uint32_t n) {
    if (n > MANY)
        for (uint32_t k = 0; k < n; k++) materialise(l, from + k);
}

static int moves_needed(const tm_lower *l, uint32_t from, uint32_t n, uint32_t to) {
    for (uint32_t k = 0; k < n; k++)
        if (l->loc[from + k].kind != L_TEMP || from != to) return 1;
    return 0;
}

static void emit_moves(tm_lower *l, uint32_t from, uint32_t n, uint32_t to) {
    uint32_t down = l->cell[from] - l->cell[to];
    if (n > MANY) {
        if (down) emit(l, H_moven, own_slot(l, to), own_slot(l, from), l->cell[from + n] - l->cell[from], 0);
        return;
    }
    for (uint32_t k = 0; k < n; k++) /* upwards: a temporary is never written before it was read, since to <= from */
        emit_to_slot(l, &l->loc[from + k], own_slot(l, from + k), own_slot(l, from + k) - down, is_wide(l, from + k));
}

/* `cells`: of the results. */
static void emit_return(tm_lower *l, uint32_t from, uint32_t n, uint32_t cells) {
    if (n == 0) {
        emit(l, H_ret0, 0, 0, 0, 0);
    } else if (cells == 1 && l->loc[from].kind == L_CONST) {
        emit(l, H_retk, 0, 0, 0, 0);
        emit_word(l, l->loc[from].constant);
    } else if (n == 1 && cells == 2) {
        emit(l, H_retn, slot(l, from), 2, 0, 0);
    } else if (n == 1) {
        const tm_loc *at = &l->loc[from];
        if (at->kind == L_REG) emit(l, (at->reg / 4 ? BASE_ret1_f : BASE_ret1_i) + PLACE_REG(at->reg), 0, 0, 0, 0);
        else emit(l, BASE_ret1_i, slot(l, from), 0, 0, 0);
    } else {
        for (uint32_t k = 0; k < n; k++) materialise(l, from + k);
        emit(l, H_retn, own_slot(l, from), cells, 0, 0);
    }
    lower_barrier(l);
}

/* Offset words of branches to a label that is not placed yet form a chain through themselves. */
static inline void chain(tm_lower *l, uint32_t *head, uint32_t at) {
    l->code[at] = *head;
    *head = at;
}

static void place_label(tm_lower *l, uint32_t *head) {
    if (l->out_of_memory) return; /* the chain may be overwritten */
    for (uint32_t at = *head; at != NONE;) {
        uint32_t next = (uint32_t)l->code[at];
        l->code[at] = (word)((int64_t)l->n - (int64_t)at);
        at = next;
    }
    *head = NONE;
    l->dirty = l->written; /* what is out of date on some path counts as such */
    lower_barrier(l);
}

static int more(void **array, uint32_t *capacity, uint32_t n, size_t size) {
    if (n < *capacity) return 0;
    uint32_t larger = *capacity ? 2 * *capacity : 16;
    void *p = realloc(*array, larger * size);
    if (!p) return -1;
    *array = p;
    *capacity = larger;
    return 0;
}

/* ---- exceptions: try blocks write no code, only down where in the code they are ---- */
static uint32_t begin_region(tm_lower *l, uint32_t outer) {
    lower_barrier(l);
    if (more((void **)&l->regions, &l->regions_capacity, l->n_regions, sizeof *l->regions)) { l->out_of_memory = 1; return NO_REGION; }
    l->regions[l->n_regions] = (tm_region){.start = l->n, .outer = outer, .next = outer, .first = NO_CLAUSE};
    return l->n_regions++;
}

static void end_region(tm_lower *l, uint32_t region) {
    lower_barrier(l);
    if (region != NO_REGION) l->regions[region].end = l->n;
}

/* One more clause of a region; the caller gives it its target. */
static tm_clause *add_clause(tm_lower *l, uint32_t region, tm_clause clause) {
    static tm_clause nowhere;
    if (region == NO_REGION || more((void **)&l->clauses, &l->clauses_capacity, l->n_clauses, sizeof *l->clauses)) {
        l->out_of_memory = 1;
        return &nowhere;
    }
    tm_region *r = &l->regions[region];
    if (r->first == NO_CLAUSE) r->first = l->n_clauses;
    else l->clauses[r->last].next = l->n_clauses;
    r->last = l->n_clauses++;
    l->clauses[r->last] = clause;
    l->clauses[r->last].next = NO_CLAUSE;
    return &l->clauses[r->last];
}

static void place_clauses(tm_lower *l, uint32_t *head) {
    if (l->out_of_memory) return;
    for (uint32_t at = *head; at != NONE;) {
        uint32_t next = l->clauses[at].target;
        l->clauses[at].target = l->n;
        at = next;
    }
    *head = NONE;
    l->dirty = l->written;
    lower_barrier(l);
}

static void emit_jump(tm_lower *l, uint32_t *head, uint32_t loop_start) {
    emit(l, head ? H_br : H_br_loop, 0, 0, 0, 0);
    uint32_t at = l->n;
    emit_word(l, 0);
    if (head) chain(l, head, at);
    else l->code[at] = (word)((int64_t)loop_start - (int64_t)at);
    lower_barrier(l);
}

/* A handler of five words: operands from A on, then the service that it leaves for where it cannot go on itself. */
static void emit_served(tm_lower *l, uint32_t handler, uint32_t service, uint32_t i, uint32_t n, uint64_t imm1, uint64_t imm2) {
    for (uint32_t k = n; k-- > 0;) materialise(l, i + k); /* downwards: the last instruction may write its slot itself */
    pending_cut(l, i);
    emit(l, handler, own_slot(l, i), 0, 0, 0);
    emit_word(l, service);
    emit_word(l, imm1);
    emit_word(l, imm2);
}

static void emit_service(tm_lower *l, uint32_t service, uint32_t i, uint32_t n, uint64_t imm1, uint64_t imm2) {
    emit_served(l, H_service, service, i, n, imm1, imm2);
}

#include "lower_objects.h"
#endif
