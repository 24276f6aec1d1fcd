/* One walk over a function body (specification 5.4 and the appendix on validation): `walk(lowering = 0)` validates at load,
   `walk(lowering = 1)` lowers at the first call. interp/valid/expr.py is the readable twin; the tests hold the two together:
   same verdict, same row of BODY_ERRORS, same offset, same frame_cells. */
#include "engine.h"
#include "lower.h"
#include "reader.h"

typedef struct tm_ctrl {
    uint8_t opcode;      /* 0x02 block, 0x03 loop, 0x04 if, 0x05 else, 0 the function */
    uint8_t unreachable;
    uint8_t entered;     /* emit: whether the block itself can be reached */
    uint32_t height, cells;
    uint32_t n_start, n_end;
    const uint32_t *start, *end;
    uint32_t loop;       /* emit: place of a loop's first word */
    uint32_t ends;       /* emit: chain of branches to the end */
    uint32_t otherwise;  /* emit: chain of the branch to else */
    uint32_t pad_of, pad; /* emit: landing pad for the br_table whose words begin at pad_of */
} tm_ctrl;

typedef struct tm_scratch {
    uint32_t *types;
    uint32_t types_capacity;
    uint8_t *locals;
    uint32_t locals_capacity;
    tm_ctrl *ctrl;
    uint32_t ctrl_capacity;
    tm_lower lower;
} tm_scratch;

static const uint32_t single_types[256] = {
    [T_I32] = T_I32, [T_I64] = T_I64, [T_F32] = T_F32, [T_F64] = T_F64, [T_V128] = T_V128,
    [T_FUNCREF] = T_FUNCREF, [T_EXTERNREF] = T_EXTERNREF,
};

static void scratch_free(tm_scratch *s) {
    free(s->types);
    free(s->locals);
    free(s->ctrl);
    free(s->lower.code);
    free(s->lower.loc);
    free(s->lower.cell);
    free(s->lower.local_slot);
    free(s->lower.map);
    free(s->lower.pins);
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

/* The feature that brought a value type by its first byte; NONE for a byte that is no type. */
static uint32_t type_feature(uint8_t byte) {
    switch (byte) {
    case T_I32: case T_I64: case T_F32: case T_F64: return FEATURE_MVP;
    case T_V128: return FEATURE_SIMD;
    case T_FUNCREF: case T_EXTERNREF: return FEATURE_REFERENCE_TYPES;
    case 0x74: case 0x69: return FEATURE_EXCEPTIONS;
    case 0x73: case 0x72: case 0x71: case 0x6E: case 0x6D: case 0x6C: case 0x6B: case 0x6A: return FEATURE_GC;
    case 0x63: case 0x64: return FEATURE_FUNCTION_REFERENCES;
    default: return NONE;
    }
}

static inline uint32_t type_cells(uint32_t type) { return type == T_V128 ? 2 : 1; }

#define FAIL_AT(row, at_, a_, b_) do { err->id = E_##row; err->offset = (uint64_t)((at_) - bytes); err->a = (a_); err->b = (b_); return -1; } while (0)
#define FAIL(row) FAIL_AT(row, at, 0, 0)
#define FAIL_A(row, a_) FAIL_AT(row, at, a_, 0)
/* Reads an integer; its first byte is the place of what is wrong with it. */
#define READ(call) do { const uint8_t *r_at = p; int r_e = call; if (unlikely(r_e)) { err->id = r_e - 1; err->offset = (uint64_t)(r_at - bytes); return -1; } } while (0)
#define U32(var) uint32_t var = 0; READ(read_u32(&p, end, &var))
#define NEED(f, at_) do { if (unlikely(!(features >> (f) & 1))) FAIL_AT(feature_off, at_, f, 0); used |= 1ull << (f); } while (0)
/* A tail call gives what the caller gives. The error tells both types by index, from 0x10000 on. */
#define RESULTS_AS_OURS(type_, t_)                                                                                            \
    do {                                                                                                                      \
        int same_ = (t_)[1] == n_results;                                                                                     \
        for (uint32_t k_ = 0; same_ && k_ < n_results; k_++) same_ = (t_)[2 + (t_)[0] + k_] == sig[2 + n_params + k_];          \
        if (!same_) FAIL_AT(type_mismatch, at, 0x10000u + env->func_types[index], 0x10000u + (type_));                        \
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
            if (unlikely(got_ != (t)) && got_ != T_BOT && (t) != T_BOT) FAIL_AT(type_mismatch, at, t, got_);                  \
        } else if (!ctrl->unreachable) FAIL_AT(type_mismatch, at, t, 1);                                                      \
    } while (0)
