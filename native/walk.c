/* One walk over a function body (specification 5.4 and the appendix on validation): `walk(lowering = 0)` validates at load,
   `walk(lowering = 1)` lowers at the first call. interp/valid/expr.py is the readable twin; the tests hold the two together:
   same verdict, same row of BODY_ERRORS, same offset, same frame_cells. */
#include "engine.h"
#include "lower.h"
#include "reader.h"
#include "types.h"
#include "walk.h"

typedef struct tm_ctrl {
    uint8_t opcode;      /* 0x02 block, 0x03 loop, 0x04 if, 0x05 else, 0x1F try_table, 0x06 try, 0x07 catch,
                            0x19 catch_all, 0 the function */
    uint8_t unreachable;
    uint8_t entered;     /* emit: whether the block itself can be reached */
    uint32_t height, cells;
    uint32_t n_start, n_end;
    const uint32_t *start, *end; /* end: NULL when it is the one type here */
    uint32_t single;
    uint32_t n_caught;   /* of a legacy try: its handlers so far */
    uint32_t inits;      /* how many locals were set before that had to be */
    uint32_t loop;       /* emit: place of a loop's first word */
    uint32_t ends;       /* emit: chain of branches to the end */
    uint32_t otherwise;  /* emit: chain of the branch to else */
    uint32_t catches;    /* emit: chain of catch clauses to the end */
    uint32_t region;     /* emit: the innermost try block around what is within */
    uint32_t tried;      /* emit: of a legacy try, its own */
    uint32_t kept;       /* emit: of a legacy handler, the slot of what it caught */
    uint32_t pad_of, pad; /* emit: landing pad for the br_table whose words begin at pad_of */
} tm_ctrl;

struct tm_walk {
    uint32_t *types;
    uint32_t types_capacity;
    uint32_t *locals;
    uint32_t locals_capacity;
    uint8_t *unset;      /* per local: it has no value yet; only in bodies that declare such locals */
    uint32_t unset_capacity;
    uint32_t *inits;     /* those that were set, in order */
    uint32_t inits_capacity;
    tm_ctrl *ctrl;
    uint32_t ctrl_capacity;
    tm_lower lower;
};

tm_walk *tm_walk_new(void) { return calloc(1, sizeof(tm_walk)); }

void tm_walk_free(tm_walk *s) {
    if (!s) return;
    free(s->types);
    free(s->locals);
    free(s->unset);
    free(s->inits);
    free(s->ctrl);
    free(s->lower.code);
    free(s->lower.loc);
    free(s->lower.cell);
    free(s->lower.local_slot);
    free(s->lower.pins);
    free(s->lower.regions);
    free(s->lower.clauses);
    free(s);
}

static int grow(void **array, uint32_t *capacity, uint64_t need, size_t size) {
    if (need <= *capacity) return 0;
    uint64_t n = *capacity ? *capacity : 256;
    while (n < need) n *= 2;
    if (n > 0x40000000u) return -1;
    void *p = realloc(*array, (size_t)n * size);
    if (!p) return -1;
    *array = p;
    *capacity = (uint32_t)n;
    return 0;
}

static inline const uint32_t *end_types(const tm_ctrl *c) { return c->end ? c->end : &c->single; }
/* What a branch to a frame carries. */
static inline uint32_t label_count(const tm_ctrl *c) { return c->opcode == 0x03 ? c->n_start : c->n_end; }
static inline const uint32_t *label_types(const tm_ctrl *c) { return c->opcode == 0x03 ? c->start : end_types(c); }

