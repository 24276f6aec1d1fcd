/* The walk over one body, and the room it works in, which is used again for the next one. */
#ifndef TAMIS_WALK_H
#define TAMIS_WALK_H
#include "engine.h"

typedef struct tm_walk tm_walk;

typedef struct tm_walk_result {
    uint32_t frame_cells, caught;
    uint64_t features;
} tm_walk_result;

tm_walk *tm_walk_new(void);
void tm_walk_free(tm_walk *walk);
/* 0, or -1 with the error filled in. */
int tm_walk_validate(tm_walk *walk, const tm_env *env, uint32_t own, tm_walk_result *result, tm_error *error);
/* Lowers a valid body. `map` is NULL, or gets the byte offset that each word of the code comes from. 0, or -1 when the machine
   gives no memory. The code belongs to the walk until its next use. */
int tm_walk_lower(tm_walk *walk, const tm_env *env, uint32_t own, tm_func *funcs, uint32_t *map, uint32_t map_capacity);
const word *tm_walk_code(const tm_walk *walk, uint32_t *words);
/* A copy of its table of try blocks, to be freed: NULL if there are none. 0, or -1 when the machine gives no memory. */
int tm_walk_handlers(const tm_walk *walk, tm_handlers **made);
#endif
