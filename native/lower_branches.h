/* Branches, the values that they carry, and labels. Part of lower.h. */
#ifndef TAMIS_LOWER_BRANCHES_H
#define TAMIS_LOWER_BRANCHES_H
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

static void emit_jump(tm_lower *l, uint32_t *head, uint32_t loop_start) {
    emit(l, head ? H_br : H_br_loop, 0, 0, 0, 0);
    uint32_t at = l->n;
    emit_word(l, 0);
    if (head) chain(l, head, at);
    else l->code[at] = (word)((int64_t)loop_start - (int64_t)at);
    lower_barrier(l);
}
#endif
