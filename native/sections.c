/* Data segments in bulk. Go's linker leaves out runs of zeros and so makes a segment of some 30 bytes of contents: a filter
 * of 6 MB has 60,000 of them, too many to be looked at one by one from Python.
 *
 * A segment is *simple* if it is active, for memory 0, and its address is a lone i32.const. */
#include "engine.h"

/* A LEB128 number of at most 5 bytes that begins at *pos; gives 0 if it does not end before `end` or has more than 32 bits. */
static int read_unsigned(const uint8_t *bytes, uint64_t *pos, uint64_t end, uint32_t *value) {
    uint32_t result = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (*pos >= end) return 0;
        uint8_t byte = bytes[(*pos)++];
        if (shift == 28 && byte > 0x0F) return 0;
        result |= (uint32_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *value = result;
            return 1;
        }
    }
    return 0;
}

static int read_signed(const uint8_t *bytes, uint64_t *pos, uint64_t end, uint32_t *value) {
    uint32_t result = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (*pos >= end) return 0;
        uint8_t byte = bytes[(*pos)++];
        /* the last byte has 4 bits of value and 3 copies of the sign */
        if (shift == 28 && byte > 0x07 && byte < 0x78) return 0;
        if (shift == 28 && byte > 0x7F) return 0;
        result |= (uint32_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            if (shift < 28 && byte & 0x40) result |= ~0u << (shift + 7);
            *value = result;
            return 1;
        }
    }
    return 0;
}

/* Reads simple segments from pos on, at most `count`, and stops before the first one that is not simple or not well formed.
 * Per segment: where it begins, where its contents begin, its address. Gives how many there were; heads gets one entry
 * more, the place after the last one. Places fit into 32 bits: the caller sees to it. */
uint64_t tm_scan_datas(const uint8_t *bytes, uint64_t pos, uint64_t end, uint64_t count, uint32_t *heads, uint32_t *starts,
                       uint32_t *addresses) {
    uint64_t n = 0;
    heads[0] = (uint32_t)pos;
    while (n < count) {
        uint64_t at = pos + 2;
        uint32_t address, size;
        if (end - pos < 2 || bytes[pos] != 0x00 || bytes[pos + 1] != 0x41) break;
        if (!read_signed(bytes, &at, end, &address)) break;
        if (at >= end || bytes[at++] != 0x0B) break;
        if (!read_unsigned(bytes, &at, end, &size)) break;
        if (size > end - at) break;
        addresses[n] = address;
        starts[n] = (uint32_t)at;
        pos = at + size;
        heads[++n] = (uint32_t)pos;
    }
    return n;
}

/* Writes simple segments into a memory, in order, up to the first one that does not fit; gives how many were written. */
uint64_t tm_write_datas(tm_memory *memory, const uint8_t *bytes, const uint32_t *heads, const uint32_t *starts,
                        const uint32_t *addresses, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        uint64_t size = heads[i + 1] - starts[i];
        if (addresses[i] + size > memory->length) return i;
        if (size) memcpy(memory->base + addresses[i], bytes + starts[i], size);
    }
    return count;
}
