/* Threads: one value stack and one stack of frames for a store, and the activations nested on them. */
#include "activation.h"
#include "fence.h"
#include "types.h"

word tm_entry[2];

static tm_memory no_memory;

tm_thread *tm_thread_new(uint64_t stack_cells, uint64_t depth) {
    tm_thread *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    tm_entry[0] = tm_handler_word(H_enter); /* the same for every thread */
    tm_entry[1] = tm_handler_word(H_halt);
    t->stack_cells = stack_cells + SLACK;
    t->stack = tm_zeros_new(t->stack_cells * sizeof(word));
    t->frame_count = depth + 2 + MAX_ACTIVATIONS;
    t->frames = tm_zeros_new(t->frame_count * sizeof(tm_frame));
    t->saved = calloc(MAX_ACTIVATIONS, sizeof *t->saved);
    if (!t->stack || !t->frames || !t->saved) { tm_thread_free(t); return NULL; }
    t->cells_limit = stack_cells;
    t->fence = t->stack + t->stack_cells;
    t->fp = t->frames; /* a frame of nobody: where the first activation stands */
    t->sp = t->stack;
    t->fp->sp = t->stack;
    t->fp_limit = t->frames + depth + 1;
    tm_fence_left(t);
    return t;
}

void tm_thread_free(tm_thread *t) {
    if (!t) return;
    for (uint64_t k = 0; k < t->n_owned; k++) free(t->owned[k]);
    free(t->owned);
    free(t->funcs);
    if (t->fence) FENCE(t, t->stack + t->stack_cells);
    tm_zeros_free(t->stack, t->stack_cells * sizeof(word));
    tm_zeros_free(t->frames, t->frame_count * sizeof(tm_frame));
    free(t->saved);
    free(t);
}

static int room_for(tm_thread *t, uint64_t count) {
    if (count <= t->n_funcs) return 0;
    tm_funcinst **funcs = realloc(t->funcs, (size_t)count * sizeof *funcs);
    if (!funcs) return -1;
    memset(funcs + t->n_funcs, 0, (size_t)(count - t->n_funcs) * sizeof *funcs);
    t->funcs = funcs;
    t->n_funcs = count;
    return 0;
}

/* Records of functions belong to the thread: the store's functions live as long as it does. */
static tm_funcinst *records(tm_thread *t, uint64_t count) {
    tm_funcinst **owned = realloc(t->owned, (size_t)(t->n_owned + 1) * sizeof *owned);
    if (!owned) return NULL;
    t->owned = owned;
    tm_funcinst *made = calloc(count ? (size_t)count : 1, sizeof *made);
    if (made) owned[t->n_owned++] = made;
    return made;
}

int tm_thread_link(tm_thread *t, tm_instance *instance) {
    tm_code *code = instance->code;
    if (room_for(t, (uint64_t)instance->first_addr + code->n_own)) return -1;
    tm_funcinst *own = records(t, code->n_own);
    if (!own) return -1;
    for (uint32_t k = 0; k < code->n_own; k++) {
        tm_funcinst *f = &own[k];
        f->func = &code->funcs[k];
        f->instance = instance;
        f->line = line_of(&code->env, code->env.func_types[code->env.n_imported + k]);
        f->type_id = f->line[1 + f->line[0]];
        f->addr = instance->first_addr + k;
        t->funcs[f->addr] = f;
    }
    if (!instance->memory) instance->memory = &no_memory;
    return 0;
}

int tm_thread_add_host(tm_thread *t, uint64_t addr, const uint32_t *line) {
    if (room_for(t, addr + 1)) return -1;
    tm_funcinst *f = records(t, 1);
    if (!f) return -1;
    f->line = line;
    f->type_id = line[1 + line[0]];
    f->addr = (uint32_t)addr;
    t->funcs[addr] = f;
    return 0;
}

uint64_t *tm_thread_top(tm_thread *t) { return tm_top(t); }

int tm_thread_enter(tm_thread *t, uint64_t addr) {
    if (t->active >= MAX_ACTIVATIONS) return -1;
    tm_begin(t, t->funcs[addr], tm_top(t));
    tm_fence_left(t);
    return 0;
}

/* The frame that marks the entry of the innermost activation: its code is the entry's. */
static tm_frame *entry_frame(tm_thread *t) {
    if (t->ip == tm_entry || t->ip == tm_entry + 1) return t->fp;
    tm_frame *fp = t->fp - 1;
    while (fp > t->frames && fp->ip != tm_entry + 1) fp--;
    return fp;
}

void tm_thread_leave_to(tm_thread *t, uint64_t n) { while (t->active > n) tm_end(t, entry_frame(t)); }

uint64_t *tm_thread_roots(tm_thread *t, uint64_t *n) {
    word *end = tm_thread_top(t); /* nothing stands above while guest code is left for its heap */
    memcpy(end, t->r, sizeof t->r);
    end += 4;
    for (uint64_t k = t->active; k-- > 0; end += 4) memcpy(end, t->saved[k].r, sizeof t->saved[k].r);
    *n = (uint64_t)(end - t->stack);
    return t->stack;
}

uint64_t tm_thread_depth(tm_thread *t) { return (uint64_t)(t->fp - entry_frame(t)); }

void tm_thread_where(tm_thread *t, uint64_t n, int after, uint32_t *number, uint32_t *own_index, uint64_t *at) {
    tm_frame *fp = t->fp - n;
    const word *ip = n ? fp->ip - 1 : t->ip - after; /* a caller's place is the call, the word before where it goes on */
    *number = fp->instance->number;
    *own_index = fp->func->own_index;
    *at = fp->func->words ? (uint64_t)(ip - fp->func->code) : 0;
}
