/* Floats: the product of two 96 x 96 matrices, n times. */
#include "kernel.h"

#define SIZE 96
static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

EXPORT u32 run(u32 n) {
    for (u32 i = 0; i < SIZE; i++)
        for (u32 k = 0; k < SIZE; k++) {
            a[i][k] = (double)((i * 7 + k * 3) % 11) / 8;
            b[i][k] = (double)((i * 5 + k) % 13) / 16;
        }
    double trace = 0;
    while (n--) {
        for (u32 i = 0; i < SIZE; i++)
            for (u32 k = 0; k < SIZE; k++) {
                double sum = 0;
                for (u32 j = 0; j < SIZE; j++) sum += a[i][j] * b[j][k];
                c[i][k] = sum;
            }
        for (u32 i = 0; i < SIZE; i++) trace += c[i][i];
        a[n % SIZE][n % 7] += 0.125;
    }
    return (u32)(i64)(trace * 64);
}
