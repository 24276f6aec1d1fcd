/* Vector helpers for the meanings in vectors.py (specification 4.3.6): the compiler's vector types, so that plain SSE2, NEON or
   no vector unit at all will do. A v128 stands in two consecutive cells, the low half first. */
#ifndef TAMIS_VECTORS_H
#define TAMIS_VECTORS_H
#include "numerics.h"

/* Each type three times: as a value, as it stands in cells (T_in) and as it stands in memory (T_at). */
#define VECTOR(E, n, T)                                                                                                       \
    typedef E T __attribute__((vector_size(n)));                                                                              \
    typedef E T##_in __attribute__((vector_size(n), aligned(8), may_alias));                                                  \
    typedef E T##_at __attribute__((vector_size(n), aligned(1), may_alias));
VECTOR(uint8_t, 16, u8x16) VECTOR(uint16_t, 16, u16x8) VECTOR(uint32_t, 16, u32x4) VECTOR(uint64_t, 16, u64x2)
VECTOR(int8_t, 16, i8x16) VECTOR(int16_t, 16, i16x8) VECTOR(int32_t, 16, i32x4) VECTOR(int64_t, 16, i64x2)
VECTOR(float, 16, f32x4) VECTOR(double, 16, f64x2)
/* halves, to be widened */
VECTOR(uint8_t, 8, u8x8) VECTOR(uint16_t, 8, u16x4) VECTOR(uint32_t, 8, u32x2)
VECTOR(int8_t, 8, i8x8) VECTOR(int16_t, 8, i16x4) VECTOR(int32_t, 8, i32x2) VECTOR(float, 8, f32x2)

#define R_V(T, x) (*(const T##_in *)(sp + (x)))
#define W_V(x, v) (*(u64x2_in *)(sp + (x)) = (u64x2)(v))
#define LANE(E, x, n) (((const E *)(sp + (x)))[n])
#define SET_LANE(E, x, n, v) (((E *)(sp + (x)))[n] = (v))

#define CONV(T, v) __builtin_convertvector(v, T)
#define EACH2(T, f, v) ((T){f((v)[0]), f((v)[1])})
#define EACH4(T, f, v) ((T){f((v)[0]), f((v)[1]), f((v)[2]), f((v)[3])})

/* The bits of a where the mask has ones, else those of b. */
#define PICK(mask, a, b) tm_pick((u64x2)(mask), (u64x2)(a), (u64x2)(b))
INL u64x2 tm_pick(u64x2 mask, u64x2 a, u64x2 b) { return (mask & a) | (~mask & b); }

/* ---- integers ---- */
/* Lanes of n bits: `E` unsigned, `U` and `S` the vectors, `MAX` the greatest signed one. */
#define INTEGERS(shape, E, U, S, n, MAX)                                                                                      \
    INL U tm_add_sat_s_##shape(U a, U b) {                                                                                    \
        U sum = a + b, full = (U)((S)a >> (n - 1)) ^ (E)MAX;                                                                  \
        return (U)PICK((S)((a ^ sum) & (b ^ sum)) >> (n - 1), full, sum);                                                     \
    }                                                                                                                         \
    INL U tm_sub_sat_s_##shape(U a, U b) {                                                                                    \
        U rest = a - b, full = (U)((S)a >> (n - 1)) ^ (E)MAX;                                                                 \
        return (U)PICK((S)((a ^ b) & (a ^ rest)) >> (n - 1), full, rest);                                                     \
    }                                                                                                                         \
    INL S tm_clamp_##shape(S a, S low, S high) {                                                                              \
        a = (S)PICK(a < low, low, a);                                                                                         \
        return (S)PICK(a > high, high, a);                                                                                    \
    }
INTEGERS(i8x16, uint8_t, u8x16, i8x16, 8, 0x7F)
INTEGERS(i16x8, uint16_t, u16x8, i16x8, 16, 0x7FFF)
INTEGERS(i32x4, uint32_t, u32x4, i32x4, 32, 0x7FFFFFFF)

#define NARROW(T, clamp, low, high)                                                                                           \
    ((u64x2){(uint64_t)CONV(T, clamp(a, (a ^ a) + (low), (a ^ a) + (high))), (uint64_t)CONV(T, clamp(b, (a ^ a) + (low), (a ^ a) + (high)))})

INL u8x16 tm_popcnt_i8x16(u8x16 a) {
    a -= (a >> 1) & 0x55;
    a = (a & 0x33) + ((a >> 2) & 0x33);
    return (a + (a >> 4)) & 0x0F;
}

