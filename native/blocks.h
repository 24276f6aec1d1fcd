/* Memory for objects: small blocks side by side on pages, each page of one size; large blocks from malloc.

   A page stands at a multiple of its size, so that a block leads to it. The free blocks of the page in use are a list of
   their own, from which the loop takes blocks without a call. */
#ifndef TAMIS_BLOCKS_H
#define TAMIS_BLOCKS_H
#include "engine.h"

enum {
    BLOCK_STEP = 16,
    BLOCK_SMALL = 512, /* the largest block on a page */
    BLOCK_CLASSES = BLOCK_SMALL / BLOCK_STEP + 1,
    PAGE_SIZE = 1 << 15
};

typedef struct tm_block {
    struct tm_block *next;
} tm_block;

typedef struct tm_page {
    struct tm_page *next, *next_open;
    tm_block *free;         /* while it is not the page in use */
    uint64_t used;          /* blocks that are not in that list */
} tm_page;

typedef struct tm_blocks {
    tm_block *free[BLOCK_CLASSES];  /* of the page in use, by size in steps */
    tm_page *current[BLOCK_CLASSES], *open[BLOCK_CLASSES], *all[BLOCK_CLASSES];
    uint64_t held;          /* bytes of pages */
} tm_blocks;

static inline uint64_t block_class(uint64_t bytes) { return (bytes + BLOCK_STEP - 1) / BLOCK_STEP; }

/* A block of undefined contents; NULL when the machine gives no memory, or when it takes a page that would pass the limit. */
void *block_new(tm_blocks *blocks, uint64_t bytes, uint64_t limit);
/* Whether a block of this size is malloc's own, to be freed one by one at the end. */
int block_is_alone(uint64_t bytes);
/* Blocks are freed between begin and end only, and none is made there. */
void blocks_begin(tm_blocks *blocks);
void block_free(void *block, uint64_t bytes);
void blocks_end(tm_blocks *blocks);
/* Frees all pages at once. */
void blocks_clear(tm_blocks *blocks);
#endif
