/* The last step of lowering: numbers of handlers become the words that stand for them, targets of branches become addresses,
   and instructions that follow each other are run by one handler where fuse.py made one.

   The words of the later instructions stay as they are, their own handlers too: a branch may lead to them, and a run that
   left the loop at one of them goes on there. So nothing else has to know of fused handlers. */
#include "engine.h"
#include "generated/fuse.inc"

enum { LENGTH = 0x3F, TARGET = 0x40 /* the third word is one */, NO_LENGTH = 0 /* a table of branches */ };

static uint32_t length_of(const word *code) {
    uint32_t length = lengths[code[0]] & LENGTH;
    return length == NO_LENGTH ? 4 + (uint32_t)code[2] : length;
}

/* The handler that runs `first` and then `second`; 0 if there is none. */
static uint32_t fused(uint32_t first, uint32_t second) {
    uint32_t key = first << 16 | second;
    for (uint32_t k = FUSED_HASH(key);; k++) {
        k &= FUSED_ROOM - 1;
        if (fused_keys[k] == key) return fused_handlers[k];
        if (fused_keys[k] == 0) return 0;
    }
}

static void target(const word *code, word *at) { *at = (word)(uintptr_t)(at + (int64_t)*at); }

/* Finishes n words of slot code where they will run. 0, or -1 when the machine gives no memory. */
int tm_fuse(word *code, uint32_t n) {
    uint32_t room = n / 2 + 2, count = 0;
    uint32_t *start = malloc(room * sizeof *start), *cost = malloc(room * sizeof *cost);
    uint16_t *handler = calloc(room, sizeof *handler);
    int failed = !start || !cost || !handler;
    for (uint32_t at = 0; !failed && at < n; count++) {
        start[count] = at;
        handler[count] = (uint16_t)code[at];
        at += length_of(code + at);
    }
#ifdef TAMIS_COUNT
    if (!failed) tm_count_standing(handler, count);
#endif
    /* from the end on: the fewest handlers from each instruction to the end, branches not taken */
    if (!failed) cost[count] = 0;
    for (uint32_t k = count; !failed && k-- > 0;) {
        word *at = code + start[k];
        uint32_t best = handler[k], next = k + 1, other = best;
        uint8_t shape = lengths[best];
        if (shape & TARGET) target(code, at + 2);
        if ((shape & LENGTH) == NO_LENGTH)
            for (uint64_t i = 0, last = at[2]; i <= last; i++) target(code, at + 3 + i);
        for (uint32_t following = k + 1; following < count; following++) {
            other = fused(other, handler[following]);
            if (!other) break;
            if (cost[following + 1] <= cost[next]) { best = other; next = following + 1; }
        }
        cost[k] = cost[next] + 1;
        at[0] = tm_handler_word(best);
    }
    free(start);
    free(cost);
    free(handler);
    return failed ? -1 : 0;
}
