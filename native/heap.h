/* Objects of garbage collection: what the handlers and heap.c share. */
#ifndef TAMIS_HEAP_H
#define TAMIS_HEAP_H
#include "blocks.h"

#define TM_OBJECT (1ull << 62)
#define TM_I31 (1ull << 63)

/* A free place holds the number of the next one in the chain, with the lowest bit set, which no address has. */
static inline int tm_is_free(const tm_object *place) { return (uintptr_t)place & 1; }

/* The bytes of an object's contents. Asks no layout: those may be gone when the heap is freed. */
static inline uint64_t tm_contents_bytes(uint32_t shape, uint64_t length) {
    return length * (shape < TM_SHAPE_STRUCTURE ? shape : 8);
}

/* The object behind raw bits; NULL for null, for an i31, for an object of the embedder, and for a reference that is stale. */
static inline tm_object *tm_object_of(const tm_heap *heap, uint64_t bits) {
    uint64_t index = bits ^ TM_OBJECT;
    if (unlikely(index >= heap->capacity)) return NULL;
    tm_object *found = heap->objects[index];
    return unlikely(tm_is_free(found)) ? NULL : found;
}

/* Gives a fresh block the lowest free place, of which there is one. The contents are still to be written. */
static inline void tm_enter_object(tm_heap *heap, tm_object *made, const tm_layout *layout, uint32_t length, uint64_t bytes) {
    made->layout = layout;
    made->length = length;
    made->shape = layout->shape;
    uint64_t index = heap->free;
    heap->free = (uintptr_t)heap->objects[index] >> 1;
    heap->objects[index] = made;
    heap->count++;
    heap->bytes += bytes;
}

/* An object of undefined contents at the lowest free place; its index, -1 or -2 as from tm_heap_add. */
int64_t tm_heap_make(tm_heap *heap, const tm_layout *layout, uint32_t length);
#endif
