/* Integers of 64 bits and unpredictable branches: the longest Collatz chain that starts below n. */
#include "kernel.h"

EXPORT u32 run(u32 n) {
    u32 longest = 0, best = 0;
    for (u32 start = 1; start < n; start++) {
        u64 value = start;
        u32 steps = 0;
        while (value != 1) {
            value = value & 1 ? 3 * value + 1 : value >> 1;
            steps++;
        }
        if (steps > longest) longest = steps, best = start;
    }
    return best ^ longest << 20;
}