#define FAIL_AT(row, at_, a_, b_) do { err->id = E_##row; err->offset = (uint64_t)((at_) - bytes); err->a = (a_); err->b = (b_); return -1; } while (0)
#define FAIL(row) FAIL_AT(row, at, 0, 0)
#define FAIL_A(row, a_) FAIL_AT(row, at, a_, 0)
/* Reads an integer; its first byte is the place of what is wrong with it. */
#define READ(call) do { const uint8_t *r_at = p; int r_e = call; if (unlikely(r_e)) { err->id = r_e - 1; err->offset = (uint64_t)(r_at - bytes); return -1; } } while (0)
#define U32(var) uint32_t var = 0; READ(read_u32(&p, end, &var))
#define NEED(f, at_) do { if (unlikely(!(features >> (f) & 1))) FAIL_AT(feature_off, at_, f, 0); used |= 1ull << (f); } while (0)
/* A type that a body names. */
#define READ_VALUE_TYPE(var, id) tm_read var; do { if (read_value_type(env, &p, end, id, &used, &var, err)) return -1; } while (0)
#define READ_HEAP_TYPE(var, nullable) tm_read var; do { if (read_heap_type(env, &p, end, nullable, &used, &var, err)) return -1; } while (0)
#define KNOWN(type_) do { if ((type_).unknown >= 0) FAIL_A(unknown_type, (uint64_t)(type_).unknown); } while (0)
#define LIST(n_, types_) list_code(env, n_, types_)
#define LIST_PLACE(n_, types_) list_place(env, n_, types_)
/* A tail call gives what the caller gives. */
#define RESULTS_AS_OURS(t_)                                                                                                   \
    do {                                                                                                                      \
        const uint32_t *own_ = sig + 2 + n_params, *its_ = (t_) + 2 + (t_)[0];                                                  \
        if (!all_match(env, (t_)[1], its_, n_results, own_)) FAIL_AT(type_mismatch, at, LIST(n_results, own_), LIST((t_)[1], its_)); \
    } while (0)
#define NO_MEMORY do { err->id = -2; return -1; } while (0)

#define PUSH(t)                                                                                                               \
    do {                                                                                                                      \
        types[sp++] = (t);                                                                                                    \
        cells += type_cells(t);                                                                                               \
        if (cells > max_cells) max_cells = cells;                                                                             \
        if (lowering) l->cell[sp] = cells;                                                                                    \
    } while (0)
/* Takes the top type whatever it is: T_BOT from below unreachable code. */
#define POP_ANY(var, wanted)                                                                                                  \
    uint32_t var;                                                                                                             \
    if (likely(sp > ctrl->height)) { var = types[--sp]; cells -= type_cells(var); }                                           \
    else if (ctrl->unreachable) var = T_BOT;                                                                                  \
    else FAIL_AT(type_mismatch, at, wanted, 1)
#define POP(t)                                                                                                                \
    do {                                                                                                                      \
        if (likely(sp > ctrl->height)) {                                                                                      \
            uint32_t got_ = types[--sp];                                                                                      \
            cells -= type_cells(got_);                                                                                        \
            if (unlikely(got_ != (t)) && got_ != T_BOT && !matches(env, got_, t)) FAIL_AT(type_mismatch, at, t, got_);        \
        } else if (!ctrl->unreachable) FAIL_AT(type_mismatch, at, t, 1);                                                      \
    } while (0)
/* Takes the top reference; out of dead code comes one of the bottom heap type. */
#define POP_REF(var)                                                                                                          \
    POP_ANY(var, 4);                                                                                                          \
    if (var == T_BOT) var = T_BOTREF | T_NON_NULL;                                                                            \
    else if (!is_ref(var)) FAIL_AT(type_mismatch, at, 4, var)
#define POPN(n, list) for (uint32_t k_ = (n); k_-- > 0;) POP((list)[k_])
#define ROOM(n) do { if (unlikely(sp + (uint64_t)(n) + 8 > s->types_capacity)) { if (make_room(s, sp + (uint64_t)(n) + 8, lowering)) NO_MEMORY; types = s->types; } } while (0)
#define PUSHN(n, list) do { uint32_t n_ = (n); ROOM(n_); for (uint32_t k_ = 0; k_ < n_; k_++) PUSH((list)[k_]); } while (0)
#define UNREACHABLE do { sp = ctrl->height; cells = ctrl->cells; ctrl->unreachable = 1; if (lowering) { pending_cut(l, sp); live = 0; } } while (0)
/* Notes that a local is set, until the end of the block. */
#define INITIALIZE(x_) do { if (must_set && s->unset[x_]) { s->unset[x_] = 0; s->inits[n_inits++] = (x_); } } while (0)
#define LIVE (lowering && live)
#define PAGE_LOG2(mem_) (env->mem_types[mem_] >> 8)
#define ADDRESS(mem_) (env->mem_types[mem_] & 1 ? (uint32_t)T_I64 : (uint32_t)T_I32)
#define TABLE_INDEX(x_) (env->table_types[x_] >> 31 ? (uint32_t)T_I64 : (uint32_t)T_I32)
#define TABLE_TYPE(x_) (env->table_types[x_] & T_CODE)
/* The type of a length between two address types: the narrower one. */
#define SHORTER(a_, b_) ((a_) == T_I64 && (b_) == T_I64 ? (uint32_t)T_I64 : (uint32_t)T_I32)
#define NEEDS_PAD ((word)1 << 63)

