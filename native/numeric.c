/* Each plain instruction once more, outside of the loop: for comparing its meaning with the Python one, bit for bit. */
#include "engine.h"
#include "numerics.h"
#define TRAP(name) return 1 + TRAP_##name
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
