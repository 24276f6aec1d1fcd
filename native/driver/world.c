/* Reads descriptions; runs a function in a world of its own: exact memories, tables of functions, hosts that answer bits. */
#include "world.h"
#include "../types.h"

_Noreturn void broken(const char *what) {
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

/* ---- descriptions ---- */

static uint64_t number(const uint8_t **pp) {
    uint64_t value;
    memcpy(&value, *pp, sizeof value);
    *pp += 8;
    return value;
}

static const void *array(const uint8_t **pp) {
    uint64_t size = number(pp);
    const void *data = *pp;
    *pp += (size + 7) / 8 * 8;
    return data;
}

/* fields.inc has the fields of tm_env in order: build.py reads them from api.h. */
#define NUMBER(name) "N " #name "\n"
#define ARRAY(name) "A " #name "\n"
static const char names[] =
#include "fields.inc"
    ;
#undef NUMBER
#undef ARRAY

int worlds_open(tm_worlds *w, const char *path) {
    memset(w, 0, sizeof *w);
    FILE *file = fopen(path, "rb");
    if (!file) return -1;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    w->file = malloc((size_t)size + 8);
    size_t got = fread(w->file, 1, (size_t)size, file);
    fclose(file);
    if (got != (size_t)size || size < 8) return -1;
    const uint8_t *p = w->file;
    uint64_t length = number(&p);
    if (length != sizeof names - 1 || size < (long)length + 16 || memcmp(p, names, length)) broken("the descriptions are of another tm_env");
    p += (length + 7) / 8 * 8;
    w->count = number(&p);
    w->envs = calloc(w->count ? w->count : 1, sizeof *w->envs);
    for (uint64_t k = 0; k < w->count; k++) {
        tm_env *env = &w->envs[k];
#define NUMBER(name) env->name = number(&p);
#define ARRAY(name) env->name = array(&p);
#include "fields.inc"
#undef NUMBER
#undef ARRAY
    }
    if (p != w->file + size) broken("the descriptions end in the middle");
    return 0;
}

void worlds_close(tm_worlds *w) {
    free(w->envs);
    free(w->file);
}

/* ---- a world to run in ---- */

enum { FUEL = 3000, STACK_CELLS = 4096, DEPTH = 50, PAGE = 65536, MOST_PAGES = 3, TABLE = 8, MOST_CELLS = 32, MOST_EXCEPTIONS = 64, STRETCH = 100 };

/* An exception that a clause wanted a reference to. */
typedef struct tm_kept {
    uint32_t tag, n;
    word *cells;
} tm_kept;

typedef struct tm_world {
    tm_code *code;
    tm_thread *thread;
    tm_heap *heap;
    tm_instance instance;
    tm_memory **memories;
    tm_table *tables, **table_list;
    word *cells, **globals;
    uint32_t *imported, *tags, *refs;
    tm_layout *layouts;
    const tm_layout **layout_list;
    tm_kept kept[MOST_EXCEPTIONS];
    uint32_t n_kept;
} tm_world;

static uint32_t type_of(uint32_t code) { return code & T_CODE; }
static int is_function(uint32_t type) { return type == T_FUNCREF; }

/* Whether all types of a signature's list have a value that bits alone can be: numbers, and null for references. */
static int has_values(const uint32_t *types, uint32_t n) {
    for (uint32_t k = 0; k < n; k++)
        if (!is_defaultable(types[k])) return 0;
    return 1;
}

static uint64_t mix(uint64_t x) {
    x ^= x >> 30; x *= 0xBF58476D1CE4E5B9u;
    x ^= x >> 27; x *= 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

/* A number that is often small, and as often has all bits. */
static uint64_t some_bits(uint64_t *seed) {
    uint64_t bits = mix(*seed += 0x9E3779B97F4A7C15u);
    return bits & 0x100 ? bits % 9 : bits & 0x200 ? 0 - bits % 9 : bits;
}

/* Writes values of the types to the cells; gives the cells used. */
static uint64_t write_values(word *at, const uint32_t *types, uint32_t n, uint64_t *seed) {
    uint64_t c = 0;
    for (uint32_t k = 0; k < n; k++) {
        uint64_t bits = some_bits(seed);
        switch (type_of(types[k])) {
        case T_I32: case T_F32: at[c++] = (uint32_t)bits; break;
        case T_I64: case T_F64: at[c++] = bits; break;
        case T_V128: at[c++] = bits; at[c++] = some_bits(seed); break;
        default: at[c++] = 0;
        }
    }
    return c;
}

/* ---- objects: as Python lays them out (interp/runtime/native_objects.py), in a small heap that is collected ---- */

enum { HEAP_BYTES = 1 << 14 };

static uint32_t element_width(uint32_t type) {
    switch (type) {
    case T_I8: return 1;
    case T_I16: return 2;
    case T_I32: case T_F32: return 4;
    case T_V128: return 16;
    default: return 8;
    }
}

static int lay_out(tm_world *w) {
    const tm_env *env = &w->code->env;
    uint64_t room = 1;
    for (uint32_t k = 0; k < env->n_types; k++)
        if (env->type_kinds[k] != KIND_func) room += env->fields[env->type_fields[k]];
    w->layouts = calloc(env->n_types + 1, sizeof *w->layouts);
    w->layout_list = calloc(env->n_types + 1, sizeof *w->layout_list);
    uint32_t *refs = w->refs = calloc(room, sizeof *refs);
    if (!w->layouts || !w->layout_list || !refs) return -1;
    for (uint32_t k = 0; k < env->n_types; k++) {
        if (env->type_kinds[k] == KIND_func) continue;
        const uint32_t *fields = env->fields + env->type_fields[k] + 1, n = fields[-1];
        const uint32_t *cells = env->field_cells + env->type_fields[k];
        tm_layout *made = &w->layouts[k];
        w->layout_list[k] = made;
        int is_array = env->type_kinds[k] == KIND_array;
        *made = (tm_layout){.number = k, .shape = is_array ? element_width(type_of(fields[0])) : (uint32_t)TM_SHAPE_STRUCTURE,
                            .cells = is_array ? 0 : cells[n], .refs = refs, .line = line_of(env, k)};
        for (uint32_t m = 0; m < n; m++)
            if (type_of(fields[m]) != T_I8 && type_of(fields[m]) != T_I16 && is_ref(type_of(fields[m])))
                refs[made->n_refs++] = is_array ? 0 : cells[m];
        refs += made->n_refs;
    }
    w->heap->limit = HEAP_BYTES;
    w->heap->page_limit = 1 << 24;
    return 0;
}

/* Collects, so that the loop can make the object that it wants. 0: there is no room for it. */
static int make_room(tm_world *w, const tm_layout *layout, uint64_t length) {
    const tm_env *env = &w->code->env;
    uint64_t n, *words = tm_thread_roots(w->thread, &n);
    tm_heap_visit(w->heap, words, n);
    tm_heap_visit(w->heap, w->cells, env->n_globals * 2);
    for (uint32_t k = 0; k < env->n_tables; k++) tm_heap_visit(w->heap, w->tables[k].cells, w->tables[k].length);
    for (uint32_t k = 0; k < w->n_kept; k++) tm_heap_visit(w->heap, w->kept[k].cells, w->kept[k].n);
    tm_heap_sweep(w->heap);
    uint64_t width = layout->shape < TM_SHAPE_STRUCTURE ? layout->shape : 8;
    return w->heap->bytes + sizeof(tm_object) + (uint32_t)length * width <= HEAP_BYTES;
}

static int world_open(tm_world *w, tm_code *code, uint64_t *seed) {
    const tm_env *env = &code->env;
    memset(w, 0, sizeof *w);
    w->code = code;
    w->thread = tm_thread_new(STACK_CELLS, DEPTH);
    w->heap = tm_heap_new();
    w->memories = calloc(env->n_mems + 1, sizeof *w->memories);
    w->tables = calloc(env->n_tables + 1, sizeof *w->tables);
    w->table_list = calloc(env->n_tables + 1, sizeof *w->table_list);
    w->cells = calloc(env->n_globals + 1, 2 * sizeof *w->cells);
    w->globals = calloc(env->n_globals + 1, sizeof *w->globals);
    w->imported = calloc(env->n_imported + 1, sizeof *w->imported);
    w->tags = calloc(env->n_tags + 1, sizeof *w->tags);
    if (!w->thread || !w->heap || !w->memories || !w->tables || !w->table_list || !w->cells || !w->globals || !w->imported || !w->tags) return -1;
    w->thread->heap = w->heap;
    w->thread->stretch = STRETCH;
    if (lay_out(w)) return -1;
    for (uint32_t k = 0; k < env->n_tags; k++) w->tags[k] = k;
    for (uint32_t k = 0; k < env->n_mems; k++)
        if (!(w->memories[k] = tm_memory_new(PAGE, 0))) return -1;
    for (uint32_t k = 0; k < env->n_tables; k++) {
        w->table_list[k] = &w->tables[k];
        w->tables[k].length = TABLE;
        if (!(w->tables[k].cells = calloc(TABLE, sizeof(word)))) return -1;
        if (is_function(type_of(env->table_types[k])))
            for (uint32_t i = 1; i < TABLE && i < env->n_funcs; i++) w->tables[k].cells[i] = i; /* cell 0 stays null */
    }
    for (uint32_t k = 0; k < env->n_globals; k++) {
        uint32_t type = type_of(env->global_types[k]);
        w->globals[k] = w->cells + 2 * k;
        write_values(w->globals[k], &type, 1, seed);
    }
    for (uint32_t k = 0; k < env->n_imported; k++) {
        w->imported[k] = k;
        if (tm_thread_add_host(w->thread, k, line_of(env, env->func_types[k]))) return -1;
    }
    w->instance = (tm_instance){.memory = env->n_mems ? w->memories[0] : NULL, .memories = w->memories, .globals = w->globals,
                                .tables = w->table_list, .layouts = w->layout_list, .imported = w->imported, .tags = w->tags,
                                .n_imported = env->n_imported, .first_addr = env->n_imported, .code = code};
    return tm_thread_link(w->thread, &w->instance);
}

static void world_close(tm_world *w) {
    const tm_env *env = &w->code->env;
    for (uint32_t k = 0; w->memories && k < env->n_mems; k++) tm_memory_free(w->memories[k]);
    for (uint32_t k = 0; w->tables && k < env->n_tables; k++) free(w->tables[k].cells);
    free(w->memories); free(w->tables); free(w->table_list);
    free(w->cells); free(w->globals); free(w->imported); free(w->tags);
    free(w->refs); free(w->layouts); free(w->layout_list);
    for (uint32_t k = 0; k < w->n_kept; k++) free(w->kept[k].cells);
    tm_thread_free(w->thread);
    tm_heap_free(w->heap);
}

/* ---- services: those that touch what a world has are done, the others do nothing or end the run ---- */

static int64_t grow_memory(tm_memory *m, uint64_t pages) {
    uint64_t before = m->length / PAGE;
    if (pages > MOST_PAGES - before) return -1;
    return tm_memory_grow(m, m->length + pages * PAGE) ? -1 : (int64_t)before;
}

static int64_t grow_table(tm_table *t, uint64_t ref, uint64_t n) {
    uint64_t before = t->length;
    if (n > MOST_CELLS - before) return -1;
    word *cells = calloc(before + n, sizeof(word)); /* exact, and somewhere else, as a real one may be */
    if (!cells) return -1;
    memcpy(cells, t->cells, before * sizeof(word));
    for (uint64_t k = 0; k < n; k++) cells[before + k] = ref;
    free(t->cells);
    t->cells = cells;
    t->length = before + n;
    return (int64_t)before;
}

static int outside(uint64_t at, uint64_t n, uint64_t length) { return at > length || n > length - at; }

/* 1: done, go on; 0: the run ends, as with a trap. */
static int serve(tm_world *w) {
    tm_thread *t = w->thread;
    const tm_env *env = &w->code->env;
    uint64_t x = t->imm1, y = t->imm2, *a = t->args;
    switch (t->service) {
    case SERVICE_memory_grow:
        if (x >= env->n_mems) broken("memory.grow of a memory that is not there");
        a[0] = (uint64_t)grow_memory(w->memories[x], a[0]);
        if (!(env->mem_types[x] & 1)) a[0] = (uint32_t)a[0];
        break;
    case SERVICE_table_grow:
        if (x >= env->n_tables) broken("table.grow of a table that is not there");
        a[0] = (uint64_t)grow_table(&w->tables[x], a[0], a[1]);
        if (!(env->table_types[x] >> 31)) a[0] = (uint32_t)a[0];
        break;
    case SERVICE_memory_fill:
        if (x >= env->n_mems) broken("memory.fill of a memory that is not there");
        if (outside(a[0], a[2], w->memories[x]->length)) return 0;
        memset(w->memories[x]->base + a[0], (int)(a[1] & 0xFF), a[2]);
        break;
    case SERVICE_memory_copy:
        if (x >= env->n_mems || y >= env->n_mems) broken("memory.copy of a memory that is not there");
        if (outside(a[0], a[2], w->memories[x]->length) || outside(a[1], a[2], w->memories[y]->length)) return 0;
        memmove(w->memories[x]->base + a[0], w->memories[y]->base + a[1], a[2]);
        break;
    case SERVICE_table_fill:
        if (x >= env->n_tables) broken("table.fill of a table that is not there");
        if (outside(a[0], a[2], w->tables[x].length)) return 0;
        for (uint64_t k = 0; k < a[2]; k++) w->tables[x].cells[a[0] + k] = a[1];
        break;
    case SERVICE_table_copy:
        if (x >= env->n_tables || y >= env->n_tables) broken("table.copy of a table that is not there");
        if (outside(a[0], a[2], w->tables[x].length) || outside(a[1], a[2], w->tables[y].length)) return 0;
        memmove(w->tables[x].cells + a[0], w->tables[y].cells + a[1], a[2] * sizeof(word));
        break;
    /* the loop makes the object itself once there is room */
    case SERVICE_struct_new: case SERVICE_struct_new_default: return make_room(w, &w->layouts[x], w->layouts[x].cells);
    case SERVICE_array_new: return make_room(w, &w->layouts[x], a[w->layouts[x].shape == 16 ? 2 : 1]);
    case SERVICE_array_new_default: return make_room(w, &w->layouts[x], a[0]);
    case SERVICE_array_new_fixed: return make_room(w, &w->layouts[x], y);
    case SERVICE_memory_init: case SERVICE_table_init: case SERVICE_data_drop: case SERVICE_elem_drop: break;
    case SERVICE_array_fill: case SERVICE_array_copy: break;
    default: return 0;
    }
    t->ip += t->words;
    return 1;
}

/* ---- exceptions ---- */

/* Keeps the exception on its way and lands with a reference to it. 0: there are too many. */
static int keep(tm_world *w) {
    tm_thread *t = w->thread;
    tm_kept *made = &w->kept[w->n_kept];
    if (w->n_kept == MOST_EXCEPTIONS || !(made->cells = malloc(t->thrown_cells * sizeof(word) + 1))) return 0;
    made->tag = t->thrown;
    made->n = t->thrown_cells;
    memcpy(made->cells, t->args, made->n * sizeof(word));
    tm_thread_land(t, ++w->n_kept);
    return 1;
}

/* Throws what a reference refers to; gives what came of it. */
static int throw_again(tm_world *w) {
    tm_thread *t = w->thread;
    uint64_t reference = t->args[0];
    if (reference > w->n_kept) broken("a reference to no exception");
    if (!reference) return TM_EXIT_TRAPPED;
    tm_kept *kept = &w->kept[reference - 1];
    t->thrown = kept->tag;
    t->thrown_cells = kept->n;
    t->args = kept->cells;
    return tm_thread_throw(t, 0);
}

/* ---- running ---- */

/* A host function's results, where its arguments were. 0: it has none to give, and traps. */
static int answer(tm_world *w, uint64_t *seed) {
    const tm_env *env = &w->code->env;
    tm_thread *t = w->thread;
    if (t->addr >= env->n_imported) broken("a host call of a function that is none");
    const uint32_t *sig = env->sigs + env->type_sig[env->func_types[t->addr]];
    if (!has_values(sig + 2 + sig[0], sig[1])) return 0;
    write_values(t->args, sig + 2 + sig[0], sig[1], seed);
    return 1;
}

/* Every frame stands in a body. */
static void check_backtrace(tm_world *w, int after) {
    const tm_env *env = &w->code->env;
    uint64_t depth = tm_thread_depth(w->thread);
    if (depth > DEPTH + 1) broken("more frames than the limit");
    for (uint64_t n = 0; n < depth && n < 3; n++) {
        uint32_t instance, own;
        uint64_t place;
        tm_thread_where(w->thread, n, after, &instance, &own, &place);
        if (own >= w->code->n_own) broken("a frame of a function that is not there");
        if (w->code->funcs[own].words && place >= w->code->funcs[own].words) broken("a frame outside of its code");
        tm_code_offsets(w->code, own, &place, 1);
        if (place < env->code_offset[own] || place > (uint64_t)env->code_offset[own] + env->code_length[own])
            broken("a frame outside of its body");
    }
}

static uint64_t hash_bytes(uint64_t hash, const void *data, uint64_t n) {
    const uint8_t *p = data;
    for (uint64_t k = 0; k + 8 <= n; k += 8) {
        uint64_t part;
        memcpy(&part, p + k, 8);
        hash = (hash ^ part) * 0x100000001B3u;
    }
    return hash;
}

static uint64_t hash_world(const tm_world *w, uint64_t hash) {
    const tm_env *env = &w->code->env;
    for (uint32_t k = 0; k < env->n_mems; k++) hash = hash_bytes(hash ^ w->memories[k]->length, w->memories[k]->base, w->memories[k]->length);
    for (uint32_t k = 0; k < env->n_tables; k++) hash = hash_bytes(hash, w->tables[k].cells, w->tables[k].length * sizeof(word));
    return hash_bytes(hash, w->cells, env->n_globals * 2 * sizeof(word));
}

int world_run(tm_code *code, uint32_t own, tm_run *run) {
    const tm_env *env = &code->env;
    const uint32_t *sig = env->sigs + env->type_sig[env->func_types[env->n_imported + own]];
    tm_world w;
    uint64_t seed = run->seed, need = 1;
    int failed = !has_values(sig + 2, sig[0]) || world_open(&w, code, &seed);
    if (failed) {
        if (has_values(sig + 2, sig[0])) world_close(&w);
        return -1;
    }
    tm_thread *t = w.thread;
    write_values(tm_thread_top(t), sig + 2, sig[0], &seed);
    if (tm_thread_enter(t, env->n_imported + own)) broken("the first activation is one too many");
    run->ticks = 0;
    for (;;) {
        uint64_t left = FUEL - run->ticks;
        if (left < need) { run->exit = OUT_OF_FUEL; check_backtrace(&w, 0); break; }
        uint64_t granted = need > run->slice ? need : run->slice;
        if (granted > left) granted = left;
        t->left = (int64_t)granted;
        run->exit = tm_thread_run(t);
        if (run->exit == TM_EXIT_SERVICE && t->service == SERVICE_throw_ref) run->exit = throw_again(&w);
        if (run->exit == TM_EXIT_CAUGHT && keep(&w)) run->exit = TM_EXIT_LANDED;
        if (t->left < 0 || (uint64_t)t->left > granted) broken("more ticks used than there were");
        run->ticks += granted - (uint64_t)t->left;
        need = 1;
        if (run->exit == TM_EXIT_SLICE) need = t->need;
        else if (run->exit == TM_EXIT_HOST_CALL) { if (!answer(&w, &seed)) { check_backtrace(&w, 1); break; } }
        else if (run->exit == TM_EXIT_SERVICE) { if (!serve(&w)) { check_backtrace(&w, 0); break; } }
        else if (run->exit != TM_EXIT_LANDED) break;
    }
    run->hash = hash_world(&w, 14695981039346656037u);
    if (run->exit == TM_EXIT_RETURNED) {
        uint64_t cells = 0;
        for (uint32_t k = 0; k < sig[1]; k++) cells += sig[2 + sig[0] + k] == T_V128 ? 2 : 1;
        run->hash = hash_bytes(run->hash, t->sp, cells * sizeof(word));
    } else if (run->exit == TM_EXIT_TRAPPED || run->exit == TM_EXIT_EXHAUSTED || run->exit == TM_EXIT_UNCAUGHT) {
        check_backtrace(&w, 0);
    } else if (run->exit == TM_EXIT_BAD_REFERENCE) {
        broken("a reference to nothing");
    }
    tm_thread_leave_to(t, 0);
    world_close(&w);
    return 0;
}