static int make_room(tm_walk *s, uint64_t need, int lowering) {
    uint32_t before = s->types_capacity;
    if (grow((void **)&s->types, &s->types_capacity, need, sizeof *s->types)) return -1;
    if (lowering && (s->types_capacity != before || !s->lower.loc)) {
        tm_loc *loc = realloc(s->lower.loc, (size_t)s->types_capacity * sizeof *loc);
        if (!loc) return -1;
        s->lower.loc = loc;
        uint32_t *cell = realloc(s->lower.cell, (size_t)s->types_capacity * sizeof *cell);
        if (!cell) return -1;
        s->lower.cell = cell;
    }
    return 0;
}

/* A conditional branch with the n values from height i on. `negate`: it is taken when the condition does not hold. */
static void lower_branch(tm_lower *l, const tm_cond *cond, uint32_t negate, tm_ctrl *target, uint32_t i, uint32_t n) {
    uint32_t *head = target->opcode == 0x03 ? NULL : &target->ends;
    settle_many(l, i, n);
    if (moves_needed(l, i, n, target->height)) {
        uint32_t skip = NONE;
        chain(l, &skip, emit_condition(l, cond, 0, !negate));
        emit_moves(l, i, n, target->height);
        emit_jump(l, head, target->loop);
        place_label(l, &skip);
    } else {
        uint32_t place = emit_condition(l, cond, head == NULL, negate);
        if (head) chain(l, head, place);
        else l->code[place] = (word)((int64_t)target->loop - (int64_t)place);
    }
}

/* Finds the slots of locals, and those that live in registers, of a valid body. -1 when the machine gives no memory. */
static int place_locals(tm_walk *s, const uint8_t *p, const uint8_t *end, uint32_t n) {
    uint64_t *uses = calloc(n ? n : 1, sizeof *uses);
    uint8_t *changed = calloc(n ? n : 1, 1), *pins = realloc(s->lower.pins, n ? n : 1);
    uint32_t *slots = realloc(s->lower.local_slot, (n ? n : 1) * sizeof *slots);
    if (pins) s->lower.pins = pins;
    if (slots) s->lower.local_slot = slots;
    int failed = !uses || !changed || !pins || !slots;
    if (!failed) {
        for (uint32_t k = 0, next = 0; k < n; next += type_cells(s->locals[k++])) slots[k] = next;
        uint64_t calls = count_uses(p, end, uses, changed);
        choose_pins(&s->lower, s->locals, n, uses, changed, calls);
    }
    free(uses);
    free(changed);
    return failed ? -1 : 0;
}

/* ---- clauses of a try_table, which were read before: well-formed ---- */
typedef struct tm_catch {
    uint32_t kind, tag, label;
    const uint32_t *sig; /* of the tag, NULL for any tag */
} tm_catch;

static inline tm_catch next_clause(const tm_env *env, const uint8_t **pp, const uint8_t *end) {
    tm_catch c = {.kind = *(*pp)++};
    if (c.kind < 2) (void)read_u32(pp, end, &c.tag);
    (void)read_u32(pp, end, &c.label);
    if (c.kind < 2 && c.tag < env->n_tags) c.sig = env->sigs + env->type_sig[env->tag_types[c.tag]];
    return c;
}

