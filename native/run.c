/* The loop: every handler, and the one function that enters and leaves it. README.md has the rules.

   Three forms of the same bodies; dispatch.h chooses. */
#include "dispatch.h"
#include "engine.h"
#include "fence.h"
#include "heap.h"
#include "numerics.h"
#include "vectors.h"

/* Where the words of the instruction begin, seen from ip: the later parts of a handler for several have others (fuse.py). */
enum { here = 0 };
#define WORD(n) (ip[here + (n)])
#define A (((const uint16_t *)(ip + here + 1))[0])
#define B (((const uint16_t *)(ip + here + 1))[1])
#define C (((const uint16_t *)(ip + here + 1))[2])
#define D (((const uint16_t *)(ip + here + 1))[3])
/* Both values of a choice are at hand, so that it becomes no branch: one that nobody could foresee costs more than either. */
#define IN_REGISTER(x) __asm__("" : "+r"(x))
#define R_i32(x) ((uint32_t)sp[x])
#define R_i64(x) (sp[x])
#define R_f32(x) tm_float((uint32_t)sp[x])
#define R_f64(x) tm_double(sp[x])
#define K_i32(w) ((uint32_t)(w))
#define K_i64(w) ((uint64_t)(w))
#define K_f32(w) tm_float((uint32_t)(w))
#define K_f64(w) tm_double(w)
#define W_i32(x, v) (sp[x] = (uint32_t)(v))
#define W_i64(x, v) (sp[x] = (uint64_t)(v))
#define W_f32(x, v) (sp[x] = tm_bits_f32(v))
#define W_f64(x, v) (sp[x] = tm_bits_f64(v))

/* A handler leaves by a jump to one of these, so that what they have to write down stands in the code once. */
#define TRAP(name) GO_COLD(trap_##name)
#define BOUNDS(ea, n) do { if (unlikely((ea) + (n) > ml)) TRAP(memory_bounds); } while (0)
#define ALIGNED(ea, n) do { if (unlikely((ea) & ((n) - 1))) TRAP(unaligned_atomic); } while (0)
/* A tick before a branch to a loop. Nothing has changed yet, so leaving and coming back runs the same instruction again. */
#ifdef TAMIS_NO_TICKS /* for measuring what they cost, and nothing else: such a build cannot be interrupted */
#define TICK (void)0
#define CHARGE(n) (void)(n)
#else
#define TICK do { if (unlikely(--left < 0)) GO_COLD(slice_one); } while (0)
#define CHARGE(n) do { int64_t n_ = (int64_t)(n); if (unlikely((left -= n_) < 0)) { left += n_; cx->need = (uint64_t)n_; LEAVE(TM_EXIT_SLICE); } } while (0)
#endif
#define JUMP do { ip = (const word *)(uintptr_t)WORD(2); DISPATCH; } while (0)
#define NEXT(n) do { ip += here + (n); DISPATCH; } while (0)
#define LOAD_MEMORY do { mem = cx->instance->memory->base; ml = cx->instance->memory->length; } while (0)
#define LEAVE(code) do { cx->exit = (code); GO_COLD(leave); } while (0)
#define STATE_OUT                                                                                                             \
    do {                                                                                                                      \
        cx->ip = ip; cx->sp = sp; cx->left = left;                                                                                             \
        cx->r[0] = r0; cx->r[1] = r1; cx->r[2] = r2; cx->r[3] = r3; cx->f[0] = f0; cx->f[1] = f1; cx->f[2] = f2; cx->f[3] = f3;                             \
    } while (0)

