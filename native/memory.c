/* Linear memory: a stretch of bytes, reserved ahead of use where the machine allows, so that growing does not move it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif
#include "dispatch.h"
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

/* calloc would take what was freed before from its own lists, and clear it. A sanitizer wants its own. */
#if defined(HAVE_MMAP) && !defined(SANITIZED)
void *tm_zeros_new(uint64_t size) {
    void *p = size > SIZE_MAX ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}
void tm_zeros_free(void *p, uint64_t size) { if (p) munmap(p, (size_t)size); }
#else
void *tm_zeros_new(uint64_t size) { return size > SIZE_MAX ? NULL : calloc(1, (size_t)size); }
void tm_zeros_free(void *p, uint64_t size) { free(p); }
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

/* ---- images: contents that many memories begin with, copied page by page when one writes ---- */

#if defined(__linux__) && defined(MFD_CLOEXEC)
#include <fcntl.h>
#include <unistd.h>

static int is_zero(const uint8_t *p, size_t n) {
    const uint64_t *w = (const uint64_t *)(const void *)p;
    for (size_t k = 0; k < n / 8; k++) if (w[k]) return 0;
    return 1;
}

int tm_image_save(const tm_memory *m, uint64_t *used) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    uint64_t end = 0;
    if (ftruncate(fd, (off_t)m->length)) { close(fd); return -1; }
    for (uint64_t at = 0; at < m->length; at += page) { /* pages of zeros are holes */
        size_t n = m->length - at < page ? (size_t)(m->length - at) : page;
        if (n == page && is_zero(m->base + at, n)) continue;
        if (pwrite(fd, m->base + at, n, (off_t)at) != (ssize_t)n) { close(fd); return -1; }
        end = at + page;
    }
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    *used = end;
    return fd;
}

tm_memory *tm_image_map(int fd, uint64_t used, uint64_t length, uint64_t reserve) {
    tm_memory *m = tm_memory_new(length, reserve > length ? reserve : length);
    if (!m) return NULL;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    if (used > (length + page - 1) / page * page) used = (length + page - 1) / page * page;
    if (used && (!m->reserved || mmap(m->base, (size_t)used, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)) {
        tm_memory_free(m);
        return NULL;
    }
    return m;
}
#else
int tm_image_save(const tm_memory *m, uint64_t *used) { return -1; }
tm_memory *tm_image_map(int fd, uint64_t used, uint64_t length, uint64_t reserve) { return NULL; }
#endif