/* Whether each label takes what its clause brings. `ctrl` is the block around the try_table. */
static int check_clauses(const tm_env *env, const tm_ctrl *ctrl, uint32_t depth, const uint8_t *p, const uint8_t *end,
                         uint32_t n_clauses, const uint8_t *at, tm_error *err) {
    const uint8_t *bytes = env->bytes;
    while (n_clauses--) {
        tm_catch c = next_clause(env, &p, end);
        if (c.kind < 2 && !c.sig) FAIL_A(unknown_tag, c.tag);
        if (c.label > depth) FAIL_A(unknown_label, c.label);
        const tm_ctrl *target = ctrl - c.label;
        uint32_t n = label_count(target), carried = c.sig ? c.sig[0] : 0, reference = c.kind & 1;
        const uint32_t *wanted = label_types(target), *brought = c.sig ? c.sig + 2 : NULL, exn = T_EXNREF | T_NON_NULL;
        int fits = n == carried + reference && all_match(env, carried, brought, carried, wanted);
        if (fits && reference) fits = matches(env, exn, wanted[carried]);
        if (!fits) FAIL_AT(type_mismatch_label, at, LIST(n, wanted),
                           !reference ? LIST(carried, brought) : carried ? LIST_EXN | LIST_PLACE(carried, brought) : LIST(1, &exn));
    }
    return 0;
}

/* Writes the clauses down: where their values go, and where the code goes on if that is known. */
static void lower_clauses(tm_lower *l, const tm_env *env, tm_ctrl *ctrl, uint32_t region, const uint8_t *p, const uint8_t *end,
                          uint32_t n) {
    while (n--) {
        tm_catch c = next_clause(env, &p, end);
        tm_ctrl *target = ctrl - c.label;
        uint32_t cells = 0;
        for (uint32_t k = 0; c.sig && k < c.sig[0]; k++) cells += type_cells(c.sig[2 + k]);
        /* results of the function are the caller's at once: there may be more of them than this frame has cells */
        uint32_t values = target->opcode ? own_slot(l, target->height) : 0;
        uint32_t place = l->n_clauses;
        tm_clause *made = add_clause(l, region, (tm_clause){.tag = c.sig ? c.tag : ANY_TAG, .values = values,
                                                            .reference = c.kind & 1 ? values + cells : NO_SLOT});
        if (target->opcode == 0x03) {
            made->loop = 1;
            made->target = target->loop;
        } else {
            made->target = target->catches;
            target->catches = place;
        }
    }
}