/* The even and the odd lanes of 16 bits, as numbers of 32. */
INL i32x4 tm_even(i32x4 a) { return (i32x4)((u32x4)a << 16) >> 16; }
INL i32x4 tm_odd(i32x4 a) { return a >> 16; }
INL u32x4 tm_dot(i32x4 a, i32x4 b) {
    return (u32x4)tm_even(a) * (u32x4)tm_even(b) + (u32x4)tm_odd(a) * (u32x4)tm_odd(b);
}
/* (x * y + 2^14) >> 15; only -1 times -1 does not fit. */
INL i32x4 tm_q15(i32x4 x, i32x4 y) {
    i32x4 r = (x * y + 0x4000) >> 15;
    return r + (r == 0x8000);
}
INL u64x2 tm_q15mulr(i32x4 a, i32x4 b) {
    u32x4 even = (u32x4)tm_q15(tm_even(a), tm_even(b)), odd = (u32x4)tm_q15(tm_odd(a), tm_odd(b));
    return (u64x2)((even & 0xFFFF) | (odd << 16));
}
/* Products of bytes summed by twos. The deterministic choice: both signed, the sum saturated. */
INL u16x8 tm_dot_bytes(i16x8 a, i16x8 b) {
    i16x8 even = ((i16x8)((u16x8)a << 8) >> 8) * ((i16x8)((u16x8)b << 8) >> 8), odd = (a >> 8) * (b >> 8);
    return tm_add_sat_s_i16x8((u16x8)even, (u16x8)odd);
}

/* Whether a cell has a lane that is zero: a borrow reaches its highest bit, which was not set. */
#define HAS_ZERO(cell, ones, highs) (((cell) - (ones)) & ~(cell) & (highs))
INL uint32_t tm_any_true(u64x2 a) { return (a[0] | a[1]) != 0; }
INL uint32_t tm_all_true_i8x16(u64x2 a) {
    return (HAS_ZERO(a[0], 0x0101010101010101ull, 0x8080808080808080ull) | HAS_ZERO(a[1], 0x0101010101010101ull, 0x8080808080808080ull)) == 0;
}
INL uint32_t tm_all_true_i16x8(u64x2 a) {
    return (HAS_ZERO(a[0], 0x0001000100010001ull, 0x8000800080008000ull) | HAS_ZERO(a[1], 0x0001000100010001ull, 0x8000800080008000ull)) == 0;
}
INL uint32_t tm_all_true_i32x4(u64x2 a) {
    return (HAS_ZERO(a[0], 0x0000000100000001ull, 0x8000000080000000ull) | HAS_ZERO(a[1], 0x0000000100000001ull, 0x8000000080000000ull)) == 0;
}
INL uint32_t tm_all_true_i64x2(u64x2 a) { return (a[0] != 0) & (a[1] != 0); }

/* The signs of the lanes in a cell are gathered by a product whose terms do not meet. */
#define SIGNS8(cell) ((uint32_t)((((cell) >> 7 & 0x0101010101010101ull) * 0x0102040810204080ull) >> 56))
#define SIGNS16(cell) ((uint32_t)((((cell) >> 15 & 0x0001000100010001ull) * 0x0001000200040008ull) >> 48 & 15))
#define SIGNS32(cell) ((uint32_t)((cell) >> 31 & 1) | (uint32_t)((cell) >> 63) << 1)
INL uint32_t tm_bitmask_i8x16(u64x2 a) { return SIGNS8(a[0]) | SIGNS8(a[1]) << 8; }
INL uint32_t tm_bitmask_i16x8(u64x2 a) { return SIGNS16(a[0]) | SIGNS16(a[1]) << 4; }
INL uint32_t tm_bitmask_i32x4(u64x2 a) { return SIGNS32(a[0]) | SIGNS32(a[1]) << 2; }
INL uint32_t tm_bitmask_i64x2(u64x2 a) { return (uint32_t)(a[0] >> 63) | (uint32_t)(a[1] >> 63) << 1; }

