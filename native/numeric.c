/* Each plain instruction once more, outside of the loop: for comparing its meaning with the Python one, bit for bit. */
#include "engine.h"
#include "numerics.h"
#include "vectors.h"
#define TRAP(name) return 1 + TRAP_##name
#define R_i32(x) ((uint32_t)sp[x])
#define R_i64(x) (sp[x])
#define K_i32(w) ((uint32_t)(w))
#define K_i64(w) ((uint64_t)(w))
#define K_f32(w) tm_float((uint32_t)(w))
#define K_f64(w) tm_double(w)
#define W_i32(x, v) (sp[x] = (uint32_t)(v))
#define W_i64(x, v) (sp[x] = (uint64_t)(v))
#define W_f32(x, v) (sp[x] = tm_bits_f32(v))
#define W_f64(x, v) (sp[x] = tm_bits_f64(v))

int tm_numeric(uint32_t op, uint64_t a_, uint64_t b_, uint64_t *result) {
    (void)b_;
    switch (op) {
#include "generated/numeric.inc"
    default: return -1;
    }
}

int tm_vector(uint32_t op, const uint64_t *operands, const uint64_t *immediate, uint64_t *result) {
    word cells[8], *sp = cells;
    const word ip[4] = {0, 0, immediate[0], immediate[1]}; /* where an instruction has them */
    memset(cells, 0, sizeof cells);
    memcpy(cells + 2, operands, 6 * sizeof *operands);
    switch (op) {
#include "generated/vector.inc"
    default: return -1;
    }
    memcpy(result, cells, 2 * sizeof *result);
    return 0;
}
