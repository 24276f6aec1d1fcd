/* Floats with square roots and divisions: n steps of five bodies that attract each other. */
#include "kernel.h"

typedef struct {
    double x, y, z, vx, vy, vz, mass;
} Body;

static Body bodies[5];

EXPORT u32 run(u32 n) {
    u32 state = 0xdeadbeef;
    for (u32 i = 0; i < 5; i++) {
        double *fields = &bodies[i].x;
        for (u32 k = 0; k < 6; k++) fields[k] = (double)(i32)(next_random(&state) & 0xffff) / (k < 3 ? 4096 : 65536) - 0.5;
        bodies[i].mass = i ? 0.01 * i : 39.5;
    }
    while (n--) {
        for (u32 i = 0; i < 5; i++) {
            Body *p = &bodies[i];
            for (u32 k = i + 1; k < 5; k++) {
                Body *q = &bodies[k];
                double dx = p->x - q->x, dy = p->y - q->y, dz = p->z - q->z;
                double square = dx * dx + dy * dy + dz * dz + 0.01;
                double pull = 0.001 / (square * __builtin_sqrt(square));
                p->vx -= dx * q->mass * pull, p->vy -= dy * q->mass * pull, p->vz -= dz * q->mass * pull;
                q->vx += dx * p->mass * pull, q->vy += dy * p->mass * pull, q->vz += dz * p->mass * pull;
            }
        }
        for (u32 i = 0; i < 5; i++) {
            Body *p = &bodies[i];
            p->x += 0.001 * p->vx, p->y += 0.001 * p->vy, p->z += 0.001 * p->vz;
        }
    }
    double energy = 0;
    for (u32 i = 0; i < 5; i++) {
        Body *p = &bodies[i];
        energy += p->mass * (p->vx * p->vx + p->vy * p->vy + p->vz * p->vz);
    }
    union {
        double number;
        u64 bits;
    } result = {energy};
    return (u32)(result.bits ^ result.bits >> 32);
}
