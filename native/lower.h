/* Slot code: how operands become frame slots and constants (README.md, "Slot code").

   The operand stack of the walk has a twin of locations. A location is its own temporary slot (`nl` + height), a local not
   read yet, or a constant not written yet. Few locals may be pending: they are written to their temporaries before the local
   changes and before any block begins, so that every path to a label finds the same picture. */
#ifndef TAMIS_LOWER_H
#define TAMIS_LOWER_H
#include "engine.h"

typedef struct tm_op {
    uint8_t cls, imm, feature, width_log2, lanes, commutes, n_params, n_results;
    uint8_t params[4];
    uint8_t result;
    uint16_t inverse, swapped;
    uint16_t variants[V_COUNT];
} tm_op;
#include "generated/ops.inc"

enum { L_TEMP, L_LOCAL, L_CONST };
typedef struct tm_loc {
    uint32_t kind;
    uint32_t local;
    uint64_t constant;
} tm_loc;

#define NONE 0xFFFFFFFFu
#define MAX_PENDING 16

typedef struct tm_lower {
    word *code;
    uint32_t n, capacity;
    tm_loc *loc;
    uint32_t nl;                   /* cells of parameters and locals: where the temporaries begin */
    uint32_t pending[MAX_PENDING]; /* heights whose location is a local, ascending */
    uint32_t n_pending;
    uint32_t last;                 /* the instruction written last, NONE behind a label */
    uint32_t last_dest;            /* the slot it writes, NONE when that must not be changed */
    uint32_t last_op;              /* its row when it is a comparison in its plain form */
    uint32_t last_constant;        /* whether that one is of kind K */
    uint32_t low;                  /* lowest word written for the present instruction */
    uint32_t *map;                 /* byte offset per word, only for backtraces */
    uint32_t map_capacity;
    int out_of_memory;
} tm_lower;

static inline void lower_barrier(tm_lower *l) { l->last = l->last_dest = l->last_op = NONE; }

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
    l->code[at] = tm_handler_word(handler);
    l->code[at + 1] = (word)(uint16_t)a | (word)(uint16_t)b << 16 | (word)(uint16_t)c << 32 | (word)(uint16_t)d << 48;
    l->n = at + 2;
    l->last = at;
    l->last_dest = l->last_op = NONE;
    return at;
}

/* ---- operands ---- */
static inline void pending_cut(tm_lower *l, uint32_t height) {
    while (l->n_pending && l->pending[l->n_pending - 1] >= height) l->n_pending--;
}

static void materialise(tm_lower *l, uint32_t i) {
    tm_loc *at = &l->loc[i];
    if (at->kind == L_TEMP) return;
    if (at->kind == L_CONST) {
        emit(l, H_movk, l->nl + i, 0, 0, 0);
        emit_word(l, at->constant);
    } else {
        emit(l, H_mov, l->nl + i, at->local, 0, 0);
        for (uint32_t k = 0; k < l->n_pending; k++)
            if (l->pending[k] == i) {
                memmove(&l->pending[k], &l->pending[k + 1], (l->n_pending - k - 1) * sizeof l->pending[0]);
                l->n_pending--;
                break;
            }
    }
    at->kind = L_TEMP;
}

static void flush_pending(tm_lower *l) {
    while (l->n_pending) materialise(l, l->pending[l->n_pending - 1]);
}

static inline uint32_t slot(tm_lower *l, uint32_t i) {
    tm_loc *at = &l->loc[i];
    if (at->kind == L_LOCAL) return at->local;
    if (at->kind == L_CONST) materialise(l, i);
    return l->nl + i;
}

static inline void push_local(tm_lower *l, uint32_t i, uint32_t local) {
    if (l->n_pending == MAX_PENDING) materialise(l, l->pending[0]);
    l->loc[i].kind = L_LOCAL;
    l->loc[i].local = local;
    l->pending[l->n_pending++] = i;
}

static inline void push_constant(tm_lower *l, uint32_t i, uint64_t constant) {
    l->loc[i].kind = L_CONST;
    l->loc[i].constant = constant;
}

static inline void push_temp(tm_lower *l, uint32_t i) { l->loc[i].kind = L_TEMP; }

static inline void result(tm_lower *l, uint32_t i) {
    push_temp(l, i);
    l->last_dest = l->nl + i;
}

