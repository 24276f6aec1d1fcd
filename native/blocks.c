/* Memory for objects: see blocks.h. */
#include "blocks.h"

/* A sanitizer sees what is done to a block of malloc; aligned pages need POSIX. Then no block is on a page. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NO_PAGES 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || !(defined(__unix__) || defined(__APPLE__))
#define NO_PAGES 1
#endif

/* A page is a little shorter than its alignment: malloc's own word before the next one then fits between the two. */
enum { PAGE_BYTES = PAGE_SIZE - 64, PAGE_HEAD = (sizeof(tm_page) + BLOCK_STEP - 1) / BLOCK_STEP * BLOCK_STEP };

static tm_page *page_of(void *block) { return (tm_page *)((uintptr_t)block & ~(uintptr_t)(PAGE_SIZE - 1)); }

#if defined(NO_PAGES)
int block_is_alone(uint64_t bytes) { (void)bytes; return 1; }
static tm_page *page_new(void) { return NULL; }
#else
int block_is_alone(uint64_t bytes) { return bytes > BLOCK_SMALL; }
static tm_page *page_new(void) {
    void *p;
    return posix_memalign(&p, PAGE_SIZE, PAGE_BYTES) ? NULL : p;
}
#endif

static uint64_t page_blocks(uint64_t size_class) { return (PAGE_BYTES - PAGE_HEAD) / (size_class * BLOCK_STEP); }

/* Makes a page with free blocks the one in use. */
static int next_page(tm_blocks *b, uint64_t size_class, uint64_t limit) {
    tm_page *page = b->open[size_class];
    if (page) {
        b->open[size_class] = page->next_open;
    } else {
        if (b->held + PAGE_SIZE > limit || !(page = page_new())) return -1;
        b->held += PAGE_SIZE;
        page->next = b->all[size_class];
        b->all[size_class] = page;
        page->free = NULL;
        uint64_t size = size_class * BLOCK_STEP;
        for (uint64_t k = page_blocks(size_class); k-- > 0;) { /* downwards, so that the list goes up */
            tm_block *block = (tm_block *)((uint8_t *)page + PAGE_HEAD + k * size);
            block->next = page->free;
            page->free = block;
        }
    }
    b->current[size_class] = page;
    b->free[size_class] = page->free;
    page->free = NULL;
    page->used = page_blocks(size_class);
    return 0;
}

void *block_new(tm_blocks *b, uint64_t bytes, uint64_t limit) {
    if (block_is_alone(bytes)) return bytes <= SIZE_MAX ? malloc((size_t)bytes) : NULL;
    uint64_t size_class = block_class(bytes);
    if (!b->free[size_class] && next_page(b, size_class, limit)) return NULL;
    tm_block *block = b->free[size_class];
    b->free[size_class] = block->next;
    return block;
}

void blocks_begin(tm_blocks *b) {
    for (uint64_t c = 1; c < BLOCK_CLASSES; c++) {
        tm_page *page = b->current[c];
        if (!page) continue;
        page->free = b->free[c];
        for (tm_block *block = page->free; block; block = block->next) page->used--;
        b->current[c] = NULL;
        b->free[c] = NULL;
    }
}

void block_free(void *p, uint64_t bytes) {
    if (block_is_alone(bytes)) { free(p); return; }
    tm_page *page = page_of(p);
    tm_block *block = p;
    block->next = page->free;
    page->free = block;
    page->used--;
}

void blocks_end(tm_blocks *b) {
    for (uint64_t c = 1; c < BLOCK_CLASSES; c++) {
        tm_page **link = &b->all[c];
        b->open[c] = NULL;
        for (tm_page *page; (page = *link) != NULL;) {
            if (page->used == 0) {
                *link = page->next;
                b->held -= PAGE_SIZE;
                free(page);
                continue;
            }
            if (page->free) { page->next_open = b->open[c]; b->open[c] = page; }
            link = &page->next;
        }
    }
}

void blocks_clear(tm_blocks *b) {
    for (uint64_t c = 0; c < BLOCK_CLASSES; c++)
        for (tm_page *page = b->all[c], *next; page; page = next) {
            next = page->next;
            free(page);
        }
}
