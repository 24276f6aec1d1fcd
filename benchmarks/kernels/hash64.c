/* Hash, 64 bit: n rounds of FNV-1a over bytes and of a multiply-and-rotate hash over words of 16 KiB. */
#include "kernel.h"

static union {
    u8 bytes[16384];
    u64 words[2048];
} data;

EXPORT u32 run(u32 n) {
    u32 state = 0x9e3779b9;
    for (u32 i = 0; i < sizeof data; i++) data.bytes[i] = (u8)next_random(&state);
    u64 mixed = 0;
    while (n--) {
        u64 fnv = 0xcbf29ce484222325ull, lane = mixed + n;
        for (u32 i = 0; i < sizeof data; i++) fnv = (fnv ^ data.bytes[i]) * 0x100000001b3ull;
        for (u32 i = 0; i < sizeof data / 8; i++) {
            lane += data.words[i] * 0xc2b2ae3d27d4eb4full;
            lane = (lane << 31 | lane >> 33) * 0x9e3779b185ebca87ull;
        }
        mixed ^= fnv + lane;
    }
    return (u32)(mixed ^ mixed >> 32);
}