static inline __attribute__((always_inline)) int walk(const tm_env *env, uint32_t own, tm_walk *s, tm_func *funcs,
                                                      tm_walk_result *out, tm_error *err, const int lowering) {
    const uint8_t *bytes = env->bytes, *p = bytes + env->code_offset[own], *end = p + env->code_length[own], *at = p;
    const uint64_t features = env->features;
    uint64_t used = 1ull << FEATURE_MVP;
    tm_lower *l = &s->lower;
    uint32_t index = env->n_imported + own;
    const uint32_t *sig = env->sigs + env->type_sig[env->func_types[index]];
    const uint32_t n_params = sig[0], n_results = sig[1];
    err->func = index;
    err->a = err->b = 0;

    /* locals */
    if (env->code_length[own] > env->max_function_bytes) FAIL_AT(body_too_large, p, env->code_length[own], 0);
    uint64_t n_locals = 0;
    uint32_t local_cells = 0;
    int64_t unknown = -1; /* the first type among those of locals that there is not */
    int must_set = 0;     /* whether a local has no value until it is set */
    if (grow((void **)&s->locals, &s->locals_capacity, n_params + 1, sizeof *s->locals)) NO_MEMORY;
    for (uint32_t k = 0; k < n_params; k++) { s->locals[k] = sig[2 + k]; local_cells += type_cells(sig[2 + k]); }
    const uint32_t param_cells = local_cells;
    uint32_t result_cells = 0;
    for (uint32_t k = 0; k < n_results; k++) result_cells += type_cells(sig[2 + n_params + k]);
    const uint8_t *body = p;
    at = p;
    U32(runs);
    if (runs > (uint64_t)(end - p)) FAIL(unexpected_end);
    for (uint32_t k = 0; k < runs; k++) {
        at = p;
        U32(count);
        n_locals += count;
        if (n_locals > 0xFFFFFFFFull) FAIL(too_many_locals);
        at = p;
        READ_VALUE_TYPE(type, E_malformed_value_type);
        if (count && type.unknown >= 0 && unknown < 0) unknown = type.unknown;
        if (n_locals <= env->max_locals) {
            if (grow((void **)&s->locals, &s->locals_capacity, n_params + n_locals + 1, sizeof *s->locals)) NO_MEMORY;
            uint32_t *run = s->locals + n_params + n_locals - count;
            for (uint32_t m = 0; m < count; m++) run[m] = type.code;
            local_cells += count * type_cells(type.code);
            if (count && !is_defaultable(type.code)) must_set = 1;
        }
    }
    if (n_locals > env->max_locals) FAIL_AT(locals_limit, body, n_locals, 0);
    if (unknown >= 0) FAIL_AT(unknown_type, body, (uint64_t)unknown, 0);
    const uint32_t all_locals = n_params + (uint32_t)n_locals;
    const uint32_t *locals = s->locals;
    if (must_set) {
        if (grow((void **)&s->unset, &s->unset_capacity, all_locals, 1)) NO_MEMORY;
        if (grow((void **)&s->inits, &s->inits_capacity, all_locals, sizeof *s->inits)) NO_MEMORY;
        for (uint32_t k = 0; k < all_locals; k++) s->unset[k] = k >= n_params && !is_defaultable(locals[k]);
    }
    uint32_t n_inits = 0, caught = 0, most_caught = 0;

    uint32_t sp = 0, cells = 0, max_cells = 0, depth = 0;
    if (make_room(s, 64, lowering)) NO_MEMORY;
    if (grow((void **)&s->ctrl, &s->ctrl_capacity, 16, sizeof *s->ctrl)) NO_MEMORY;
    uint32_t *types = s->types;
    tm_ctrl *ctrl = s->ctrl;
    *ctrl = (tm_ctrl){.n_end = n_results, .end = sig + 2 + n_params, .entered = 1, .ends = NONE, .otherwise = NONE,
                      .catches = NONE, .region = NO_REGION};
    int live = 1;
    if (lowering) {
        l->n = l->n_pending = l->n_regions = l->n_clauses = 0;
        l->nl = local_cells + funcs[own].caught;
        l->out_of_memory = 0;
        lower_barrier(l);
        l->owner[0] = l->owner[1] = NONE;
        if (place_locals(s, p, end, all_locals)) NO_MEMORY;
        l->cell[0] = 0;
        if (n_locals) emit(l, H_zero, param_cells, local_cells - param_cells, 0, 0);
        for (uint32_t r = 0; r < ALL_REGISTERS; r++)
            if (l->pinned[r] != NONE) {
                int zero = l->pinned[r] >= param_cells;
                emit_move(l, r / 4, PLACE_REG(r), 0, zero ? PLACE_CONST(r / 4) : PLACE_SLOT, l->pinned[r], 0);
            }
        lower_barrier(l);
    }

    for (;;) {
        at = p;
        if (lowering) {
            if (unlikely(l->out_of_memory)) NO_MEMORY;
            l->low = l->n;
        }
        if (unlikely(p >= end)) {
            uint8_t following = end < bytes + env->size ? *end : 0;
            err->id = following == 0x0B ? E_section_size_mismatch : following == 0x05 ? E_end_expected : E_unexpected_end;
            err->offset = (uint64_t)(end - bytes);
            return -1;
        }
        uint32_t op = tm_by_byte[*p++];
        if (unlikely(op == 0)) {
            uint8_t prefix = p[-1];
            if (prefix < 0xFB || prefix == 0xFF) FAIL_A(illegal_opcode, prefix);
            U32(code);
            if (prefix == 0xFC) op = code < PREFIX_FC_COUNT ? tm_by_FC[code] : 0;
            else if (prefix == 0xFD) op = code < PREFIX_FD_COUNT ? tm_by_FD[code] : 0;
            else if (prefix == 0xFB) op = code < PREFIX_FB_COUNT ? tm_by_FB[code] : 0;
            else op = code < PREFIX_FE_COUNT ? tm_by_FE[code] : 0;
            if (op == 0) FAIL_A(illegal_opcode, code < 0x100 ? ((uint64_t)prefix << 8 | code) : ((uint64_t)prefix << 32 | code));
        }
        const tm_op *row = &tm_ops[--op];
        NEED(row->feature, at);
        ROOM(8);

        if (row->cls != CLS_SPECIAL && row->imm != IMM_other) {
            /* plain: immediates by kind, then the row's type */
            uint64_t value = 0;
            uint32_t memory = 0, address = T_I32, lane = 0;
            switch (row->imm) {
            case IMM_none: break;
            case IMM_i32: { int64_t v = 0; READ(read_signed(&p, end, 32, &v)); value = (uint32_t)v; break; }
            case IMM_i64: { int64_t v = 0; READ(read_signed(&p, end, 64, &v)); value = (uint64_t)v; break; }
            case IMM_f32: { if (end - p < 4) FAIL_AT(unexpected_end, p, 0, 0); uint32_t v; memcpy(&v, p, 4); value = v; p += 4; break; }
            case IMM_f64: if (end - p < 8) FAIL_AT(unexpected_end, p, 0, 0); memcpy(&value, p, 8); p += 8; break;
            case IMM_v128: if (end - p < 16) FAIL_AT(unexpected_end, p, 0, 0); p += 16; break;
            case IMM_lanes16:
                if (end - p < 16) FAIL_AT(unexpected_end, p, 0, 0);
                p += 16;
                for (int k = -16; k < 0; k++) if (p[k] >= 32) FAIL_A(lane_index, p[k]);
                break;
            case IMM_lane:
                if (p >= end) FAIL_AT(unexpected_end, p, 0, 0);
                value = *p++;
                if (value >= row->lanes) FAIL_A(lane_index, value);
                break;
            case IMM_zero:
                if (p >= end) FAIL_AT(unexpected_end, p, 0, 0);
                if (*p++) FAIL_AT(zero_byte_expected, p - 1, 0, 0);
                break;
            case IMM_mem: {
                U32(mem);
                if (mem >= env->n_mems) FAIL_A(unknown_memory, mem);
                memory = mem;
                address = ADDRESS(mem);
                break;
            }
            default: { /* memarg, with or without a lane */
                const uint8_t *arg = p;
                U32(flags);
                uint32_t mem = 0;
                if (flags >= 0x40) {
                    if (flags >= 0x80) FAIL_AT(malformed_memop_flags, arg, 0, 0);
                    NEED(FEATURE_MULTI_MEMORY, arg);
                    READ(read_u32(&p, end, &mem));
                }
                READ(read_u64(&p, end, &value));
                if (row->imm == IMM_memarg_lane) {
                    if (p >= end) FAIL_AT(unexpected_end, p, 0, 0);
                    lane = *p++;
                }
                if (mem >= env->n_mems) FAIL_A(unknown_memory, mem);
                memory = mem;
                address = ADDRESS(mem);
                if (row->feature == FEATURE_THREADS) {
                    if ((flags & 0x3F) != row->width_log2) FAIL(atomic_alignment);
                } else if ((flags & 0x3F) > row->width_log2) FAIL(alignment);
                if (address == T_I32 && value > 0xFFFFFFFFull) FAIL(offset_out_of_range);
                if (lane >= row->lanes && row->lanes) FAIL_A(lane_index, lane);
                break;
            }
            }
            for (uint32_t k = row->n_params; k-- > 0;) {
                uint32_t want = row->params[k];
                if (want == T_ADDRESS) want = address;
                POP(want);
            }
            if (LIVE) {
                switch (row->cls) {
                case CLS_UNARY: case CLS_EQZ: lower_unary(l, op, sp); break;
                case CLS_BINARY: case CLS_COMPARE: lower_binary(l, op, sp); break;
                case CLS_LOAD: case CLS_STORE: case CLS_VECTOR_LOAD: case CLS_VECTOR_STORE:
                    lower_access(l, op, sp, value, memory, address == T_I64, lane);
                    break;
                case CLS_ATOMIC: lower_atomic(l, op, sp, value, memory, address == T_I64); break;
                case CLS_WIDE: lower_wide(l, op, sp); break;
                case CLS_VECTOR: lower_vector(l, op, sp, value, p - 16); break;
                case CLS_CONST:
                    if (row->imm == IMM_v128) lower_vector(l, op, sp, 0, p - 16);
                    else push_constant(l, sp, value);
                    break;
                case CLS_RENAME: /* another class of register: what made the value cannot put it there */
                    if (l->loc[sp].kind == L_REG) materialise(l, sp);
                    l->last_value = NONE;
                    break;
                default:
                    if (op == OP_memory_size) {
                        if (memory) use_memory(l, memory);
                        emit_slots(l, H_memory_size, sp, PAGE_LOG2(memory), 0, 0);
                        if (memory) use_memory(l, 0);
                    } else if (op == OP_memory_grow) {
                        emit_service(l, SERVICE_memory_grow, sp, 1, memory, 0);
                        push_temp(l, sp);
                    } else if (op == OP_memory_fill && (memory || address == T_I64)) {
                        emit_service(l, SERVICE_memory_fill, sp, 3, memory, 0);
                    } else if (op == OP_memory_fill) {
                        uint32_t c = slot(l, sp + 2), b = slot(l, sp + 1), a = slot(l, sp);
                        pending_cut(l, sp);
                        emit(l, H_memory_fill, a, b, c, 0);
                    } else if (op == OP_memory_atomic_notify) {
                        emit_service(l, SERVICE_atomic_notify, sp, 2, value, memory);
                        push_temp(l, sp);
                    } else if (op == OP_memory_atomic_wait32 || op == OP_memory_atomic_wait64) {
                        int narrow = op == OP_memory_atomic_wait32;
                        emit_service(l, narrow ? SERVICE_atomic_wait32 : SERVICE_atomic_wait64, sp, 3, value, memory);
                        push_temp(l, sp);
                    } else if (op != OP_nop && op != OP_atomic_fence) {
                        emit(l, H_unreachable, 0, 0, 0, 0); /* rows of features that no engine in C runs yet */
                        if (row->n_results) push_temp(l, sp);
                        pending_cut(l, sp);
                    }
                }
            }
            for (uint32_t k = 0; k < row->n_results; k++) PUSH(row->result == T_ADDRESS ? address : row->result);
            goto next;
        }

        switch (op) {
#include "walk_control.inc"
#include "walk_refs.inc"
#include "walk_gc.inc"
#include "walk_tables.inc"
#include "walk_variables.inc"
#include "walk_exceptions.inc"
        default: /* rows of later versions: no rule here yet */
            FAIL_A(feature_off, row->feature);
        }
    next:
        if (lowering && l->map) {
            if (l->n > l->map_capacity) NO_MEMORY;
            for (uint32_t k = l->low; k < l->n; k++) l->map[k] = (uint32_t)(at - bytes);
        }
    }
done:
    if ((uint64_t)local_cells + max_cells + most_caught > env->max_frame_cells)
        FAIL_AT(frame_cells_limit, body, (uint64_t)local_cells + max_cells + most_caught, 0);
    out->frame_cells = local_cells + max_cells + most_caught;
    out->caught = most_caught;
    out->features = used;
    if (lowering && l->out_of_memory) NO_MEMORY;
    return 0;
}