#define POPN(n, list) for (uint32_t k_ = (n); k_-- > 0;) POP((list)[k_])
#define ROOM(n) do { if (unlikely(sp + (uint64_t)(n) + 8 > s->types_capacity)) { if (make_room(s, sp + (uint64_t)(n) + 8, lowering)) NO_MEMORY; types = s->types; } } while (0)
#define PUSHN(n, list) do { uint32_t n_ = (n); ROOM(n_); for (uint32_t k_ = 0; k_ < n_; k_++) PUSH((list)[k_]); } while (0)
#define UNREACHABLE do { sp = ctrl->height; cells = ctrl->cells; ctrl->unreachable = 1; if (lowering) { pending_cut(l, sp); live = 0; } } while (0)
#define LIVE (lowering && live)
#define ADDRESS(mem_) (env->mem_types[mem_] & 1 ? (uint32_t)T_I64 : (uint32_t)T_I32)
#define TABLE_INDEX(x_) (env->table_types[x_] >> 31 ? (uint32_t)T_I64 : (uint32_t)T_I32)
#define TABLE_TYPE(x_) (env->table_types[x_] & 0xFF)
/* The type of a length between two address types: the narrower one. */
#define SHORTER(a_, b_) ((a_) == T_I64 && (b_) == T_I64 ? (uint32_t)T_I64 : (uint32_t)T_I32)
#define NEEDS_PAD ((word)1 << 63)

