/* The fuzz target of the C front end: one body of a described module is replaced by hostile bytes, validated, and if it is
   valid lowered and run, in slices of two sizes, which must come to the same.

   Input: the world (2 bytes), the function, the options, the body. */
#include "target.h"

static tm_worlds worlds;

int target_open(const char *path) { return worlds_open(&worlds, path); }
void target_close(void) { worlds_close(&worlds); }
const tm_worlds *target_worlds(void) { return &worlds; }

static void run_twice(tm_code *code, uint32_t own, uint64_t seed, uint64_t slice) {
    tm_run first = {.slice = 1 << 20, .seed = seed}, second = {.slice = slice, .seed = seed};
    if (world_run(code, own, &first) || world_run(code, own, &second)) return;
    if (first.exit != second.exit || first.ticks != second.ticks || first.hash != second.hash)
        broken("another end, because it was interrupted");
}

static int is_body_error(const tm_error *error, uint64_t size) {
    return error->id >= 0 && (uint32_t)error->id < BODY_ERROR_COUNT && error->offset <= size;
}

/* Validates and, if `own` is valid, runs it. */
int target_code(const tm_env *env, uint32_t own, uint64_t seed, uint64_t slice) {
    tm_code *code = tm_code_new(env);
    uint32_t n_own = env->n_funcs - env->n_imported, *cells = calloc(n_own + 1u, sizeof *cells);
    if (!code || !cells) broken("no memory");
    uint64_t used;
    tm_error error;
    int failed = tm_code_validate(code, cells, &used, &error);
    if (failed) {
        if (error.id != -2 && !is_body_error(&error, env->size)) broken("an error that is none");
    } else {
        if (used & ~env->features) broken("a feature used that is off");
        if (cells[own] > code->env.max_frame_cells) broken("a frame over the limit");
        /* what was found valid can be lowered */
        if (tm_code_lower(code, own)) broken("a valid body that cannot be lowered");
        run_twice(code, own, seed, slice);
    }
    tm_code_free(code);
    free(cells);
    return failed;
}

static void scan_as_data(const uint8_t *body, size_t size) {
    enum { MOST = 40 };
    uint32_t heads[MOST + 1], starts[MOST], addresses[MOST];
    tm_memory *memory = tm_memory_new(300, 0);
    if (!memory) return;
    uint64_t n = tm_scan_datas(body, 0, size, MOST, heads, starts, addresses);
    if (tm_write_datas(memory, body, heads, starts, addresses, n) > n) broken("more segments written than there are");
    tm_memory_free(memory);
}

int target_one(const uint8_t *data, size_t size) {
    if (size < HEAD || !worlds.count || size > 1 << 16) return -1;
    const tm_env *world = &worlds.envs[(data[0] | (uint32_t)data[1] << 8) % worlds.count];
    uint32_t own = data[2] % (world->n_funcs - world->n_imported), n = world->n_funcs - world->n_imported;
    uint64_t options = data[3];
    scan_as_data(data + HEAD, size - HEAD);
    /* the body stands at the end of an allocation of exact size: one byte too far is seen */
    uint8_t *bytes = malloc(world->size + size - HEAD);
    uint32_t *places = malloc(2u * n * sizeof *places);
    if (!bytes || !places) broken("no memory");
    memcpy(bytes, world->bytes, world->size);
    memcpy(bytes + world->size, data + HEAD, size - HEAD);
    memcpy(places, world->code_offset, n * sizeof *places);
    memcpy(places + n, world->code_length, n * sizeof *places);
    places[own] = (uint32_t)world->size;
    places[n + own] = (uint32_t)(size - HEAD);
    tm_env env = *world;
    env.bytes = bytes;
    env.size += size - HEAD;
    env.code_offset = places;
    env.code_length = places + n;
    if (options & 0x80) env.features &= 0x3FF; /* some are off */
    if (options & 0x40) { env.max_locals = 20; env.max_nesting = 5; env.max_br_table = env.max_catches = 3; env.max_frame_cells = 20; }
    target_code(&env, own, options, (uint64_t[]){1, 2, 7, 100}[options & 3]);
    free(places);
    free(bytes);
    return 0;
}