/* Bytes chosen by index, from operands as they stand in cells; half a result at a time. */
INL uint64_t tm_shuffle_half(const uint8_t *a, const uint8_t *b, const uint8_t *lanes) {
    uint64_t half = 0;
    for (int k = 7; k >= 0; k--) half = half << 8 | (lanes[k] < 16 ? a : b)[lanes[k] & 15];
    return half;
}
INL uint64_t tm_swizzle_half(const uint8_t *a, const uint8_t *lanes) {
    uint64_t half = 0;
    for (int k = 7; k >= 0; k--) half = half << 8 | (lanes[k] < 16 ? a[lanes[k] & 15] : 0);
    return half;
}
#define SHUFFLE(x, y, lanes) ((u64x2){tm_shuffle_half((const uint8_t *)(sp + (x)), (const uint8_t *)(sp + (y)), (const uint8_t *)(lanes)),     \
                                      tm_shuffle_half((const uint8_t *)(sp + (x)), (const uint8_t *)(sp + (y)), (const uint8_t *)(lanes) + 8)})
#define SWIZZLE(x, y) ((u64x2){tm_swizzle_half((const uint8_t *)(sp + (x)), (const uint8_t *)(sp + (y))),                     \
                               tm_swizzle_half((const uint8_t *)(sp + (x)), (const uint8_t *)(sp + (y)) + 8)})

/* ---- floats: arithmetic that gives NaN gives the canonical one; the others keep bits ---- */
#define FLOATS(V, U, E, ONE, SIGN, HUGE_, QNAN)                                                                               \
    INL V tm_canon_##V(V x) { return (V)PICK(x == x, x, (U){0} + (E)QNAN); }                                                  \
    INL V tm_min_##V(V a, V b) {                                                                                              \
        V least = (V)PICK(a == b, (U)a | (U)b, PICK(a < b, a, b));                                                            \
        return (V)PICK((a == a) & (b == b), least, (U){0} + (E)QNAN);                                                         \
    }                                                                                                                         \
    INL V tm_max_##V(V a, V b) {                                                                                              \
        V most = (V)PICK(a == b, (U)a & (U)b, PICK(a > b, a, b));                                                             \
        return (V)PICK((a == a) & (b == b), most, (U){0} + (E)QNAN);                                                          \
    }                                                                                                                         \
    /* x where it has no fraction, else r with the sign of x */                                                               \
    INL V tm_round_##V(V x, V r) {                                                                                            \
        V m = (V)((U)x & ~(E)SIGN);                                                                                           \
        return tm_canon_##V((V)PICK(m < HUGE_, ((U)r & ~(E)SIGN) | ((U)x & (E)SIGN), x));                                     \
    }                                                                                                                         \
    /* to the nearest integer, for magnitudes below HUGE_, whose significand has no room for a fraction */                    \
    INL V tm_integer_##V(V x) {                                                                                               \
        U sign = (U)x & (E)SIGN;                                                                                              \
        V m = (V)((U)x & ~(E)SIGN);                                                                                           \
        return (V)((U)((m + HUGE_) - HUGE_) | sign);                                                                          \
    }                                                                                                                         \
    INL V tm_nearest_##V(V x) { return tm_round_##V(x, tm_integer_##V(x)); }                                                  \
    INL V tm_floor_##V(V x) { V r = tm_integer_##V(x); return tm_round_##V(x, r - (V)((U)(r > x) & (E)ONE)); }                \
    INL V tm_ceil_##V(V x) { V r = tm_integer_##V(x); return tm_round_##V(x, r + (V)((U)(r < x) & (E)ONE)); }                 \
    INL V tm_trunc_##V(V x) {                                                                                                 \
        V m = (V)((U)x & ~(E)SIGN), r = tm_integer_##V(m);                                                                    \
        return tm_round_##V(x, r - (V)((U)(r > m) & (E)ONE));                                                                 \
    }
FLOATS(f32x4, u32x4, uint32_t, 0x3F800000u, 0x80000000u, 8388608.0f, 0x7FC00000u)
FLOATS(f64x2, u64x2, uint64_t, 0x3FF0000000000000ull, 0x8000000000000000ull, 4503599627370496.0, 0x7FF8000000000000ull)

#if defined(__x86_64__)
INL f32x4 tm_sqrt_f32x4(f32x4 x) { return (f32x4)_mm_sqrt_ps((__m128)x); }
INL f64x2 tm_sqrt_f64x2(f64x2 x) { return (f64x2)_mm_sqrt_pd((__m128d)x); }
#else
INL f32x4 tm_sqrt_f32x4(f32x4 x) { return EACH4(f32x4, tm_sqrt_f32, x); }
INL f64x2 tm_sqrt_f64x2(f64x2 x) { return EACH2(f64x2, tm_sqrt_f64, x); }
#endif
#endif
