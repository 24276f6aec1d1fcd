/* Beginning and ending an activation: a few words to write down, so few that the way in from Python has them inline. */
#ifndef TAMIS_ACTIVATION_H
#define TAMIS_ACTIVATION_H
#include "engine.h"

enum { MAX_ACTIVATIONS = 256 }; /* the store's own limit, nested_activations, is lower */

/* Where the arguments of the next activation go: the first free cell. */
static inline word *tm_top(const tm_thread *t) {
    const tm_frame *fp = t->fp;
    return fp->func ? t->sp + fp->func->cells : t->sp;
}

/* What is suspended here goes on with its registers; below the first activation nothing is. */
static inline void tm_keep_registers(tm_thread *t) {
    if (likely(t->active == 0)) return;
    tm_registers *saved = &t->saved[t->active];
    memcpy(saved->r, t->r, sizeof t->r);
    memcpy(saved->f, t->f, sizeof t->f);
    saved->tail = t->tail;
}

static inline void tm_give_registers_back(tm_thread *t) {
    if (likely(t->active == 0)) {
        memset(t->r, 0, sizeof t->r); /* no reference outlives its activation in them */
        t->tail = 0;
        return;
    }
    const tm_registers *saved = &t->saved[t->active];
    memcpy(t->r, saved->r, sizeof t->r);
    memcpy(t->f, saved->f, sizeof t->f);
    t->tail = saved->tail;
}

/* Begins an activation whose arguments are at `top`, which is tm_top. There must be fewer than MAX_ACTIVATIONS. */
static inline void tm_begin(tm_thread *t, const tm_funcinst *f, word *top) {
    tm_frame *fp = t->fp;
    tm_keep_registers(t);
    t->active++;
    fp->ip = t->ip;
    fp->sp = t->sp;
    fp[1].func = f->func;
    fp[1].instance = f->instance;
    fp[1].cells = fp->cells;
    fp[1].ip = NULL;
    t->fp = fp + 1;
    t->fp_limit++; /* the frame that marks the entry is none of the guest's */
    t->sp = top;
    t->ip = tm_entry;
    t->instance = f->instance;
}

/* Ends the innermost activation, whose entry is marked by this frame. */
static inline void tm_end(tm_thread *t, tm_frame *entry) {
    tm_frame *fp = entry - 1;
    t->fp = fp;
    t->fp_limit--;
    t->active--;
    tm_give_registers_back(t);
    t->ip = fp->ip;
    t->sp = fp->sp;
    t->instance = fp->instance;
}
#endif