static int make_room(tm_scratch *s, uint64_t need, int lowering) {
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

/* Finds the slots of locals, and those that live in registers, of a valid body. -1 when the machine gives no memory. */
static int place_locals(tm_scratch *s, const uint8_t *p, const uint8_t *end, uint32_t n) {
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

static inline __attribute__((always_inline)) int walk(const tm_env *env, uint32_t own, tm_scratch *s, tm_func *funcs,
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
    if (grow((void **)&s->locals, &s->locals_capacity, n_params + 1, 1)) NO_MEMORY;
    for (uint32_t k = 0; k < n_params; k++) { s->locals[k] = (uint8_t)sig[2 + k]; local_cells += type_cells(sig[2 + k]); }
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
        if (p >= end) FAIL(unexpected_end);
        uint32_t feature = type_feature(*p);
        if (feature == NONE) FAIL(malformed_value_type);
        NEED(feature, at);
        uint8_t type = *p++;
        if (single_types[type] == 0) FAIL_A(feature_off, feature); /* types that only later rules know */
        if (n_locals <= env->max_locals) {
            if (grow((void **)&s->locals, &s->locals_capacity, n_params + n_locals + 1, 1)) NO_MEMORY;
            memset(s->locals + n_params + n_locals - count, type, count);
            local_cells += count * type_cells(type);
        }
    }
    if (n_locals > env->max_locals) FAIL_AT(locals_limit, body, n_locals, 0);
    const uint32_t all_locals = n_params + (uint32_t)n_locals;
    const uint8_t *locals = s->locals;

    uint32_t sp = 0, cells = 0, max_cells = 0, depth = 0;
    if (make_room(s, 64, lowering)) NO_MEMORY;
    if (grow((void **)&s->ctrl, &s->ctrl_capacity, 16, sizeof *s->ctrl)) NO_MEMORY;
    uint32_t *types = s->types;
    tm_ctrl *ctrl = s->ctrl;
    *ctrl = (tm_ctrl){.n_end = n_results, .end = sig + 2 + n_params, .entered = 1, .ends = NONE, .otherwise = NONE};
    int live = 1;
    if (lowering) {
        l->n = l->n_pending = 0;
        l->nl = local_cells;
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
                if ((flags & 0x3F) > row->width_log2) FAIL(alignment);
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
                        emit_slots(l, H_memory_size, sp, 0, 0, 0);
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
                    } else if (op != OP_nop) {
                        emit(l, H_unreachable, 0, 0, 0, 0); /* rows of features that no engine in C runs yet */
                        if (row->n_results) push_temp(l, sp);
                        pending_cut(l, sp);
                    }
                }
            }
            if (row->n_results) PUSH(row->result == T_ADDRESS ? address : row->result);
            goto next;
        }

        switch (op) {
        case OP_unreachable:
            if (LIVE) emit(l, H_unreachable, 0, 0, 0, 0);
            UNREACHABLE;
            break;

        case OP_block: case OP_loop: case OP_if: {
            const uint32_t *start = NULL, *stop = NULL;
            uint32_t n_start = 0, n_end = 0;
            if (p >= end) FAIL_AT(unexpected_end, p, 0, 0);
            uint8_t byte = *p;
            if (byte == 0x40) {
                p++;
            } else if ((byte & 0xC0) == 0x40) {
                uint32_t feature = type_feature(byte);
                if (feature == NONE) FAIL_AT(malformed_block_type, p, 0, 0);
                NEED(feature, p);
                if (single_types[byte] == 0) FAIL_AT(feature_off, p, feature, 0);
                p++;
                stop = &single_types[byte];
                n_end = 1;
            } else {
                const uint8_t *type_at = p;
                int64_t type = 0;
                READ(read_signed(&p, end, 33, &type));
                if (type < 0) FAIL_AT(malformed_block_type, type_at, 0, 0);
                NEED(FEATURE_MULTI_VALUE, type_at);
                if (depth + 1 > env->max_nesting) FAIL(nesting_limit);
                if (type >= env->n_types) FAIL_A(unknown_type, (uint64_t)type);
                if (env->type_sig[type] == NONE) FAIL_A(not_a_function_type, (uint64_t)type);
                const uint32_t *t = env->sigs + env->type_sig[type];
                n_start = t[0];
                n_end = t[1];
                start = t + 2;
                stop = t + 2 + n_start;
            }
            if (depth + 1 > env->max_nesting) FAIL(nesting_limit);
            tm_cond cond = {NONE, 0, 0, 0, 0};
            if (op == OP_if) {
                POP(T_I32);
                if (LIVE) cond = take_condition(l, sp);
            }
            POPN(n_start, start);
            if (LIVE) {
                for (uint32_t k = 0; k < n_start; k++) materialise(l, sp + k);
                pending_cut(l, sp + n_start);
                flush_pending(l);
            }
            if (grow((void **)&s->ctrl, &s->ctrl_capacity, depth + 3, sizeof *s->ctrl)) NO_MEMORY;
            ctrl = &s->ctrl[++depth];
            *ctrl = (tm_ctrl){.opcode = (uint8_t)(op - OP_block + 2), .height = sp, .cells = cells, .n_start = n_start, .n_end = n_end,
                              .start = start, .end = stop, .entered = (uint8_t)live, .ends = NONE, .otherwise = NONE};
            PUSHN(n_start, start);
            if (LIVE) {
                if (op == OP_if) chain(l, &ctrl->otherwise, emit_condition(l, &cond, 0, 1));
                if (op == OP_loop) { lower_barrier(l); ctrl->loop = l->n; l->dirty = l->written; }
            }
            break;
        }

        case OP_else: case OP_end: {
            if (op == OP_else && ctrl->opcode != 0x04) FAIL(end_expected);
            if (op == OP_end && ctrl->opcode == 0x04) { /* without else: the types must fit both ways */
                if (ctrl->n_start != ctrl->n_end) FAIL(type_mismatch_else);
                for (uint32_t k = 0; k < ctrl->n_end; k++) if (ctrl->start[k] != ctrl->end[k]) FAIL(type_mismatch_else);
            }
            POPN(ctrl->n_end, ctrl->end);
            if (sp != ctrl->height) FAIL(type_mismatch_height);
            if (LIVE && (depth > 0 || ctrl->ends != NONE)) {
                for (uint32_t k = 0; k < ctrl->n_end; k++) materialise(l, sp + k);
                pending_cut(l, sp);
            }
            if (op == OP_else) {
                if (lowering && ctrl->entered) {
                    if (live) emit_jump(l, &ctrl->ends, 0);
                    place_label(l, &ctrl->otherwise);
                    live = 1;
                    for (uint32_t k = 0; k < ctrl->n_start; k++) push_temp(l, sp + k);
                }
                ctrl->opcode = 0x05;
                ctrl->unreachable = 0;
                cells = ctrl->cells;
                PUSHN(ctrl->n_start, ctrl->start);
                break;
            }
            if (lowering && ctrl->entered) {
                int joined = ctrl->ends != NONE || ctrl->otherwise != NONE;
                if (joined) {
                    place_label(l, &ctrl->otherwise);
                    place_label(l, &ctrl->ends);
                    live = 1;
                    for (uint32_t k = 0; k < ctrl->n_end; k++) push_temp(l, sp + k);
                }
            }
            if (depth == 0) {
                if (LIVE) emit_return(l, sp, n_results, result_cells);
                if (p < end) FAIL_AT(section_size_mismatch, p, 0, 0);
                if (lowering && l->map) {
                    if (l->n > l->map_capacity) NO_MEMORY;
                    for (uint32_t k = l->low; k < l->n; k++) l->map[k] = (uint32_t)(at - bytes);
                }
                goto done;
            }
            const tm_ctrl *closed = ctrl;
            ctrl = &s->ctrl[--depth];
            cells = closed->cells;
            if (lowering && !closed->entered) live = 0;
            PUSHN(closed->n_end, closed->end);
            break;
        }

        case OP_br: case OP_br_if: {
            U32(label);
            if (label > depth) FAIL_A(unknown_label, label);
            tm_ctrl *target = &s->ctrl[depth - label];
            uint32_t n = target->opcode == 0x03 ? target->n_start : target->n_end;
            const uint32_t *list = target->opcode == 0x03 ? target->start : target->end;
            tm_cond cond = {NONE, 0, 0, 0, 0};
            if (op == OP_br_if) {
                POP(T_I32);
                if (LIVE) cond = take_condition(l, sp);
            }
            POPN(n, list);
            if (LIVE) {
                settle_many(l, sp, n);
                uint32_t *head = target->opcode == 0x03 ? NULL : &target->ends;
                if (op == OP_br && target->opcode == 0) {
                    emit_return(l, sp, n, result_cells);
                } else if (op == OP_br) {
                    emit_moves(l, sp, n, target->height);
                    emit_jump(l, head, target->loop);
                } else if (moves_needed(l, sp, n, target->height)) {
                    uint32_t skip = NONE;
                    chain(l, &skip, emit_condition(l, &cond, 0, 1));
                    emit_moves(l, sp, n, target->height);
                    emit_jump(l, head, target->loop);
                    place_label(l, &skip);
                } else {
                    uint32_t place = emit_condition(l, &cond, head == NULL, 0);
                    if (head) chain(l, head, place);
                    else l->code[place] = (word)((int64_t)target->loop - (int64_t)place);
                }
            }
            if (op == OP_br) UNREACHABLE;
            else PUSHN(n, list);
            break;
        }

        case OP_br_table: {
            const uint8_t *count_at = p;
            U32(count);
            if (count > (uint64_t)(end - p)) FAIL_AT(unexpected_end, count_at, 0, 0);
            const uint8_t *labels = p;
            for (uint32_t k = 0; k < count; k++) { U32(label); (void)label; }
            U32(fallback);
            if (count > env->max_br_table) FAIL_A(br_table_limit, count);
            POP(T_I32);
            if (fallback > depth) FAIL_A(unknown_label, fallback);
            tm_ctrl *last = &s->ctrl[depth - fallback];
            uint32_t arity = last->opcode == 0x03 ? last->n_start : last->n_end;
            uint32_t i_at = sp;
            const uint8_t *after = p;
            p = labels;
            ROOM(arity);
            uint32_t previous = NONE;
            for (uint32_t k = 0; k < count; k++) {
                uint32_t label = 0;
                (void)read_u32(&p, end, &label);
                if (label == previous) continue; /* the same label asks the same again */
                previous = label;
                if (label > depth) FAIL_A(unknown_label, label);
                tm_ctrl *target = &s->ctrl[depth - label];
                uint32_t n = target->opcode == 0x03 ? target->n_start : target->n_end;
                if (n != arity) FAIL(type_mismatch_br_table);
                const uint32_t *list = target->opcode == 0x03 ? target->start : target->end;
                /* the operands are looked at, not taken: those of unreachable code keep their unknown type */
                for (uint32_t m = 0; m < n; m++) {
                    uint64_t down = n - m;
                    if (sp - ctrl->height >= down) {
                        uint32_t got = types[sp - down];
                        if (got != list[m] && got != T_BOT) FAIL_AT(type_mismatch, at, list[m], got);
                    } else if (!ctrl->unreachable) FAIL_AT(type_mismatch, at, list[m], 1);
                }
            }
            p = after;
            POPN(arity, last->opcode == 0x03 ? last->start : last->end);
            if (LIVE) {
                uint32_t i = slot(l, i_at);
                pending_cut(l, i_at);
                for (uint32_t k = 0; k < arity; k++) materialise(l, sp + k);
                emit(l, H_br_table, i, 0, 0, 0);
                uint32_t base = l->n + 1;
                emit_word(l, count);
                for (uint64_t k = 0; k <= count; k++) emit_word(l, NONE);
                if (l->out_of_memory) NO_MEMORY;
                /* straight to a forward label whose values stand right; else by a landing pad, one for each label */
                p = labels;
                for (uint32_t k = 0; k <= count; k++) {
                    uint32_t label = 0;
                    (void)read_u32(&p, end, &label);
                    tm_ctrl *target = &s->ctrl[depth - label];
                    int straight = target->opcode != 0x03 && target->opcode != 0 && (arity == 0 || sp == target->height);
                    if (straight) chain(l, &target->ends, base + k);
                    else l->code[base + k] = NEEDS_PAD | label;
                }
                for (uint32_t k = 0; k <= count; k++) {
                    if (!(l->code[base + k] & NEEDS_PAD)) continue;
                    tm_ctrl *target = &s->ctrl[depth - (uint32_t)l->code[base + k]];
                    if (target->pad_of != base) {
                        target->pad_of = base;
                        target->pad = l->n;
                        if (target->opcode == 0) {
                            emit_return(l, sp, arity, result_cells);
                        } else {
                            emit_moves(l, sp, arity, target->height);
                            emit_jump(l, target->opcode == 0x03 ? NULL : &target->ends, target->loop);
                        }
                        if (l->out_of_memory) NO_MEMORY;
                    }
                    l->code[base + k] = (word)((int64_t)target->pad - (int64_t)(base + k));
                }
                lower_barrier(l);
            }
            UNREACHABLE;
            break;
        }

        case OP_return:
            POPN(n_results, sig + 2 + n_params);
            if (LIVE) emit_return(l, sp, n_results, result_cells);
            UNREACHABLE;
            break;

        case OP_call: {
            U32(callee);
            if (callee >= env->n_funcs) FAIL_A(unknown_function, callee);
            const uint32_t *t = env->sigs + env->type_sig[env->func_types[callee]];
            POPN(t[0], t + 2);
            if (LIVE) {
                before_call(l, sp, t[0]);
                pending_cut(l, sp);
                if (callee < env->n_imported) {
                    emit(l, H_call_import, own_slot(l, sp), 0, 0, 0);
                    emit_word(l, callee);
                } else {
                    emit(l, H_call, own_slot(l, sp), 0, 0, 0);
                    emit_word(l, (word)(uintptr_t)&funcs[callee - env->n_imported]);
                }
                after_call(l);
            }
            PUSHN(t[1], t + 2 + t[0]);
            if (LIVE) for (uint32_t k = 0; k < t[1]; k++) push_temp(l, sp - 1 - k);
            break;
        }

        case OP_call_indirect: {
            U32(type);
            U32(table);
            if (table >= env->n_tables) FAIL_A(unknown_table, table);
            if (TABLE_TYPE(table) != T_FUNCREF) FAIL(call_indirect_table);
            if (type >= env->n_types) FAIL_A(unknown_type, type);
            if (env->type_sig[type] == NONE) FAIL_A(not_a_function_type, type);
            const uint32_t *t = env->sigs + env->type_sig[type];
            POP(TABLE_INDEX(table));
            uint32_t i_at = sp;
            POPN(t[0], t + 2);
            if (LIVE) {
                uint32_t i = slot(l, i_at);
                before_call(l, sp, t[0]);
                pending_cut(l, sp);
                emit(l, H_call_indirect, own_slot(l, sp), i, 0, 0);
                emit_word(l, type);
                emit_word(l, table);
                after_call(l);
            }
            PUSHN(t[1], t + 2 + t[0]);
            if (LIVE) for (uint32_t k = 0; k < t[1]; k++) push_temp(l, sp - 1 - k);
            break;
        }

        case OP_return_call: {
            U32(callee);
            if (callee >= env->n_funcs) FAIL_A(unknown_function, callee);
            uint32_t type = env->func_types[callee];
            const uint32_t *t = env->sigs + env->type_sig[type];
            RESULTS_AS_OURS(type, t);
            POPN(t[0], t + 2);
            if (LIVE) {
                flush_spare(l);
                for (uint32_t k = 0; k < t[0]; k++) materialise(l, sp + k);
                if (callee < env->n_imported) lower_tail_call(l, H_tail_call_import, sp, t[0], 0, callee, 0, result_cells);
                else lower_tail_call(l, H_tail_call, sp, t[0], 0, (word)(uintptr_t)&funcs[callee - env->n_imported], 0, result_cells);
            }
            UNREACHABLE;
            break;
        }

        case OP_return_call_indirect: {
            U32(type);
            U32(table);
            if (table >= env->n_tables) FAIL_A(unknown_table, table);
            if (TABLE_TYPE(table) != T_FUNCREF) FAIL(call_indirect_table);
            if (type >= env->n_types) FAIL_A(unknown_type, type);
            if (env->type_sig[type] == NONE) FAIL_A(not_a_function_type, type);
            const uint32_t *t = env->sigs + env->type_sig[type];
            POP(TABLE_INDEX(table));
            uint32_t i_at = sp;
            RESULTS_AS_OURS(type, t);
            POPN(t[0], t + 2);
            if (LIVE) {
                flush_spare(l);
                uint32_t i = slot(l, i_at);
                for (uint32_t k = 0; k < t[0]; k++) materialise(l, sp + k);
                lower_tail_call(l, H_tail_call_indirect, sp, t[0], i, type, table, result_cells);
            }
            UNREACHABLE;
            break;
        }

        case OP_drop: {
            POP_ANY(dropped, 2);
            (void)dropped;
            if (lowering) pending_cut(l, sp);
            break;
        }

        case OP_select: {
            POP(T_I32);
            POP_ANY(b, 3);
            POP_ANY(a, 3);
            if ((a != T_BOT && a < T_V128) || (b != T_BOT && b < T_V128) || (a != b && a != T_BOT && b != T_BOT)) FAIL(type_mismatch_select);
            if (LIVE) {
                uint32_t ic = slot(l, sp + 2), ib = slot(l, sp + 1), ia = slot(l, sp);
                pending_cut(l, sp);
                emit_slots(l, a == T_V128 ? H_select_v : H_select, sp, ia, ib, ic);
            }
            PUSH(a == T_BOT ? b : a);
            break;
        }

        case OP_select_t: {
            const uint8_t *count_at = p;
            U32(count);
            if (count > (uint64_t)(end - p)) FAIL_AT(unexpected_end, count_at, 0, 0);
            uint32_t type = 0;
            for (uint32_t k = 0; k < count; k++) {
                if (p >= end) FAIL_AT(unexpected_end, p, 0, 0);
                uint32_t feature = type_feature(*p);
                if (feature == NONE) FAIL_AT(malformed_value_type, p, 0, 0);
                NEED(feature, p);
                if (single_types[*p] == 0) FAIL_AT(feature_off, p, feature, 0);
                type = *p++;
            }
            if (count != 1) FAIL(invalid_result_arity);
            POP(T_I32);
            POP(type);
            POP(type);
            if (LIVE) {
                uint32_t ic = slot(l, sp + 2), ib = slot(l, sp + 1), ia = slot(l, sp);
                pending_cut(l, sp);
                emit_slots(l, type == T_V128 ? H_select_v : H_select, sp, ia, ib, ic);
            }
            PUSH(type);
            break;
        }

        case OP_local_get: {
            U32(x);
            if (x >= all_locals) FAIL_A(unknown_local, x);
            if (LIVE) push_local(l, sp, x);
            PUSH(locals[x]);
            break;
        }
        case OP_local_set: {
            U32(x);
            if (x >= all_locals) FAIL_A(unknown_local, x);
            POP(locals[x]);
            if (LIVE) lower_set(l, sp, x, locals[x]);
            break;
        }
        case OP_local_tee: {
            U32(x);
            if (x >= all_locals) FAIL_A(unknown_local, x);
            POP(locals[x]);
            if (LIVE) {
                lower_set(l, sp, x, locals[x]);
                push_local(l, sp, x);
            }
            PUSH(locals[x]);
            break;
        }

        case OP_global_get: {
            U32(x);
            if (x >= env->n_globals) FAIL_A(unknown_global, x);
            if (LIVE) lower_global_get(l, sp, x, env->global_types[x] & 0xFF);
            PUSH(env->global_types[x] & 0xFF);
            break;
        }
        case OP_global_set: {
            U32(x);
            if (x >= env->n_globals) FAIL_A(unknown_global, x);
            if (!(env->global_types[x] >> 31)) FAIL_A(immutable_global, x);
            POP(env->global_types[x] & 0xFF);
            if (LIVE) {
                lower_global_set(l, sp, x, env->global_types[x] & 0xFF);
            }
            break;
        }

        case OP_table_get: {
            U32(x);
            if (x >= env->n_tables) FAIL_A(unknown_table, x);
            POP(TABLE_INDEX(x));
            if (LIVE) {
                uint32_t i = slot(l, sp);
                pending_cut(l, sp);
                emit_slots(l, H_table_get, sp, i, 0, 0);
                emit_word(l, x);
            }
            PUSH(TABLE_TYPE(x));
            break;
        }
        case OP_table_set: {
            U32(x);
            if (x >= env->n_tables) FAIL_A(unknown_table, x);
            POP(TABLE_TYPE(x));
            POP(TABLE_INDEX(x));
            if (LIVE) {
                uint32_t i = slot(l, sp), v = slot(l, sp + 1);
                pending_cut(l, sp);
                emit(l, H_table_set, i, v, 0, 0);
                emit_word(l, x);
            }
            break;
        }
        case OP_table_size: {
            U32(x);
            if (x >= env->n_tables) FAIL_A(unknown_table, x);
            if (LIVE) {
                emit_slots(l, H_table_size, sp, 0, 0, 0);
                emit_word(l, x);
            }
            PUSH(TABLE_INDEX(x));
            break;
        }
        case OP_table_grow: {
            U32(x);
            if (x >= env->n_tables) FAIL_A(unknown_table, x);
            POP(TABLE_INDEX(x));
            POP(TABLE_TYPE(x));
            if (LIVE) { emit_service(l, SERVICE_table_grow, sp, 2, x, 0); push_temp(l, sp); }
            PUSH(TABLE_INDEX(x));
            break;
        }
        case OP_table_fill: {
            U32(x);
            if (x >= env->n_tables) FAIL_A(unknown_table, x);
            POP(TABLE_INDEX(x));
            POP(TABLE_TYPE(x));
            POP(TABLE_INDEX(x));
            if (LIVE) emit_service(l, SERVICE_table_fill, sp, 3, x, 0);
            break;
        }
        case OP_table_copy: {
            U32(x);
            U32(y);
            if (x >= env->n_tables) FAIL_A(unknown_table, x);
            if (y >= env->n_tables) FAIL_A(unknown_table, y);
            if (TABLE_TYPE(x) != TABLE_TYPE(y)) FAIL(type_mismatch_elem);
            POP(SHORTER(TABLE_INDEX(x), TABLE_INDEX(y))); POP(TABLE_INDEX(y)); POP(TABLE_INDEX(x));
            if (LIVE) emit_service(l, SERVICE_table_copy, sp, 3, x, y);
            break;
        }
        case OP_table_init: {
            U32(y);
            U32(x);
            if (x >= env->n_tables) FAIL_A(unknown_table, x);
            if (y >= env->n_elems) FAIL_A(unknown_elem, y);
            if (TABLE_TYPE(x) != env->elem_types[y]) FAIL(type_mismatch_elem);
            POP(T_I32); POP(T_I32); POP(TABLE_INDEX(x));
            if (LIVE) emit_service(l, SERVICE_table_init, sp, 3, y, x);
            break;
        }
        case OP_elem_drop: {
            U32(y);
            if (y >= env->n_elems) FAIL_A(unknown_elem, y);
            if (LIVE) emit_service(l, SERVICE_elem_drop, sp, 0, y, 0);
            break;
        }
        case OP_memory_init: {
            U32(y);
            U32(mem);
            if (env->n_datas < 0) FAIL(data_count_required);
            if (mem >= env->n_mems) FAIL_A(unknown_memory, mem);
            if (y >= env->n_datas) FAIL_A(unknown_data, y);
            POP(T_I32); POP(T_I32); POP(ADDRESS(mem));
            if (LIVE) emit_service(l, SERVICE_memory_init, sp, 3, y, mem);
            break;
        }
        case OP_data_drop: {
            U32(y);
            if (env->n_datas < 0) FAIL(data_count_required);
            if (y >= env->n_datas) FAIL_A(unknown_data, y);
            if (LIVE) emit_service(l, SERVICE_data_drop, sp, 0, y, 0);
            break;
        }
        case OP_memory_copy: {
            U32(d);
            U32(src);
            if (d >= env->n_mems) FAIL_A(unknown_memory, d);
            if (src >= env->n_mems) FAIL_A(unknown_memory, src);
            POP(SHORTER(ADDRESS(d), ADDRESS(src))); POP(ADDRESS(src)); POP(ADDRESS(d));
            if (LIVE && (d || src || ADDRESS(d) == T_I64)) {
                emit_service(l, SERVICE_memory_copy, sp, 3, d, src);
            } else if (LIVE) {
                uint32_t c = slot(l, sp + 2), b = slot(l, sp + 1), a = slot(l, sp);
                pending_cut(l, sp);
                emit(l, H_memory_copy, a, b, c, 0);
            }
            break;
        }

        case OP_ref_null: {
            const uint8_t *type_at = p;
            int64_t heap = 0;
            READ(read_signed(&p, end, 33, &heap));
            uint32_t feature = heap >= 0 ? FEATURE_FUNCTION_REFERENCES : p == type_at + 1 ? type_feature(*type_at) : NONE;
            if (feature == NONE || (heap < 0 && (*type_at < 0x69 || *type_at > 0x74))) FAIL_AT(malformed_heap_type, type_at, 0, 0);
            NEED(feature, type_at);
            if (heap >= 0 || single_types[*type_at] == 0) FAIL_AT(feature_off, type_at, feature, 0);
            if (LIVE) push_constant(l, sp, 0);
            PUSH(*type_at);
            break;
        }
        case OP_ref_is_null: {
            POP_ANY(ref, 4);
            if (ref != T_BOT && ref >= T_V128) FAIL_AT(type_mismatch, at, 4, ref);
            if (LIVE) {
                uint32_t a = slot(l, sp);
                pending_cut(l, sp);
                emit_slots(l, H_is_null, sp, a, 0, 0);
            }
            PUSH(T_I32);
            break;
        }
        case OP_ref_func: {
            U32(f);
            if (f >= env->n_funcs) FAIL_A(unknown_function, f);
            if (!env->declared[f]) FAIL_A(undeclared_reference, f);
            if (LIVE) {
                emit_slots(l, H_ref_func, sp, 0, 0, 0);
                emit_word(l, f);
            }
            PUSH(T_FUNCREF);
            break;
        }

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
    if ((uint64_t)local_cells + max_cells > env->max_frame_cells) FAIL_AT(frame_cells_limit, body, (uint64_t)local_cells + max_cells, 0);
    out->frame_cells = local_cells + max_cells;
    out->features = used;
    if (lowering && l->out_of_memory) NO_MEMORY;
    return 0;
}