/* ---- plain instructions; operands stand from height i on ---- */
static void lower_unary(tm_lower *l, uint32_t op, uint32_t i) {
    const tm_op *row = &tm_ops[op];
    if (row->cls == CLS_EQZ && l->loc[i].kind == L_TEMP && l->last_dest == l->nl + i && l->last_op != NONE && op == OP_i32_eqz &&
        tm_ops[l->last_op].inverse != 0xFFFF) { /* not (a < b) is a >= b: the comparison is turned round where it stands */
        l->last_op = tm_ops[l->last_op].inverse;
        l->code[l->last] = tm_handler_word(tm_ops[l->last_op].variants[l->last_constant ? V_K : V_S]);
        return;
    }
    uint32_t a = slot(l, i);
    pending_cut(l, i);
    emit(l, row->variants[V_S], l->nl + i, a, 0, 0);
    result(l, i);
    if (row->cls == CLS_EQZ) { l->last_op = op; l->last_constant = 0; }
}

static void lower_binary(tm_lower *l, uint32_t op, uint32_t i) {
    uint32_t ia = i, ib = i + 1;
    if (l->loc[ia].kind == L_CONST && l->loc[ib].kind != L_CONST && (tm_ops[op].commutes || tm_ops[op].swapped != 0xFFFF)) {
        ia = i + 1;
        ib = i;
        if (!tm_ops[op].commutes) op = tm_ops[op].swapped;
    }
    const tm_op *row = &tm_ops[op];
    int constant = l->loc[ib].kind == L_CONST && row->variants[V_K];
    uint32_t a = slot(l, ia), b = constant ? 0 : slot(l, ib);
    uint64_t k = l->loc[ib].constant;
    pending_cut(l, i);
    emit(l, row->variants[constant ? V_K : V_S], l->nl + i, a, b, 0);
    if (constant) emit_word(l, k);
    result(l, i);
    if (row->cls == CLS_COMPARE) { l->last_op = op; l->last_constant = (uint32_t)constant; }
}

static void lower_load(tm_lower *l, uint32_t op, uint32_t i, uint64_t offset) {
    const tm_op *row = &tm_ops[op];
    if (l->loc[i].kind == L_CONST) {
        emit(l, row->variants[V_A], l->nl + i, 0, 0, 0);
        emit_word(l, offset + (uint32_t)l->loc[i].constant);
    } else {
        uint32_t a = slot(l, i);
        pending_cut(l, i);
        emit(l, row->variants[V_S], l->nl + i, a, 0, 0);
        emit_word(l, offset);
    }
    result(l, i);
}

static void lower_store(tm_lower *l, uint32_t op, uint32_t i, uint64_t offset) {
    const tm_op *row = &tm_ops[op];
    if (l->loc[i].kind == L_CONST) {
        uint32_t b = slot(l, i + 1);
        emit(l, row->variants[V_A], 0, b, 0, 0);
        emit_word(l, offset + (uint32_t)l->loc[i].constant);
    } else if (l->loc[i + 1].kind == L_CONST) {
        uint32_t a = slot(l, i);
        emit(l, row->variants[V_K], a, 0, 0, 0);
        emit_word(l, offset);
        emit_word(l, l->loc[i + 1].constant);
    } else {
        uint32_t a = slot(l, i), b = slot(l, i + 1);
        emit(l, row->variants[V_S], a, b, 0, 0);
        emit_word(l, offset);
    }
    pending_cut(l, i);
}

/* local.set x with the operand at height i, which is popped. */
static void lower_set(tm_lower *l, uint32_t i, uint32_t x) {
    pending_cut(l, i);
    int written = 0;
    for (uint32_t k = 0; k < l->n_pending;) { /* those who still wait for the old value */
        uint32_t waiting = l->pending[k];
        if (l->loc[waiting].local == x) { materialise(l, waiting); written = 1; } else k++;
    }
    tm_loc *at = &l->loc[i];
    if (at->kind == L_CONST) {
        emit(l, H_movk, x, 0, 0, 0);
        emit_word(l, at->constant);
    } else if (at->kind == L_LOCAL) {
        if (at->local != x) emit(l, H_mov, x, at->local, 0, 0);
    } else if (!written && l->last_dest == l->nl + i) { /* the instruction before writes the local itself */
        l->code[l->last + 1] = (l->code[l->last + 1] & ~(word)0xFFFF) | (uint16_t)x;
        l->last_dest = x;
    } else {
        emit(l, H_mov, x, l->nl + i, 0, 0);
    }
}

/* ---- branches ---- */

