/* Calls, and services, which leave the loop. Part of lower.h. */
#ifndef TAMIS_LOWER_CALLS_H
#define TAMIS_LOWER_CALLS_H
/* The callee uses the same registers, so pinned locals go home before and come back after. */
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
#endif