/* Enters function f_ of instance i_ with its arguments at sp_; back_ is where the caller goes on. */
#define ENTER(f_, i_, sp_, back_)                                                                                             \
    do {                                                                                                                      \
        tm_func *e_f = (f_);                                                                                                  \
        tm_instance *e_i = (i_);                                                                                              \
        CHARGE(e_f->ticks);                                                                                                   \
        tm_frame *e_fp = cx->fp;                                                                                              \
        uint64_t e_cells = e_fp->cells + e_f->cells;                                                                          \
        if (unlikely(e_fp + 1 >= cx->fp_limit || e_cells > cx->cells_limit)) LEAVE(TM_EXIT_EXHAUSTED);                        \
        e_fp->ip = (back_);                                                                                                   \
        e_fp->sp = sp;                                                                                                        \
        e_fp[1].func = e_f;                                                                                                   \
        e_fp[1].instance = e_i;                                                                                               \
        e_fp[1].cells = e_cells;                                                                                              \
        cx->fp = e_fp + 1;                                                                                                    \
        sp = (sp_);                                                                                                           \
        FENCE(cx, sp + e_f->cells);                                                                                           \
        if (e_i != cx->instance) { cx->instance = e_i; LOAD_MEMORY; }                                                         \
        ip = e_f->code;                                                                                                       \
        DISPATCH;                                                                                                             \
    } while (0)

#define RETURN                                                                                                                \
    do {                                                                                                                      \
        tm_frame *r_fp = --cx->fp;                                                                                            \
        ip = r_fp->ip;                                                                                                        \
        sp = r_fp->sp;                                                                                                        \
        FENCE(cx, sp + r_fp->func->cells);                                                                                    \
        if (unlikely(r_fp->instance != cx->instance)) { cx->instance = r_fp->instance; LOAD_MEMORY; }                         \
        DISPATCH;                                                                                                             \
    } while (0)

/* Calls whatever a store address holds: a host function leaves the loop. */
#define CALL_ADDR(addr_)                                                                                                      \
    do {                                                                                                                      \
        tm_funcinst *c_fi = (addr_);                                                                                          \
        if (likely(c_fi->func != NULL)) ENTER(c_fi->func, c_fi->instance, sp + A, ip + call_size);                                                \
        TICK;                                                                                                                 \
        cx->addr = c_fi->addr;                                                                                                \
        cx->args = sp + A;                                                                                                    \
        cx->tail = 0;                                                                                                         \
        ip += call_size;                                                                                                      \
        LEAVE(TM_EXIT_HOST_CALL);                                                                                             \
    } while (0)

/* The function of a reference that is not null; an embedder's raw bits may be anything. */
#define REFERRED(fi_, ref_)                                                                                                   \
    if (unlikely((ref_) > cx->n_funcs || !cx->funcs[(ref_) - 1])) LEAVE(TM_EXIT_BAD_REFERENCE);                               \
    tm_funcinst *fi_ = cx->funcs[(ref_) - 1]
/* Whether a function is of the type that a `line_word` tells, or of a subtype. */
#define LINE_FITS(line_, w_) ((line_)[0] >= ((w_) >> 32 & 0xFFFF) && (line_)[1 + ((w_) >> 32 & 0xFFFF)] == (uint32_t)(w_))
#define FUNC_FITS(fi_, w_) (likely((fi_)->type_id == (uint32_t)(w_)) || LINE_FITS((fi_)->line, w_))

/* Whether a reference is of a type, told by a word of MATCH_ flags. */
#define MATCH(yes_, ref_, w_)                                                                                                 \
    uint64_t m_w = (w_);                                                                                                      \
    uint64_t m_r = (ref_);                                                                                                    \
    int yes_;                                                                                                                 \
    if (m_r == 0) yes_ = (m_w & MATCH_NULL) != 0;                                                                             \
    else if (m_w & MATCH_FUNC) { REFERRED(m_f, m_r); yes_ = FUNC_FITS(m_f, m_w); }                                            \
    else if (m_r >> 63) yes_ = (m_w & MATCH_I31) != 0;                                                                        \
    else if (!(m_r >> 62)) yes_ = (m_w & MATCH_HOST) != 0;                                                                    \
    else if (m_w & MATCH_OBJECT) yes_ = 1;                                                                                    \
    else {                                                                                                                    \
        const tm_object *m_o = tm_object_of(cx->heap, m_r);                                                                   \
        yes_ = m_o && (m_w & MATCH_LINE                    ? LINE_FITS(m_o->layout->line, m_w)                                \
                       : m_o->shape < TM_SHAPE_STRUCTURE   ? (m_w & MATCH_ARRAY) != 0                                         \
                       : m_o->shape == TM_SHAPE_STRUCTURE && m_w & MATCH_STRUCT);                                             \
    }

