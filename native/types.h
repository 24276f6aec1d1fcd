/* Types in C (specification 2.3 and 3.3). A type is one number: the byte of the binary format for a number type or a
   reference to an abstract heap type, T_DEFINED and a type index for one to a defined type; T_NON_NULL is added where null is
   no value. Python hands over what stands behind an index: its kind, its fields, and its line of supertypes. */
#ifndef TAMIS_TYPES_H
#define TAMIS_TYPES_H
#include "engine.h"
#include "reader.h"

#define NONE 0xFFFFFFFFu

static inline int is_number(uint32_t type) { return type - T_V128 <= T_I32 - T_V128; }
static inline int is_ref(uint32_t type) { return type != T_BOT && !is_number(type); }
static inline int is_defaultable(uint32_t type) { return !(type & T_NON_NULL); }
static inline uint32_t type_cells(uint32_t type) { return type == T_V128 ? 2 : 1; }

/* What a line of supertypes begins with is how many there are; then their numbers follow, the root's first, the type's own last. */
static inline const uint32_t *line_of(const tm_env *env, uint32_t index) { return env->lines + env->type_line[index]; }
/* A type for the loop: its number and how deep it stands in its line. */
static inline word line_word(const tm_env *env, uint32_t index) {
    const uint32_t *line = line_of(env, index);
    return (word)line[1 + line[0]] | (word)line[0] << 32;
}

/* ---- subtyping ---- */
#define ABOVE(code) (1u << ((code) - T_EXNREF))
static const uint16_t above[] = {
    [T_EXNREF - T_EXNREF] = 0,
    [T_ARRAYREF - T_EXNREF] = ABOVE(T_EQREF) | ABOVE(T_ANYREF),
    [T_STRUCTREF - T_EXNREF] = ABOVE(T_EQREF) | ABOVE(T_ANYREF),
    [T_I31REF - T_EXNREF] = ABOVE(T_EQREF) | ABOVE(T_ANYREF),
    [T_EQREF - T_EXNREF] = ABOVE(T_ANYREF),
    [T_ANYREF - T_EXNREF] = 0,
    [T_EXTERNREF - T_EXNREF] = 0,
    [T_FUNCREF - T_EXNREF] = 0,
    [T_NULLREF - T_EXNREF] = ABOVE(T_ARRAYREF) | ABOVE(T_STRUCTREF) | ABOVE(T_I31REF) | ABOVE(T_EQREF) | ABOVE(T_ANYREF),
    [T_NULLEXTERNREF - T_EXNREF] = ABOVE(T_EXTERNREF),
    [T_NULLFUNCREF - T_EXNREF] = ABOVE(T_FUNCREF),
    [T_NULLEXNREF - T_EXNREF] = ABOVE(T_EXNREF),
};
/* The abstract heap type of each kind of defined type. */
static const uint32_t kind_code[] = {[KIND_func] = T_FUNCREF, [KIND_struct] = T_STRUCTREF, [KIND_array] = T_ARRAYREF};

static __attribute__((noinline, unused)) int heap_matches(const tm_env *env, uint32_t sub, uint32_t sup) {
    if (sub == sup || sub == T_BOTREF) return 1;
    if (sub & T_DEFINED) {
        uint32_t a = sub & T_INDEX, b = sup & T_INDEX;
        if (sup & T_DEFINED) {
            const uint32_t *below = line_of(env, a), *upper = line_of(env, b);
            return upper[0] <= below[0] && below[1 + upper[0]] == upper[1 + upper[0]];
        }
        sub = kind_code[env->type_kinds[a]];
        if (sub == sup) return 1;
    } else if (sup & T_DEFINED) {
        return sub == (env->type_kinds[sup & T_INDEX] == KIND_func ? T_NULLFUNCREF : T_NULLREF);
    }
    return above[sub - T_EXNREF] >> (sup - T_EXNREF) & 1;
}

/* Whether a value of type `sub` may stand where `sup` is wanted. Neither is unknown. */
static inline int matches(const tm_env *env, uint32_t sub, uint32_t sup) {
    if (likely(sub == sup)) return 1;
    if (is_number(sub) || is_number(sup)) return 0;
    if ((sup & T_NON_NULL) && !(sub & T_NON_NULL)) return 0;
    return heap_matches(env, sub & ~(uint32_t)T_NON_NULL, sup & ~(uint32_t)T_NON_NULL);
}

static __attribute__((unused)) int all_match(const tm_env *env, uint32_t n_sub, const uint32_t *sub, uint32_t n_sup, const uint32_t *sup) {
    int same = n_sub == n_sup;
    for (uint32_t k = 0; same && k < n_sub; k++) same = matches(env, sub[k], sup[k]);
    return same;
}

/* The top of the hierarchy of a reference type, nullable. */
static inline uint32_t top_of(const tm_env *env, uint32_t type) {
    uint32_t code = type & ~(uint32_t)T_NON_NULL;
    if (code & T_DEFINED) return env->type_kinds[code & T_INDEX] == KIND_func ? T_FUNCREF : T_ANYREF;
    switch (code) {
    case T_FUNCREF: case T_NULLFUNCREF: return T_FUNCREF;
    case T_EXTERNREF: case T_NULLEXTERNREF: return T_EXTERNREF;
    case T_EXNREF: case T_NULLEXNREF: return T_EXNREF;
    default: return T_ANYREF;
    }
}

