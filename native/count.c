/* Counting which handlers run, or stand, one after the other: only in a build made with TAMIS_COUNT=1, which fuses nothing.
   benchmarks/pairs.py chooses from the figures what fuse.py makes handlers for. */
#include "engine.h"
#include "generated/fuse.inc"

#ifdef TAMIS_COUNT
enum { ROOM = 1 << 20, NOTHING = 0xFFFF };
typedef struct tm_run { uint16_t parts[4]; uint64_t count; } tm_run; /* three handlers in a row */
static tm_run *runs[2];                                             /* run, and standing in code */
static uint64_t words[H_COUNT];
static uint16_t numbers[ROOM];

static void add(int table, uint16_t a, uint16_t b, uint16_t c) {
    if (!runs[table] && !(runs[table] = calloc(ROOM, sizeof(tm_run)))) return;
    uint64_t key = (uint64_t)a << 32 | (uint64_t)b << 16 | c;
    for (uint64_t k = key * 0x9E3779B97F4A7C15u >> 44, tries = 0; tries < ROOM; k++, tries++) {
        tm_run *run = &runs[table][k & (ROOM - 1)];
        if (run->count == 0) { run->parts[0] = a; run->parts[1] = b; run->parts[2] = c; }
        if (run->parts[0] == a && run->parts[1] == b && run->parts[2] == c) { run->count++; return; }
    }
}

static uint64_t place_of(word handler) { return (handler * 0x9E3779B97F4A7C15u >> 44) & (ROOM - 1); }

/* The number of a handler by its word. */
static uint16_t number_of(word handler) {
    if (!words[0])
        for (uint32_t n = 0; n < H_COUNT; n++) {
            words[n] = tm_handler_word(n);
            uint64_t k = place_of(words[n]);
            while (numbers[k]) k = (k + 1) & (ROOM - 1);
            numbers[k] = (uint16_t)(n + 1);
        }
    uint64_t k = place_of(handler);
    while (numbers[k] && words[numbers[k] - 1] != handler) k = (k + 1) & (ROOM - 1);
    return numbers[k] ? numbers[k] - 1 : NOTHING;
}

void tm_count(const word *ip) {
    static const word *expected;
    static uint16_t before = NOTHING, last = NOTHING;
    uint16_t own = number_of(ip[0]);
    if (ip != expected) before = last = NOTHING;
    if (own != NOTHING) add(0, before, last, own);
    before = last;
    last = own;
    uint32_t length = own == NOTHING ? 0 : lengths[own] & 0x3F;
    expected = length ? ip + length : NULL;
}

void tm_count_standing(const uint16_t *handlers, uint32_t n) {
    for (uint32_t k = 0; k < n; k++) add(1, k > 1 ? handlers[k - 2] : NOTHING, k ? handlers[k - 1] : NOTHING, handlers[k]);
}

uint64_t tm_counted(int standing, uint16_t *parts, uint64_t *counts, uint64_t room) {
    uint64_t n = 0;
    for (uint64_t k = 0; runs[standing] && k < ROOM; k++) {
        tm_run *run = &runs[standing][k];
        if (run->count && n < room) {
            memcpy(parts + 3 * n, run->parts, 3 * sizeof *parts);
            counts[n++] = run->count;
        }
        run->count = 0;
    }
    return n;
}
#else
uint64_t tm_counted(int standing, uint16_t *parts, uint64_t *counts, uint64_t room) {
    (void)standing; (void)parts; (void)counts; (void)room; (void)lengths; (void)fused_keys; (void)fused_handlers; (void)fused_parts;
    return 0;
}
#endif
