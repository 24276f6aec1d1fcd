/* Locals, globals and choices between two values. Part of lower.h. */
#ifndef TAMIS_LOWER_VARIABLES_H
#define TAMIS_LOWER_VARIABLES_H
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
#endif