/* What a cast to a type asks for. */
static inline word match_word(const tm_env *env, uint32_t type) {
    word null = type & T_NON_NULL ? 0 : MATCH_NULL;
    uint32_t code = type & ~(uint32_t)T_NON_NULL;
    if (code & T_DEFINED) {
        uint32_t index = code & T_INDEX;
        return null | line_word(env, index) | (env->type_kinds[index] == KIND_func ? MATCH_FUNC : MATCH_LINE);
    }
    switch (code) {
    case T_ANYREF: case T_EXTERNREF: case T_FUNCREF: case T_EXNREF: return null | MATCH_I31 | MATCH_HOST | MATCH_OBJECT;
    case T_EQREF: return null | MATCH_I31 | MATCH_OBJECT;
    case T_I31REF: return null | MATCH_I31;
    case T_STRUCTREF: return null | MATCH_STRUCT;
    case T_ARRAYREF: return null | MATCH_ARRAY;
    default: return null; /* none, nofunc, noextern, noexn: nothing else */
    }
}

/* A list of types in an error: one type, or where in `sigs` they stand. */
static inline uint64_t list_place(const tm_env *env, uint32_t n, const uint32_t *types) {
    return LIST_SOME | (uint64_t)n << 32 | (n ? (uint64_t)(types - env->sigs) : 0);
}
static inline uint64_t list_code(const tm_env *env, uint32_t n, const uint32_t *types) {
    return n == 1 ? LIST_ONE | types[0] : list_place(env, n, types);
}

/* ---- in the binary format ---- */

/* A type as read: its code, and its type index if there is no such type. */
typedef struct tm_read {
    uint32_t code;
    int64_t unknown; /* -1: it is known */
} tm_read;

/* The feature that brought references to a heap type. */
static __attribute__((unused)) uint32_t heap_feature(uint32_t code, int nullable) {
    if (code & T_DEFINED) return FEATURE_FUNCTION_REFERENCES;
    switch (code) {
    case T_FUNCREF: case T_EXTERNREF: return nullable ? FEATURE_REFERENCE_TYPES : FEATURE_FUNCTION_REFERENCES;
    case T_EXNREF: case T_NULLEXNREF: return FEATURE_EXCEPTIONS;
    default: return FEATURE_GC;
    }
}

static __attribute__((unused)) int fail_reading(const tm_env *env, const uint8_t *at, int id, uint64_t a, tm_error *err) {
    err->id = id;
    err->offset = (uint64_t)(at - env->bytes);
    err->a = a;
    err->b = 0;
    return -1;
}

static __attribute__((unused)) int need_feature(const tm_env *env, uint32_t feature, const uint8_t *at, uint64_t *used, tm_error *err) {
    if (!(env->features >> feature & 1)) return fail_reading(env, at, E_feature_off, feature, err);
    *used |= 1ull << feature;
    return 0;
}

/* A heap type. 0, or -1 with the error filled in. */
static __attribute__((unused)) int read_heap_type(const tm_env *env, const uint8_t **pp, const uint8_t *end, int nullable, uint64_t *used, tm_read *out, tm_error *err) {
    const uint8_t *at = *pp;
    int64_t heap = 0;
    int wrong = read_signed(pp, end, 33, &heap);
    if (wrong) return fail_reading(env, at, wrong - 1, 0, err);
    out->unknown = -1;
    if (heap >= 0) {
        out->code = T_DEFINED | ((uint32_t)heap & T_INDEX);
        if (heap >= env->n_types) out->unknown = heap;
    } else {
        out->code = *at;
        if (*pp != at + 1 || *at < T_EXNREF || *at > T_NULLEXNREF) return fail_reading(env, at, E_malformed_heap_type, 0, err);
    }
    return need_feature(env, heap_feature(out->code, nullable), at, used, err);
}

/* A value type; `id` is the error for a byte that is none. 0, or -1 with the error filled in. */
static __attribute__((unused)) int read_value_type(const tm_env *env, const uint8_t **pp, const uint8_t *end, int id, uint64_t *used, tm_read *out, tm_error *err) {
    const uint8_t *at = *pp;
    if (at >= end) return fail_reading(env, at, E_unexpected_end, 0, err);
    out->code = *at;
    out->unknown = -1;
    if (is_number(*at)) {
        *pp = at + 1;
        return *at == T_V128 ? need_feature(env, FEATURE_SIMD, at, used, err) : 0;
    }
    if (*at >= T_EXNREF && *at <= T_NULLEXNREF) {
        *pp = at + 1;
        return need_feature(env, heap_feature(*at, 1), at, used, err);
    }
    if (*at != BYTE_REF && *at != BYTE_REF_NULL) return fail_reading(env, at, id, 0, err);
    if (need_feature(env, FEATURE_FUNCTION_REFERENCES, at, used, err)) return -1;
    int nullable = *at == BYTE_REF_NULL;
    *pp = at + 1;
    if (read_heap_type(env, pp, end, nullable, used, out, err)) return -1;
    if (!nullable) out->code |= T_NON_NULL;
    return 0;
}

/* Behind a value type of a valid body. */
static inline const uint8_t *skip_value_type(const uint8_t *p) {
    if (*p == BYTE_REF || *p == BYTE_REF_NULL) while (*++p & 0x80) { }
    return p + 1;
}
#endif