/* The same for a tail call: the frame on top becomes the callee's. */
#define TAIL_ENTER(f_, i_)                                                                                                    \
    do {                                                                                                                      \
        tm_func *e_f = (f_);                                                                                                  \
        tm_instance *e_i = (i_);                                                                                              \
        CHARGE(e_f->ticks);                                                                                                   \
        tm_frame *e_fp = cx->fp;                                                                                              \
        uint64_t e_cells = e_fp[-1].cells + e_f->cells;                                                                       \
        if (unlikely(e_cells > cx->cells_limit)) LEAVE(TM_EXIT_EXHAUSTED);                                                    \
        const word *e_s = sp + A;                                                                                             \
        uint64_t e_n = C;                                                                                                     \
        for (uint64_t k = 0; k < e_n; k++) sp[k] = e_s[k];                                                                    \
        FENCE(cx, sp + e_f->cells);                                                                                           \
        e_fp->func = e_f;                                                                                                     \
        e_fp->instance = e_i;                                                                                                 \
        e_fp->cells = e_cells;                                                                                                \
        if (e_i != cx->instance) { cx->instance = e_i; LOAD_MEMORY; }                                                         \
        ip = e_f->code;                                                                                                       \
        DISPATCH;                                                                                                             \
    } while (0)
#define TAIL_ADDR(addr_)                                                                                                      \
    do {                                                                                                                      \
        tm_funcinst *c_fi = (addr_);                                                                                          \
        if (likely(c_fi->func != NULL)) TAIL_ENTER(c_fi->func, c_fi->instance);                                               \
        TICK;                                                                                                                 \
        cx->addr = c_fi->addr;                                                                                                \
        cx->args = sp + A;                                                                                                    \
        cx->tail = 1;                                                                                                         \
        ip += call_size;                                                                                                      \
        LEAVE(TM_EXIT_HOST_CALL);                                                                                             \
    } while (0)

/* ---- cold parts: they may call, so they are functions of their own ---- */
static __attribute__((noinline, cold)) int cold_lower(tm_func *f) { return tm_code_lower(f->owner, f->own_index); }
static __attribute__((noinline)) void cold_move(uint8_t *d, const uint8_t *s, uint64_t n) { memmove(d, s, (size_t)n); }
static __attribute__((noinline)) void cold_fill(uint8_t *d, int v, uint64_t n) { memset(d, v, (size_t)n); }

/* ---- objects ---- */

