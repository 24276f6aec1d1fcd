/* Memory: n rounds of the sieve of Eratosthenes over 100,000 bytes; the number of primes, mixed. */
#include "kernel.h"

#define SIZE 100000
static u8 composite[SIZE];

EXPORT u32 run(u32 n) {
    u32 mix = 0;
    while (n--) {
        u32 count = 0;
        for (u32 i = 0; i < SIZE; i++) composite[i] = 0;
        for (u32 i = 2; i < SIZE; i++) {
            if (composite[i]) continue;
            count++;
            for (u32 k = i + i; k < SIZE; k += i) composite[k] = 1;
        }
        mix = mix * 33 + count;
    }
    return mix;
}