/* A condition taken off the stack: a comparison that was just written is taken back, to be fused with the branch. */
typedef struct tm_cond {
    uint32_t op; /* NONE: the slot is tested */
    uint32_t constant;
    word operands, k;
    uint32_t slot;
} tm_cond;

static tm_cond take_condition(tm_lower *l, uint32_t i) {
    tm_cond c = {NONE, 0, 0, 0, 0};
    if (l->loc[i].kind == L_TEMP && l->last_op != NONE && l->last_dest == l->nl + i) {
        c.op = l->last_op;
        c.constant = l->last_constant;
        c.operands = l->code[l->last + 1];
        if (c.constant) c.k = l->code[l->last + 2];
        l->n = l->last;
        if (l->n < l->low) l->low = l->n;
        lower_barrier(l);
    } else {
        c.slot = slot(l, i);
    }
    pending_cut(l, i);
    return c;
}

/* Writes the branch; gives the place of its offset word. `back`: to a loop, with a tick. */
static uint32_t emit_condition(tm_lower *l, const tm_cond *c, int back, int negate) {
    if (c->op == NONE) {
        emit(l, negate ? (back ? H_br_ifnot_B : H_br_ifnot_F) : (back ? H_br_if_B : H_br_if_F), 0, c->slot, 0, 0);
    } else if (c->op == OP_i32_eqz || c->op == OP_i64_eqz) {
        static const uint16_t zero[2][2][2] = {
            {{H_br_ifnot_F, H_br_ifnot_B}, {H_br_if_F, H_br_if_B}},
            {{H_br_eqz64_F, H_br_eqz64_B}, {H_br_nez64_F, H_br_nez64_B}},
        };
        emit(l, zero[c->op == OP_i64_eqz][negate][back], 0, (c->operands >> 16) & 0xFFFF, 0, 0);
    } else {
        uint32_t op = c->op, variant = back ? (c->constant ? V_BK : V_BS) : (c->constant ? V_FK : V_FS);
        if (negate) {
            if (tm_ops[op].inverse != 0xFFFF) op = tm_ops[op].inverse;
            else variant = back ? (c->constant ? V_NBK : V_NBS) : (c->constant ? V_NFK : V_NFS);
        }
        emit(l, tm_ops[op].variants[variant], 0, (c->operands >> 16) & 0xFFFF, (c->operands >> 32) & 0xFFFF, 0);
    }
    uint32_t at = l->n;
    emit_word(l, 0);
    if (c->op != NONE && c->constant) emit_word(l, c->k);
    return at;
}

/* Label values: `n` operands from height `from` go to the temporaries from height `to` on. Locations stay as they are. */
static int moves_needed(const tm_lower *l, uint32_t from, uint32_t n, uint32_t to) {
    for (uint32_t k = 0; k < n; k++)
        if (l->loc[from + k].kind != L_TEMP || from != to) return 1;
    return 0;
}

static void emit_moves(tm_lower *l, uint32_t from, uint32_t n, uint32_t to) {
    for (uint32_t k = 0; k < n; k++) { /* upwards: a temporary is never written before it was read, since to <= from */
        const tm_loc *at = &l->loc[from + k];
        if (at->kind == L_CONST) {
            emit(l, H_movk, l->nl + to + k, 0, 0, 0);
            emit_word(l, at->constant);
        } else if (at->kind == L_LOCAL) {
            emit(l, H_mov, l->nl + to + k, at->local, 0, 0);
        } else if (from != to) {
            emit(l, H_mov, l->nl + to + k, l->nl + from + k, 0, 0);
        }
    }
}

static void emit_return(tm_lower *l, uint32_t from, uint32_t n) {
    if (n == 0) {
        emit(l, H_ret0, 0, 0, 0, 0);
    } else if (n == 1 && l->loc[from].kind == L_CONST) {
        emit(l, H_retk, 0, 0, 0, 0);
        emit_word(l, l->loc[from].constant);
    } else if (n == 1) {
        emit(l, H_ret1, slot(l, from), 0, 0, 0);
    } else {
        for (uint32_t k = 0; k < n; k++) materialise(l, from + k);
        emit(l, H_retn, l->nl + from, n, 0, 0);
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

static void emit_service(tm_lower *l, uint32_t service, uint32_t i, uint32_t n, uint64_t imm1, uint64_t imm2) {
    for (uint32_t k = 0; k < n; k++) materialise(l, i + k);
    pending_cut(l, i);
    emit(l, H_service, l->nl + i, 0, 0, 0);
    emit_word(l, service);
    emit_word(l, imm1);
    emit_word(l, imm2);
}
#endif
