/* Byte copying: packs 32 KiB by references to what came before, unpacks and compares it, n times. */
#include "kernel.h"

#define SIZE 32768
static u8 plain[SIZE], packed[2 * SIZE], unpacked[SIZE];
static u32 heads[4096];

static u32 hash_at(const u8 *p) { return ((p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24) * 2654435761u) >> 20; }

/* Tokens: 0 to 127 is that many bytes plus one, as they are; 128 to 255 repeats (token - 124) bytes from a distance of 16 bits. */
static u32 pack(void) {
    u32 out = 0, literals = 0, at = 0;
    for (u32 i = 0; i < 4096; i++) heads[i] = 0;
    while (at < SIZE) {
        u32 best = 0, from = 0;
        if (at + 4 <= SIZE) {
            u32 slot = hash_at(plain + at);
            from = heads[slot];
            heads[slot] = at;
            if (from < at && at - from < 65536)
                while (best < 131 && at + best < SIZE && plain[from + best] == plain[at + best]) best++;
        }
        if (best < 4) {
            if (!literals) packed[out++] = 0;
            packed[out++] = plain[at++];
            literals++;
            packed[out - literals - 1] = (u8)(literals - 1);
            if (literals == 128) literals = 0;
            continue;
        }
        literals = 0;
        packed[out++] = (u8)(124 + best);
        packed[out++] = (u8)(at - from);
        packed[out++] = (u8)((at - from) >> 8);
        at += best;
    }
    return out;
}

static u32 unpack(u32 length) {
    u32 out = 0;
    for (u32 at = 0; at < length;) {
        u32 token = packed[at++];
        if (token < 128) {
            for (u32 i = 0; i <= token; i++) unpacked[out++] = packed[at++];
        } else {
            u32 distance = packed[at] | packed[at + 1] << 8;
            at += 2;
            for (u32 i = 0; i < token - 124; i++, out++) unpacked[out] = unpacked[out - distance];
        }
    }
    return out;
}

EXPORT u32 run(u32 n) {
    u32 state = 0xfeedface, sum = 0;
    for (u32 i = 0; i < SIZE; i++) plain[i] = (u8)(i > 600 && i % 64 > 20 ? plain[i - 512 - i % 7] : next_random(&state) >> 24);
    while (n--) {
        u32 length = pack();
        if (unpack(length) != SIZE) return 0xffffffff;
        for (u32 i = 0; i < SIZE; i++)
            if (plain[i] != unpacked[i]) return 0xfffffffe;
        sum = sum * 31 + length;
        plain[n % SIZE] ^= (u8)n;
    }
    return sum;
}