int tm_walk_validate(tm_walk *s, const tm_env *env, uint32_t own, tm_walk_result *out, tm_error *err) {
    return walk(env, own, s, NULL, out, err, 0);
}

int tm_walk_lower(tm_walk *s, const tm_env *env, uint32_t own, tm_func *funcs, uint32_t *map, uint32_t map_capacity) {
    tm_walk_result out;
    tm_error error;
    s->lower.map = map;
    s->lower.map_capacity = map_capacity;
    return walk(env, own, s, funcs, &out, &error, 1);
}

const word *tm_walk_code(const tm_walk *s, uint32_t *words) {
    *words = s->lower.n;
    return s->lower.code;
}

int tm_walk_handlers(const tm_walk *s, tm_handlers **out) {
    const tm_lower *l = &s->lower;
    *out = NULL;
    if (!l->n_regions) return 0;
    size_t regions = l->n_regions * sizeof *l->regions, clauses = l->n_clauses * sizeof *l->clauses;
    tm_handlers *made = malloc(sizeof *made + regions + clauses);
    if (!made) return -1;
    made->n_regions = l->n_regions;
    made->bytes = sizeof *made + regions + clauses;
    made->regions = (tm_region *)(made + 1);
    made->clauses = (tm_clause *)(made->regions + l->n_regions);
    for (int r = 0; r < ALL_REGISTERS; r++) made->pinned[r] = l->pinned[r] == NONE ? NO_SLOT : l->pinned[r];
    memcpy(made->regions, l->regions, regions);
    if (clauses) memcpy(made->clauses, l->clauses, clauses);
    *out = made;
    return 0;
}
