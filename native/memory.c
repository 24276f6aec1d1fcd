/* Linear memory: a stretch of bytes, reserved ahead of use where the machine allows, so that growing does not move it. */
#include "engine.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#define HAVE_MMAP 1
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
#endif

tm_memory *tm_memory_new(uint64_t length, uint64_t reserve) {
    tm_memory *m = calloc(1, sizeof *m);
    if (!m) return NULL;
#ifdef HAVE_MMAP
    if (reserve) {
        if (reserve < length) reserve = length;
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        reserve = (reserve + page - 1) / page * page;
        void *p = reserve > SIZE_MAX ? MAP_FAILED
                                     : mmap(NULL, (size_t)reserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED) { free(m); return NULL; }
        m->base = p;
        m->reserved = reserve;
        if (length && mprotect(p, (size_t)length, PROT_READ | PROT_WRITE)) { munmap(p, (size_t)reserve); free(m); return NULL; }
        m->length = length;
        return m;
    }
#else
    if (reserve) { free(m); return NULL; }
#endif
    if (length > SIZE_MAX - 1) { free(m); return NULL; }
    m->base = calloc(1, length ? (size_t)length : 1); /* exact size: a sanitizer sees the first byte beyond */
    if (!m->base) { free(m); return NULL; }
    m->length = length;
    return m;
}

int tm_memory_grow(tm_memory *m, uint64_t new_length) {
    if (new_length < m->length) return -1;
#ifdef HAVE_MMAP
    if (m->reserved) {
        if (new_length > m->reserved) return -1;
        /* what is in use may end within a page of the machine, the whole of which is accessible */
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), from = (m->length + page - 1) / page * page;
        if (new_length > from && mprotect(m->base + from, (size_t)(new_length - from), PROT_READ | PROT_WRITE)) return -1;
        m->length = new_length;
        return 0;
    }
#endif
    if (new_length > SIZE_MAX - 1) return -1;
    uint8_t *p = calloc(1, new_length ? (size_t)new_length : 1);
    if (!p) return -1;
    if (m->length) memcpy(p, m->base, (size_t)m->length);
    free(m->base);
    m->base = p;
    m->length = new_length;
    return 0;
}

void tm_memory_free(tm_memory *m) {
    if (!m) return;
#ifdef HAVE_MMAP
    if (m->reserved) { munmap(m->base, (size_t)m->reserved); free(m); return; }
#endif
    free(m->base);
    free(m);
}
