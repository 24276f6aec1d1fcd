/* Exceptions on their way: from the throw outwards through the frames of an activation, to the clause that takes them.
   What was thrown is the number of a tag in the store, since tags are compared by identity and not by their place in a
   module, and the cells of the values, wherever they stand. */
#include "engine.h"

/* The innermost region around a place, or NO_REGION. */
static uint32_t region_of(const tm_handlers *h, uint32_t place) {
    uint32_t low = 0, high = h->n_regions; /* the last one that begins at the place or before it */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (h->regions[middle].start <= place) low = middle + 1;
        else high = middle;
    }
    uint32_t found = low ? low - 1 : NO_REGION;
    while (found != NO_REGION && h->regions[found].end <= place) found = h->regions[found].outer;
    return found;
}

/* The clause of a frame that takes the exception, or NULL. */
static const tm_clause *find_clause(const tm_frame *frame, uint32_t place, uint32_t thrown) {
    const tm_handlers *h = frame->func->handlers;
    if (!h) return NULL;
    for (uint32_t r = region_of(h, place); r != NO_REGION; r = h->regions[r].next) {
        for (uint32_t k = h->regions[r].first; k != NO_CLAUSE; k = h->clauses[k].next) {
            const tm_clause *clause = &h->clauses[k];
            if (clause->tag == ANY_TAG || frame->instance->tags[clause->tag] == thrown) return clause;
        }
    }
    return NULL;
}

int tm_thread_throw(tm_thread *t, int after) {
    const word *entered = tm_entry + 1;
    for (tm_frame *frame = t->fp; frame->func && (frame == t->fp || frame->ip != entered); frame--) {
        if (frame == t->fp && after && t->tail) continue;
        const word *ip = frame == t->fp ? t->ip - after : frame->ip - 1; /* as in tm_thread_where */
        const tm_clause *clause = find_clause(frame, (uint32_t)(ip - frame->func->code), t->thrown);
        if (!clause) continue;
        if (clause->loop && t->left < 1) { t->need = 1; return TM_EXIT_SLICE; }
        t->catcher = frame;
        t->clause = (uint32_t)(clause - frame->func->handlers->clauses);
        if (clause->reference != NO_SLOT) return TM_EXIT_CAUGHT;
        tm_thread_land(t, 0);
        return TM_EXIT_LANDED;
    }
    return TM_EXIT_UNCAUGHT;
}

/* The frames above the catcher are over. Pinned locals were in their slots across whatever could throw: they come back. */
void tm_thread_land(tm_thread *t, uint64_t reference) {
    tm_frame *frame = t->catcher;
    const tm_handlers *h = frame->func->handlers;
    const tm_clause *clause = &h->clauses[t->clause];
    if (frame != t->fp) t->sp = frame->sp;
    t->fp = frame;
    t->instance = frame->instance;
    t->ip = frame->func->code + clause->target;
    t->left -= clause->loop;
    if (clause->tag != ANY_TAG) memmove(t->sp + clause->values, t->args, t->thrown_cells * sizeof(word));
    if (clause->reference != NO_SLOT) t->sp[clause->reference] = reference;
    for (int r = 0; r < 4; r++) {
        if (h->pinned[r] != NO_SLOT) t->r[r] = t->sp[h->pinned[r]];
        if (h->pinned[4 + r] != NO_SLOT) memcpy(&t->f[r], &t->sp[h->pinned[4 + r]], sizeof(double));
    }
}
