/* Floats and branches: iterations of an n x n picture of the Mandelbrot set, at most 200 a point. */
#include "kernel.h"

EXPORT u32 run(u32 n) {
    u32 sum = 0;
    for (u32 row = 0; row < n; row++)
        for (u32 column = 0; column < n; column++) {
            double cr = 3.0 * column / n - 2.2, ci = 2.4 * row / n - 1.2, r = 0, i = 0;
            u32 k = 0;
            while (k < 200) {
                double rr = r * r, ii = i * i;
                if (rr + ii > 4.0) break;
                i = 2 * r * i + ci;
                r = rr - ii + cr;
                k++;
            }
            sum = sum * 3 + k;
        }
    return sum;
}
