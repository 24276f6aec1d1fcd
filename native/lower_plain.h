/* Numbers, vectors, memory: instructions of one handler. Operands stand from height i on. Part of lower.h. */
#ifndef TAMIS_LOWER_PLAIN_H
#define TAMIS_LOWER_PLAIN_H
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
#endif