/* Finds the object of a reference, of the shape that its type tells: raw bits that an embedder put there may have another. */
#define OBJECT(o_, ref_, shape_, missing_)                                                                                    \
    uint64_t o_##_ref = (ref_);                                                                                               \
    tm_object *o_ = tm_object_of(cx->heap, o_##_ref);                                                                         \
    if (unlikely(!o_ || o_->shape != (shape_))) { cx->need = o_##_ref; GO_COLD(missing_); }
#define STRUCT(o_, ref_, cell_)                                                                                               \
    OBJECT(o_, ref_, TM_SHAPE_STRUCTURE, no_structure)                                                                        \
    if (unlikely((cell_) >= o_->length)) LEAVE(TM_EXIT_BAD_REFERENCE)
#define ARRAY(o_, ref_, width_) OBJECT(o_, ref_, width_, no_array)
#define ELEMENT(o_, ref_, width_, i_)                                                                                         \
    ARRAY(o_, ref_, width_)                                                                                                   \
    if (unlikely((i_) >= o_->length)) TRAP(array_bounds)
#define SERVE do { cx->service = (uint32_t)ip[2]; cx->imm1 = ip[3]; cx->imm2 = ip[4]; cx->words = 5; cx->args = sp + A; LEAVE(TM_EXIT_SERVICE); } while (0)
/* The same for memory 0 with operands in any slots. */
#define SERVE_WITH(name_)                                                                                                     \
    do {                                                                                                                      \
        cx->operands[0] = R_i32(A); cx->operands[1] = R_i32(B); cx->operands[2] = R_i32(C);                                   \
        cx->service = SERVICE_##name_; cx->imm1 = cx->imm2 = 0; cx->words = 2; cx->args = cx->operands;                       \
        LEAVE(TM_EXIT_SERVICE);                                                                                               \
    } while (0)
/* Makes an object `o` whose contents the rest writes, from operands that stand from A on; its reference goes there. */
#define NEW(layout_, n_, ...)                                                                                                 \
    {                                                                                                                         \
        const tm_layout *w_layout = (layout_);                                                                                \
        tm_heap *w_heap = cx->heap;                                                                                           \
        uint64_t w_n = (n_), w_bytes = sizeof(tm_object) + tm_contents_bytes(w_layout->shape, w_n);                                  \
        if (unlikely(w_heap->bytes + w_bytes > w_heap->limit)) SERVE;                                                         \
        BULK_TICKS(w_bytes);                                                                                                  \
        int64_t w_index = cold_make(w_heap, w_layout, (uint32_t)w_n);                                                         \
        if (unlikely(w_index < 0)) { left += (int64_t)((w_bytes + 4095) >> 12); SERVE; }                                  \
        tm_object *o = w_heap->objects[w_index];                                                                              \
        __VA_ARGS__                                                                                                           \
        sp[A] = TM_OBJECT | (uint64_t)w_index;                                                                                \
        NEXT(5);                                                                                                              \
    }

static __attribute__((noinline)) int64_t cold_make(tm_heap *heap, const tm_layout *layout, uint32_t n) { return tm_heap_make(heap, layout, n); }
static __attribute__((noinline)) void cold_zeros(tm_object *o) { memset(o->contents, 0, (size_t)tm_contents_bytes(o->shape, o->length)); }
/* n elements from i on get a value that stands in one cell, or in two. */
static __attribute__((noinline)) void cold_fill_array(tm_object *o, uint64_t i, const word *value, uint64_t n) {
    uint64_t width = o->shape;
    uint8_t *at = (uint8_t *)o->contents + i * width;
    if (width == 1) { memset(at, (int)(value[0] & 0xFF), (size_t)n); return; }
    for (; n > 0; n--, at += width) memcpy(at, value, (size_t)width);
}
static __attribute__((noinline)) void cold_elements(tm_object *o, const word *values) {
    uint64_t width = o->shape;
    uint8_t *at = (uint8_t *)o->contents;
    for (uint32_t n = o->length; n > 0; n--, at += width, values += width == 16 ? 2 : 1) memcpy(at, values, (size_t)width);
}

#define BULK_TICKS(n) CHARGE(((uint64_t)(n) + 4095) >> 12)

#if defined(TAIL_GREG)
register const word *ip __asm__("rbx");
register word *sp __asm__("r12");
register uint8_t *mem __asm__("r13");
register tm_thread *cx __asm__("r14");
register uint64_t ml __asm__("r15");
register int64_t left __asm__("rbp");
#define ARGS uint64_t r0, uint64_t r1, uint64_t r2, uint64_t r3, double f0, double f1, double f2, double f3
#define PASS r0, r1, r2, r3, f0, f1, f2, f3
#define CONVENTION
#define TAIL return
#elif defined(TAIL_ARGS)
#define ARGS                                                                                                                  \
    const word *ip, word *sp, uint8_t *mem, tm_thread *cx, uint64_t ml, int64_t left, uint64_t r0, uint64_t r1, uint64_t r2, uint64_t r3, double f0,     \
        double f1, double f2, double f3
#define PASS ip, sp, mem, cx, ml, left, r0, r1, r2, r3, f0, f1, f2, f3
#define CONVENTION __attribute__((preserve_none))
#define TAIL __attribute__((musttail)) return
#endif

#if defined(SWITCH)
_Static_assert(REGISTERS_i <= 1 && REGISTERS_f <= 1, "thousands of cases in one function take a compiler an hour");
#define OP(name, ...) case H_##name: { __VA_ARGS__ }
#define DISPATCH goto dispatch
#define GO_COLD(name) goto name
#define COLD(name, ...) name: { __VA_ARGS__ }
#define OUT return cx->exit
#else
typedef CONVENTION void (*handler)(ARGS);
#define OP(name, ...) static CONVENTION void h_##name(ARGS) { __VA_ARGS__ }
#ifdef TAMIS_COUNT
#define DISPATCH do { tm_count(ip); TAIL ((handler)ip[0])(PASS); } while (0)
#else
#define DISPATCH TAIL ((handler)ip[0])(PASS)
#endif
#define GO_COLD(name) do { ip += here; TAIL name(PASS); } while (0)
#define COLD(name, ...) static CONVENTION __attribute__((noinline, cold)) void name(ARGS) { __VA_ARGS__ }
#define OUT return
#endif

#define COLD_PARTS                                                                                                            \
    COLD(leave, STATE_OUT; OUT;)                                                                                              \
    COLD(slice_one, left++; cx->need = 1; LEAVE(TM_EXIT_SLICE);)                                                          \
    COLD(trap_unreachable, cx->trap = TRAP_unreachable; LEAVE(TM_EXIT_TRAPPED);)                                              \
    COLD(trap_divide_by_zero, cx->trap = TRAP_divide_by_zero; LEAVE(TM_EXIT_TRAPPED);)                                        \
    COLD(trap_integer_overflow, cx->trap = TRAP_integer_overflow; LEAVE(TM_EXIT_TRAPPED);)                                    \
    COLD(trap_invalid_conversion, cx->trap = TRAP_invalid_conversion; LEAVE(TM_EXIT_TRAPPED);)                                \
    COLD(trap_memory_bounds, cx->trap = TRAP_memory_bounds; LEAVE(TM_EXIT_TRAPPED);)                                          \
    COLD(trap_unaligned_atomic, cx->trap = TRAP_unaligned_atomic; LEAVE(TM_EXIT_TRAPPED);)                                    \
    COLD(trap_table_bounds, cx->trap = TRAP_table_bounds; LEAVE(TM_EXIT_TRAPPED);)                                            \
    COLD(trap_undefined_element, cx->trap = TRAP_undefined_element; LEAVE(TM_EXIT_TRAPPED);)                                  \
    COLD(trap_uninitialized_element, cx->trap = TRAP_uninitialized_element; LEAVE(TM_EXIT_TRAPPED);)                          \
    COLD(trap_call_type_mismatch, cx->trap = TRAP_call_type_mismatch; LEAVE(TM_EXIT_TRAPPED);)                                \
    COLD(trap_null_reference, cx->trap = TRAP_null_reference; LEAVE(TM_EXIT_TRAPPED);)                                        \
    COLD(trap_null_function, cx->trap = TRAP_null_function; LEAVE(TM_EXIT_TRAPPED);)                                          \
    COLD(trap_null_i31, cx->trap = TRAP_null_i31; LEAVE(TM_EXIT_TRAPPED);)                                                    \
    COLD(trap_cast_failure, cx->trap = TRAP_cast_failure; LEAVE(TM_EXIT_TRAPPED);)\
    COLD(trap_null_structure, cx->trap = TRAP_null_structure; LEAVE(TM_EXIT_TRAPPED);)                                        \
    COLD(trap_null_array, cx->trap = TRAP_null_array; LEAVE(TM_EXIT_TRAPPED);)                                                \
    COLD(trap_array_bounds, cx->trap = TRAP_array_bounds; LEAVE(TM_EXIT_TRAPPED);)                                            \
    COLD(no_structure, if (cx->need == 0) TRAP(null_structure); LEAVE(TM_EXIT_BAD_REFERENCE);)                                \
    COLD(no_array, if (cx->need == 0) TRAP(null_array); LEAVE(TM_EXIT_BAD_REFERENCE);)                                        \
    COLD(new_structure,                                                                                                       \
         const tm_layout *layout = cx->instance->layouts[ip[3]];                                                              \
         NEW(layout, layout->cells, memcpy(o->contents, sp + A, 8 * (size_t)layout->cells);))

#if defined(SWITCH)
static int run(tm_thread *cx) {
    const word *ip = cx->ip;
    word *sp = cx->sp;
    uint8_t *mem;
    int64_t left = cx->left;
    uint64_t ml, r0 = cx->r[0], r1 = cx->r[1], r2 = cx->r[2], r3 = cx->r[3];
    double f0 = cx->f[0], f1 = cx->f[1], f2 = cx->f[2], f3 = cx->f[3];
    LOAD_MEMORY;
dispatch:
    switch (ip[0]) {
#else
COLD_PARTS
#endif

#include "special.inc"
#include "objects.inc"
#include "generated/handlers.inc"

#if defined(SWITCH)
    default: return TM_EXIT_NO_MEMORY; /* no such handler: not reached, the lowering writes only numbers of the list */
    }
    COLD_PARTS
}
word tm_handler_word(uint32_t handler) { return handler; }
#else
static const handler handler_table[] = {
#define LIST(name, size) h_##name,
#include "generated/list.inc"
#undef LIST
};
word tm_handler_word(uint32_t handler) { return (word)(uintptr_t)handler_table[handler]; }
#endif

#if defined(TAIL_GREG)
static int run(tm_thread *thread) {
    /* the registers belong to our callers: kept here, given back on the way out */
    const word *s0 = ip; word *s1 = sp; uint8_t *s2 = mem; tm_thread *s3 = cx; uint64_t s4 = ml; int64_t s5 = left;
    cx = thread;
    ip = thread->ip;
    sp = thread->sp;
    left = thread->left;
    LOAD_MEMORY;
    ((handler)ip[0])(thread->r[0], thread->r[1], thread->r[2], thread->r[3], thread->f[0], thread->f[1], thread->f[2], thread->f[3]);
    ip = s0; sp = s1; mem = s2; cx = s3; ml = s4; left = s5;
    return thread->exit;
}
#elif defined(TAIL_ARGS)
static int run(tm_thread *t) {
    tm_memory *m = t->instance->memory;
    ((handler)t->ip[0])(t->ip, t->sp, m->base, t, m->length, t->left, t->r[0], t->r[1], t->r[2], t->r[3], t->f[0], t->f[1], t->f[2], t->f[3]);
    return t->exit;
}
#endif

/* Rounding to nearest, subnormals kept: what the meanings count on. A library in our process may have set it otherwise
   (-ffast-math start-up code does), so it is looked at on every entry, and given back as it was. */
#if defined(__x86_64__)
enum { FLUSH_AND_ROUNDING = 0x8000 | 0x6000 | 0x0040 };
static inline uint64_t control(void) { return _mm_getcsr(); }
static inline void set_control(uint64_t word_) { _mm_setcsr((unsigned)word_); }
#elif defined(__aarch64__)
enum { FLUSH_AND_ROUNDING = 3 << 22 | 1 << 24 };
static inline uint64_t control(void) { uint64_t v; __asm__ volatile("mrs %0, fpcr" : "=r"(v)); return v; }
static inline void set_control(uint64_t v) { __asm__ volatile("msr fpcr, %0" : : "r"(v)); }
#else
enum { FLUSH_AND_ROUNDING = 0 };
static inline uint64_t control(void) { return 0; }
static inline void set_control(uint64_t v) { (void)v; }
#endif

static int run_on(tm_thread *thread) {
    for (;;) {
        tm_fence_entered(thread);
        int left = run(thread);
        tm_fence_left(thread);
        if (likely(left != TM_EXIT_THROWN)) return left;
        left = tm_thread_throw(thread, 0);
        if (left != TM_EXIT_LANDED) return left;
    }
}

int tm_thread_run(tm_thread *thread) {
    uint64_t before = control();
    if (likely(!(before & FLUSH_AND_ROUNDING))) return run_on(thread);
    set_control(before & ~(uint64_t)FLUSH_AND_ROUNDING);
    int left = run_on(thread);
    set_control(before);
    return left;
}

/* ---- facts, and the self-test ---- */
#if defined(SWITCH)
const char *tm_dispatch(void) {
#if defined(TAMIS_SWITCH)
    return "switch (asked for at build)";
#elif !defined(__OPTIMIZE__)
    return "switch (built without optimisation)";
#else
    return "switch (this compiler and machine have no checked tail calls)";
#endif
}
int tm_self_test(void) { return 0; }
int tm_self_covers(uint32_t handler) { (void)handler; return 0; }
#else
const char *tm_dispatch(void) {
#if defined(TAIL_GREG)
    return "tail calls, state in global registers (gcc, x86-64)";
#else
    return "tail calls, musttail with preserve_none (clang)";
#endif
}

#include "selftest.inc"
#endif
