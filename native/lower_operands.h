/* Operands: from where they wait to where a handler wants them. Part of lower.h. */
#ifndef TAMIS_LOWER_OPERANDS_H
#define TAMIS_LOWER_OPERANDS_H
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
#endif