static int walk_validate(const tm_env *env, uint32_t own, tm_scratch *s, tm_walk_result *out, tm_error *err) {
    return walk(env, own, s, NULL, out, err, 0);
}

static __attribute__((noinline)) int walk_lower(const tm_env *env, uint32_t own, tm_scratch *s, tm_func *funcs, tm_error *err) {
    tm_walk_result out;
    return walk(env, own, s, funcs, &out, err, 1);
}

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
        p++;
    }
    return total;
}

int tm_code_validate(tm_code *code, uint32_t *frame_cells, uint64_t *features, tm_error *error) {
    tm_scratch s;
    memset(&s, 0, sizeof s);
    *features = 0;
    error->id = -1;
    for (uint32_t k = 0; k < code->n_own; k++) {
        tm_walk_result out;
        if (walk_validate(&code->env, k, &s, &out, error)) { scratch_free(&s); return -1; }
        frame_cells[k] = code->funcs[k].cells = out.frame_cells;
        code->funcs[k].ticks = 1 + (uint32_t)((declared_locals(&code->env, k) + 63) / 64);
        *features |= out.features;
    }
    scratch_free(&s);
    return 0;
}

static void lock(char *flag) { while (__atomic_test_and_set(flag, __ATOMIC_ACQUIRE)) { } }
static void unlock(char *flag) { __atomic_clear(flag, __ATOMIC_RELEASE); }

