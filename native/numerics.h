/* Number helpers for the meanings (specification 4.3). No calls to libm: a handler must stay a leaf, so rounding is done with
   the constant that pushes the fraction out of the significand. NaN results of arithmetic are canonical. */
#ifndef TAMIS_NUMERICS_H
#define TAMIS_NUMERICS_H
#include <float.h>
#include <stdint.h>
#include <string.h>

_Static_assert(FLT_EVAL_METHOD == 0, "floating point must be evaluated in its own type");
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8 && DBL_MANT_DIG == 53 && FLT_MANT_DIG == 24, "IEC 60559 formats");
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the native engine is little endian only; the Python engines run here"
#endif

#define INL static inline __attribute__((always_inline))

INL uint32_t tm_bits_f32(float x) { uint32_t b; memcpy(&b, &x, 4); return b; }
INL uint64_t tm_bits_f64(double x) { uint64_t b; memcpy(&b, &x, 8); return b; }
INL float tm_float(uint32_t b) { float x; memcpy(&x, &b, 4); return x; }
INL double tm_double(uint64_t b) { double x; memcpy(&x, &b, 8); return x; }

/* The empty asm keeps the compiler from making a conditional move of it, which costs every result two trips through an
   integer register. */
INL float tm_canon_f32(float x) { if (__builtin_expect(x != x, 0)) { __asm__ volatile(""); return tm_float(0x7FC00000u); } return x; }
INL double tm_canon_f64(double x) {
    if (__builtin_expect(x != x, 0)) { __asm__ volatile(""); return tm_double(0x7FF8000000000000ull); }
    return x;
}

INL uint32_t tm_clz32(uint32_t a) { return a ? (uint32_t)__builtin_clz(a) : 32; }
INL uint32_t tm_ctz32(uint32_t a) { return a ? (uint32_t)__builtin_ctz(a) : 32; }
INL uint64_t tm_clz64(uint64_t a) { return a ? (uint64_t)__builtin_clzll(a) : 64; }
INL uint64_t tm_ctz64(uint64_t a) { return a ? (uint64_t)__builtin_ctzll(a) : 64; }
INL uint64_t tm_popcnt64(uint64_t a) { /* written out: without -mpopcnt the builtin is a library call */
    a -= (a >> 1) & 0x5555555555555555ull;
    a = (a & 0x3333333333333333ull) + ((a >> 2) & 0x3333333333333333ull);
    a = (a + (a >> 4)) & 0x0F0F0F0F0F0F0F0Full;
    return (a * 0x0101010101010101ull) >> 56;
}
INL uint32_t tm_popcnt32(uint32_t a) { return (uint32_t)tm_popcnt64(a); }

#define FLOAT_OPS(t, T, U, BITS, MAKE, SIGN, HUGE_, QNAN)                                                                     \
    INL T tm_sign_##t(T x, T sign) { return MAKE((BITS(x) & ~SIGN) | (BITS(sign) & SIGN)); }                                  \
    INL T tm_min_##t(T a, T b) {                                                                                              \
        if (__builtin_expect(a != a || b != b, 0)) return MAKE(QNAN);                                                         \
        return a == b ? MAKE(BITS(a) | BITS(b)) : a < b ? a : b;                                                              \
    }                                                                                                                         \
    INL T tm_max_##t(T a, T b) {                                                                                              \
        if (__builtin_expect(a != a || b != b, 0)) return MAKE(QNAN);                                                         \
        return a == b ? MAKE(BITS(a) & BITS(b)) : a > b ? a : b;                                                              \
    }                                                                                                                         \
    INL T tm_nearest_##t(T x) {                                                                                               \
        T m = MAKE(BITS(x) & ~SIGN);                                                                                          \
        if (!(m < HUGE_)) return x;                                                                                           \
        return tm_sign_##t((m + HUGE_) - HUGE_, x);                                                                           \
    }                                                                                                                         \
    INL T tm_trunc_##t(T x) {                                                                                                 \
        T m = MAKE(BITS(x) & ~SIGN);                                                                                          \
        return m < HUGE_ ? tm_sign_##t((T)(int64_t)x, x) : x;                                                                 \
    }                                                                                                                         \
    INL T tm_floor_##t(T x) {                                                                                                 \
        T r = tm_trunc_##t(x);                                                                                                \
        return r > x ? tm_sign_##t(r - 1, x) : r;                                                                             \
    }                                                                                                                         \
    INL T tm_ceil_##t(T x) {                                                                                                  \
        T r = tm_trunc_##t(x);                                                                                                \
        return r < x ? tm_sign_##t(r + 1, x) : r;                                                                             \
    }
