/* The fence of the value stack, under AddressSanitizer and the switch only: while the loop runs, all cells behind the current
   frame are poisoned, so that a handler which reads or writes behind its frame is reported. Slots are never negative, so
   what stands below cannot be reached. While the loop is left, SLACK more cells are open. */
#ifndef TAMIS_FENCE_H
#define TAMIS_FENCE_H
#include "engine.h"

/* A host function's results and the arguments of an entry may stand above the last frame, and registers for the collector. */
enum { SLACK = 4096 };

#if defined(TAMIS_SWITCH) && defined(__SANITIZE_ADDRESS__)
#define TAMIS_FENCED 1
#elif defined(TAMIS_SWITCH) && defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TAMIS_FENCED 1
#endif
#endif

#ifdef TAMIS_FENCED
#include <sanitizer/asan_interface.h>

/* Moves the fence: one cell is one byte of AddressSanitizer's shadow. */
static inline void tm_fence(tm_thread *t, word *at) {
    word *end = t->stack + t->stack_cells;
    if (at > end) at = end;
    if (at > t->fence) __asan_unpoison_memory_region(t->fence, (size_t)(at - t->fence) * sizeof(word));
    else __asan_poison_memory_region(at, (size_t)(t->fence - at) * sizeof(word));
    t->fence = at;
}
#define FENCE(t_, at_) tm_fence(t_, at_)

static inline void tm_fence_left(tm_thread *t) { tm_fence(t, tm_thread_top(t) + SLACK); }

/* Before the loop goes on. What a host function that was tail-called gave is the caller's at once: it stands wherever its
   arguments stood, and there may be more of it than the frame has cells. */
static inline void tm_fence_entered(tm_thread *t) {
    if (t->tail) t->tail = 0; /* it is behind that call after this, and open until it returns */
    else tm_fence(t, tm_thread_top(t));
}
#else
#define FENCE(t_, at_) ((void)0)
static inline void tm_fence_left(tm_thread *t) { (void)t; }
static inline void tm_fence_entered(tm_thread *t) { (void)t; }
#endif
#endif
