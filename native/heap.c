/* The heap of a store: blocks that never move, by index, marked and swept. Python decides when, and hands the roots in
   (interp/runtime/heap.py).

   A new object takes the lowest place that the last collection left free, then the places behind all others, exactly as
   the storage in Python does: references are the same numbers on every engine. */
#include "heap.h"

enum { FIRST_CAPACITY = 1024 };
#define MAX_CAPACITY 0xFFFFFFFFull /* an index has 32 bits where it waits to be looked through */

_Static_assert(sizeof(tm_object) == 16, "what an object costs besides its contents: HEADER_BYTES in runtime/objects.py");

static tm_object *chained(uint64_t next) { return (tm_object *)(uintptr_t)(next << 1 | 1); }

tm_heap *tm_heap_new(void) {
    tm_heap *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    h->blocks = calloc(1, sizeof *h->blocks);
    if (!h->blocks) { free(h); return NULL; }
    return h;
}

static uint64_t object_bytes(const tm_object *o) { return sizeof *o + tm_contents_bytes(o->shape, o->length); }

void tm_heap_free(tm_heap *h) {
    if (!h) return;
    for (uint64_t k = 0; k < h->capacity; k++) {
        tm_object *o = h->objects[k];
        if (!tm_is_free(o) && block_is_alone(object_bytes(o))) free(o);
    }
    blocks_clear(h->blocks);
    free(h->blocks);
    free(h->objects);
    free(h->marks);
    free(h->pending);
    free(h);
}

/* More places, chained in order. What a collection needs is got here, so that none can fail. */
static int grow(tm_heap *h) {
    uint64_t n = h->capacity ? h->capacity * 2 : FIRST_CAPACITY;
    if (n > MAX_CAPACITY) n = MAX_CAPACITY;
    if (n == h->capacity || n > SIZE_MAX / sizeof(tm_object *) / 2) return -1;
    tm_object **objects = realloc(h->objects, (size_t)n * sizeof *objects);
    if (!objects) return -1;
    h->objects = objects;
    uint32_t *pending = realloc(h->pending, (size_t)n * sizeof *pending);
    if (!pending) return -1;
    h->pending = pending;
    uint8_t *marks = realloc(h->marks, (size_t)n);
    if (!marks) return -1;
    h->marks = marks;
    memset(marks + h->capacity, 0, (size_t)(n - h->capacity));
    for (uint64_t k = h->capacity; k < n; k++) objects[k] = chained(k + 1);
    h->free = h->capacity;
    h->capacity = n;
    return 0;
}

int64_t tm_heap_make(tm_heap *h, const tm_layout *layout, uint32_t length) {
    if (unlikely(h->free == h->capacity) && grow(h)) return -1;
    uint64_t bytes = sizeof(tm_object) + tm_contents_bytes(layout->shape, length), index = h->free;
    tm_object *made = block_new(h->blocks, bytes, h->page_limit);
    if (!made) return !block_is_alone(bytes) && h->blocks->held + PAGE_SIZE > h->page_limit ? -2 : -1;
    tm_enter_object(h, made, layout, length, bytes);
    return (int64_t)index;
}

int64_t tm_heap_add(tm_heap *h, const tm_layout *layout, uint32_t length) {
    int64_t index = tm_heap_make(h, layout, length);
    if (index >= 0) memset(h->objects[index]->contents, 0, (size_t)tm_contents_bytes(layout->shape, length));
    return index;
}

uint64_t tm_heap_pages(const tm_heap *h) { return h->blocks->held; }

tm_object *tm_heap_at(const tm_heap *h, uint64_t index) {
    return index < h->capacity && !tm_is_free(h->objects[index]) ? h->objects[index] : NULL;
}

static inline void mark(tm_heap *h, uint64_t bits) {
    uint64_t index = bits ^ TM_OBJECT;
    if (index < h->capacity && !h->marks[index] && !tm_is_free(h->objects[index])) {
        h->marks[index] = 1;
        h->pending[h->n_pending++] = (uint32_t)index;
    }
}

void tm_heap_visit(tm_heap *h, const uint64_t *words, uint64_t n) {
    for (uint64_t k = 0; k < n; k++) mark(h, words[k]);
}

void tm_heap_sweep(tm_heap *h) {
    while (h->n_pending) {
        const tm_object *o = h->objects[h->pending[--h->n_pending]];
        const tm_layout *layout = o->layout;
        if (layout->shape >= TM_SHAPE_STRUCTURE) {
            for (uint32_t k = 0; k < layout->n_refs; k++) mark(h, o->contents[layout->refs[k]]);
        } else if (layout->n_refs) {
            tm_heap_visit(h, o->contents, o->length);
        }
    }
    blocks_begin(h->blocks);
    uint64_t next = h->capacity;
    for (uint64_t k = h->capacity; k-- > 0;) { /* downwards, so that the chain goes up */
        tm_object *o = h->objects[k];
        if (tm_is_free(o)) {
            h->objects[k] = chained(next);
        } else if (h->marks[k]) {
            h->marks[k] = 0;
            continue;
        } else {
            uint64_t bytes = object_bytes(o);
            h->count--;
            h->bytes -= bytes;
            block_free(o, bytes);
            h->objects[k] = chained(next);
        }
        next = k;
    }
    h->free = next;
    blocks_end(h->blocks);
}

static inline void mark_extern(uint8_t *marks, uint64_t n, uint64_t bits) {
    if (bits < n) marks[bits] = 1;
}

void tm_heap_mark_externs(const tm_heap *h, uint8_t *marks, uint64_t n) {
    for (uint64_t k = 0; k < h->capacity; k++) {
        const tm_object *o = h->objects[k];
        if (tm_is_free(o)) continue;
        const tm_layout *layout = o->layout;
        if (layout->shape >= TM_SHAPE_STRUCTURE) {
            for (uint32_t i = 0; i < layout->n_refs; i++) mark_extern(marks, n, o->contents[layout->refs[i]]);
        } else if (layout->n_refs) {
            for (uint32_t i = 0; i < o->length; i++) mark_extern(marks, n, o->contents[i]);
        }
    }
}