FLOAT_OPS(f32, float, uint32_t, tm_bits_f32, tm_float, 0x80000000u, 8388608.0f, 0x7FC00000u)
FLOAT_OPS(f64, double, uint64_t, tm_bits_f64, tm_double, 0x8000000000000000ull, 4503599627370496.0, 0x7FF8000000000000ull)

#if defined(__x86_64__)
#include <emmintrin.h>
INL float tm_sqrt_f32(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
INL double tm_sqrt_f64(double x) { return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(x))); }
#else
INL float tm_sqrt_f32(float x) { return __builtin_sqrtf(x); }
INL double tm_sqrt_f64(double x) { return __builtin_sqrt(x); }
#endif

/* Float to integer: the open interval of values whose truncation fits, then the conversion, then its saturating form. */
#define TO_INT(i, s, t, T, C, LOW, HIGH, MIN, MAX)                                                                            \
    INL int tm_fits_##i##_##s##_##t(T a) { return a > (T)(LOW) && a < (T)(HIGH); }                                            \
    INL C tm_to_##i##_##s##_##t(T a) { return (C)a; }                                                                         \
    INL C tm_sat_##i##_##s##_##t(T a) { return a != a ? 0 : a > (T)(LOW) ? (a < (T)(HIGH) ? (C)a : (C)(MAX)) : (C)(MIN); }
#define U_TO(i, t, T, U, LOW, HIGH, MAX)                                                                                      \
    INL int tm_fits_##i##_u_##t(T a) { return a > (T)-1.0 && a < (T)(HIGH); }                                                 \
    INL U tm_to_##i##_u_##t(T a) { return (U)a; }                                                                             \
    INL U tm_sat_##i##_u_##t(T a) { return a > (T)-1.0 ? (a < (T)(HIGH) ? (U)a : MAX) : 0; }
TO_INT(i32, s, f64, double, int32_t, -2147483649.0, 2147483648.0, INT32_MIN, INT32_MAX)
/* the next float below -2^31 is -2147483904, so the open bound is that one; likewise for the others */
TO_INT(i32, s, f32, float, int32_t, -2147483904.0f, 2147483648.0f, INT32_MIN, INT32_MAX)
TO_INT(i64, s, f32, float, int64_t, -9223373136366403584.0f, 9223372036854775808.0f, INT64_MIN, INT64_MAX)
TO_INT(i64, s, f64, double, int64_t, -9223372036854777856.0, 9223372036854775808.0, INT64_MIN, INT64_MAX)
U_TO(i32, f32, float, uint32_t, -1, 4294967296.0f, UINT32_MAX)
U_TO(i32, f64, double, uint32_t, -1, 4294967296.0, UINT32_MAX)
U_TO(i64, f32, float, uint64_t, -1, 18446744073709551616.0f, UINT64_MAX)
U_TO(i64, f64, double, uint64_t, -1, 18446744073709551616.0, UINT64_MAX)

/* The upper half of a product of 128 bits. */
INL uint64_t tm_high_u64(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
    return (uint64_t)((unsigned __int128)a * b >> 64);
#else
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t middle = ah * bl + (al * bl >> 32), other = al * bh + (uint32_t)middle;
    return ah * bh + (middle >> 32) + (other >> 32);
#endif
}
INL uint64_t tm_high_s64(uint64_t a, uint64_t b) {
    return tm_high_u64(a, b) - ((int64_t)a < 0 ? b : 0) - ((int64_t)b < 0 ? a : 0);
}

#endif
