/* A module's functions: validated together, lowered one by one at their first call, shared by all instances. */
#include "engine.h"
#include "reader.h"
#include "types.h"
#include "walk.h"

static const word *lower_stub(void) {
    static word stub;
    stub = tm_handler_word(H_lower);
    return &stub;
}

tm_code *tm_code_new(const tm_env *env) {
    tm_code *code = calloc(1, sizeof *code);
    if (!code) return NULL;
    code->env = *env;
    if (code->env.max_frame_cells > 60000) code->env.max_frame_cells = 60000; /* slots have 16 bits */
    code->n_own = env->n_funcs - env->n_imported;
    code->funcs = calloc(code->n_own ? code->n_own : 1, sizeof *code->funcs);
    if (!code->funcs) { free(code); return NULL; }
    for (uint32_t k = 0; k < code->n_own; k++) {
        code->funcs[k].code = lower_stub();
        code->funcs[k].own_index = k;
        code->funcs[k].owner = code;
    }
    return code;
}

/* How many locals a valid body declares, for the ticks of entering it. */
static uint64_t declared_locals(const tm_env *env, uint32_t own) {
    const uint8_t *p = env->bytes + env->code_offset[own], *end = p + env->code_length[own];
    uint32_t runs = 0;
    uint64_t total = 0;
    (void)read_u32(&p, end, &runs);
    for (uint32_t k = 0; k < runs; k++) {
        uint32_t count = 0;
        (void)read_u32(&p, end, &count);
        total += count;
        p = skip_value_type(p);
    }
    return total;
}

int tm_code_validate(tm_code *code, uint32_t *frame_cells, uint64_t *features, tm_error *error) {
    tm_walk *walk = tm_walk_new();
    int failed = 0;
    *features = 0;
    error->id = -1;
    if (!walk) { error->id = -2; return -1; }
    for (uint32_t k = 0; k < code->n_own && !failed; k++) {
        tm_walk_result out;
        failed = tm_walk_validate(walk, &code->env, k, &out, error);
        if (failed) break;
        frame_cells[k] = code->funcs[k].cells = out.frame_cells;
        code->funcs[k].caught = out.caught;
        code->funcs[k].ticks = 1 + (uint32_t)((declared_locals(&code->env, k) + 63) / 64);
        *features |= out.features;
    }
    tm_walk_free(walk);
    return failed;
}

static void lock(char *flag) { while (__atomic_test_and_set(flag, __ATOMIC_ACQUIRE)) { } }
static void unlock(char *flag) { __atomic_clear(flag, __ATOMIC_RELEASE); }

/* Keeps exactly the words that were written. */
static int keep(tm_code *code, tm_func *f, const tm_walk *walk) {
    uint32_t n;
    const word *lowered = tm_walk_code(walk, &n);
    word *exact = malloc((n ? n : 1) * sizeof(word));
    tm_handlers *handlers = NULL;
    if (!exact || tm_walk_handlers(walk, &handlers)) { free(exact); return -1; }
    memcpy(exact, lowered, n * sizeof(word));
    if (tm_fuse(exact, n)) { free(exact); free(handlers); return -1; }
    f->words = n;
    f->handlers = handlers;
    code->bytes += (uint64_t)n * sizeof(word) + (handlers ? handlers->bytes : 0);
    __atomic_store_n(&f->code, (const word *)exact, __ATOMIC_RELEASE);
    return 0;
}

int tm_code_lower(tm_code *code, uint32_t own) {
    tm_func *f = &code->funcs[own];
    int failed = 0;
    lock(&code->lock);
    if (f->words == 0) {
        tm_walk *walk = tm_walk_new();
        failed = !walk || tm_walk_lower(walk, &code->env, own, code->funcs, NULL, 0) || keep(code, f, walk);
        tm_walk_free(walk);
    }
    unlock(&code->lock);
    return failed ? -1 : 0;
}

void tm_code_offsets(tm_code *code, uint32_t own, uint64_t *places, uint64_t n) {
    tm_func *f = &code->funcs[own];
    uint32_t capacity = 2 * f->words + 1024, words = 0; /* words are taken back when a branch is fused */
    uint32_t *map = f->words ? calloc(capacity, sizeof *map) : NULL;
    tm_walk *walk = map ? tm_walk_new() : NULL;
    if (walk && !tm_walk_lower(walk, &code->env, own, code->funcs, map, capacity)) (void)tm_walk_code(walk, &words);
    for (uint64_t k = 0; k < n; k++) {
        uint32_t offset = places[k] < words ? map[places[k]] : 0;
        places[k] = offset ? offset : code->env.code_offset[own];
    }
    tm_walk_free(walk);
    free(map);
}

uint64_t tm_code_bytes(const tm_code *code) { return code->bytes; }

void tm_code_free(tm_code *code) {
    if (!code) return;
    for (uint32_t k = 0; k < code->n_own; k++)
        if (code->funcs[k].words) {
            free((void *)(uintptr_t)code->funcs[k].code);
            free((void *)(uintptr_t)code->funcs[k].handlers);
        }
    free(code->funcs);
    free(code);
}
