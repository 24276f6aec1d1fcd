/* Numbers of the binary format (specification 5.2.2). Each gives 0, or 1 + the row of BODY_ERRORS; *pp moves only on success. */
#ifndef TAMIS_READER_H
#define TAMIS_READER_H
#include "engine.h"

static __attribute__((noinline)) int read_unsigned_slow(const uint8_t **pp, const uint8_t *end, int bits, uint64_t *out) {
    const uint8_t *p = *pp;
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        if (p >= end) return 1 + E_unexpected_end;
        uint8_t byte = *p++;
        if (shift + 7 >= bits) { /* the last byte there may be */
            if (byte & 0x80) return 1 + E_leb_too_long;
            if (byte >> (bits - shift)) return 1 + E_leb_too_large;
        }
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) break;
    }
    *pp = p;
    *out = value;
    return 0;
}

static __attribute__((noinline)) int read_signed_slow(const uint8_t **pp, const uint8_t *end, int bits, int64_t *out) {
    const uint8_t *p = *pp;
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        if (p >= end) return 1 + E_unexpected_end;
        uint8_t byte = *p++;
        int room = bits - shift; /* bits that this byte may still bring, its sign bit among them */
        if (room <= 7) {
            if (byte & 0x80) return 1 + E_leb_too_long;
            uint8_t rest = (uint8_t)((0x7F << (room - 1)) & 0x7F);
            if ((byte & rest) != 0 && (byte & rest) != rest) return 1 + E_leb_too_large;
        }
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            shift += 7;
            if (shift < 64 && (byte & 0x40)) value |= ~(uint64_t)0 << shift;
            break;
        }
    }
    *pp = p;
    *out = (int64_t)value;
    return 0;
}

static inline __attribute__((always_inline)) int read_u32(const uint8_t **pp, const uint8_t *end, uint32_t *out) {
    const uint8_t *p = *pp;
    if (likely(p < end && *p < 0x80)) { *out = *p; *pp = p + 1; return 0; }
    uint64_t value = 0;
    int e = read_unsigned_slow(pp, end, 32, &value);
    *out = (uint32_t)value;
    return e;
}

static inline __attribute__((always_inline)) int read_u64(const uint8_t **pp, const uint8_t *end, uint64_t *out) {
    const uint8_t *p = *pp;
    if (likely(p < end && *p < 0x80)) { *out = *p; *pp = p + 1; return 0; }
    return read_unsigned_slow(pp, end, 64, out);
}

static inline __attribute__((always_inline)) int read_signed(const uint8_t **pp, const uint8_t *end, int bits, int64_t *out) {
    const uint8_t *p = *pp;
    if (likely(p < end && *p < 0x80)) { *out = (int64_t)((uint64_t)*p << 57) >> 57; *pp = p + 1; return 0; }
    return read_signed_slow(pp, end, bits, out);
}
#endif