int tm_code_lower(tm_code *code, uint32_t own) {
    tm_func *f = &code->funcs[own];
    int failed = 0;
    lock(&code->lock);
    if (f->words == 0) {
        tm_scratch s;
        tm_error error;
        memset(&s, 0, sizeof s);
        failed = walk_lower(&code->env, own, &s, code->funcs, &error);
        if (!failed) {
            word *exact = malloc((s.lower.n ? s.lower.n : 1) * sizeof(word));
            if (exact) {
                memcpy(exact, s.lower.code, s.lower.n * sizeof(word));
                f->words = s.lower.n;
                code->bytes += (uint64_t)s.lower.n * sizeof(word);
                __atomic_store_n(&f->code, (const word *)exact, __ATOMIC_RELEASE);
            } else failed = -1;
        }
        scratch_free(&s);
    }
    unlock(&code->lock);
    return failed ? -1 : 0;
}

void tm_code_offsets(tm_code *code, uint32_t own, uint64_t *places, uint64_t n) {
    tm_func *f = &code->funcs[own];
    tm_scratch s;
    tm_error error;
    memset(&s, 0, sizeof s);
    s.lower.map_capacity = 2 * f->words + 1024; /* words are taken back when a branch is fused */
    s.lower.map = f->words ? calloc(s.lower.map_capacity, sizeof *s.lower.map) : NULL;
    int known = s.lower.map && !walk_lower(&code->env, own, &s, code->funcs, &error);
    for (uint64_t k = 0; k < n; k++) {
        uint32_t offset = known && places[k] < s.lower.n ? s.lower.map[places[k]] : 0;
        places[k] = offset ? offset : code->env.code_offset[own];
    }
    scratch_free(&s);
}

uint64_t tm_code_bytes(const tm_code *code) { return code->bytes; }

void tm_code_free(tm_code *code) {
    if (!code) return;
    for (uint32_t k = 0; k < code->n_own; k++)
        if (code->funcs[k].words) free((void *)(uintptr_t)code->funcs[k].code);
    free(code->funcs);
    free(code);
}
