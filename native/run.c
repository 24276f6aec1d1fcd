/* The loop: every handler, and the one function that enters and leaves it. README.md has the rules.

   Three forms of the same bodies, chosen by the preprocessor:
     TAIL_GREG   gcc on x86-64: handlers are functions without arguments, the state lives in callee-saved registers, and each
                 handler ends in a sibling call of the next (checked by tm_self_test)
     TAIL_ARGS   clang with musttail: the state is passed in registers
     SWITCH      anything else, -O0, sanitizers: one function with a switch
*/
#include "engine.h"
#include "numerics.h"

#if defined(TAMIS_SWITCH) || !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__)
#define SWITCH 1
#elif defined(__clang__)
#if __has_attribute(musttail) && __has_attribute(preserve_none) && (defined(__x86_64__) || defined(__aarch64__))
#define TAIL_ARGS 1
#else
#define SWITCH 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#undef TAIL_ARGS
#undef SWITCH
#define SWITCH 1
#endif
#endif
#elif defined(__GNUC__) && defined(__x86_64__)
#define TAIL_GREG 1
#else
#define SWITCH 1
#endif

#define A (((const uint16_t *)(ip + 1))[0])
#define B (((const uint16_t *)(ip + 1))[1])
#define C (((const uint16_t *)(ip + 1))[2])
#define D (((const uint16_t *)(ip + 1))[3])
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

#define TRAP(name) do { cx->trap = TRAP_##name; LEAVE(TM_EXIT_TRAPPED); } while (0)
#define BOUNDS(ea, n) do { if (unlikely((ea) + (n) > ml)) TRAP(memory_bounds); } while (0)
/* A tick before a branch to a loop. Nothing has changed yet, so leaving and coming back runs the same instruction again. */
#define TICK do { if (unlikely(--cx->left < 0)) { cx->left++; cx->need = 1; LEAVE(TM_EXIT_SLICE); } } while (0)
#define JUMP do { ip = ip + 2 + (int64_t)ip[2]; DISPATCH; } while (0)
#define NEXT(n) do { ip += (n); DISPATCH; } while (0)
#define LOAD_MEMORY do { mem = cx->instance->memory->base; ml = cx->instance->memory->length; } while (0)
#define STATE_OUT do { cx->ip = ip; cx->sp = sp; } while (0)

/* Enters function f_ of instance i_ with its arguments at sp_; back_ is where the caller goes on. */
#define ENTER(f_, i_, sp_, back_)                                                                                             \
    do {                                                                                                                      \
        tm_func *e_f = (f_);                                                                                                  \
        tm_instance *e_i = (i_);                                                                                              \
        if (unlikely((cx->left -= e_f->ticks) < 0)) { cx->left += e_f->ticks; cx->need = e_f->ticks; LEAVE(TM_EXIT_SLICE); }  \
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
        if (e_i != cx->instance) { cx->instance = e_i; LOAD_MEMORY; }                                                         \
        ip = e_f->code;                                                                                                       \
        DISPATCH;                                                                                                             \
    } while (0)

#define RETURN                                                                                                                \
    do {                                                                                                                      \
        tm_frame *r_fp = --cx->fp;                                                                                            \
        ip = r_fp->ip;                                                                                                        \
        sp = r_fp->sp;                                                                                                        \
        if (unlikely(r_fp->instance != cx->instance)) { cx->instance = r_fp->instance; LOAD_MEMORY; }                         \
        DISPATCH;                                                                                                             \
    } while (0)

/* Calls whatever a store address holds: a host function leaves the loop. */
#define CALL_ADDR(addr_)                                                                                                      \
    do {                                                                                                                      \
        tm_funcinst *c_fi = (addr_);                                                                                          \
        if (likely(c_fi->func != NULL)) ENTER(c_fi->func, c_fi->instance, sp + A, ip + call_size);                                                \
        if (unlikely(--cx->left < 0)) { cx->left++; cx->need = 1; LEAVE(TM_EXIT_SLICE); }                                     \
        cx->addr = c_fi->addr;                                                                                                \
        cx->args = sp + A;                                                                                                    \
        ip += call_size;                                                                                                      \
        LEAVE(TM_EXIT_HOST_CALL);                                                                                             \
    } while (0)

/* ---- cold parts: they may call, so they are functions of their own ---- */
static __attribute__((noinline, cold)) int cold_lower(tm_func *f) { return tm_code_lower(f->owner, f->own_index); }
static __attribute__((noinline)) void cold_move(uint8_t *d, const uint8_t *s, uint64_t n) { memmove(d, s, (size_t)n); }
static __attribute__((noinline)) void cold_fill(uint8_t *d, int v, uint64_t n) { memset(d, v, (size_t)n); }

#define BULK_TICKS(n)                                                                                                         \
    do {                                                                                                                      \
        int64_t b_t = (int64_t)(((uint64_t)(n) + 4095) >> 12);                                                                \
        if (unlikely((cx->left -= b_t) < 0)) { cx->left += b_t; cx->need = (uint64_t)b_t; LEAVE(TM_EXIT_SLICE); }             \
    } while (0)

#if defined(TAIL_GREG)
register const word *ip __asm__("rbx");
register word *sp __asm__("r12");
register uint8_t *mem __asm__("r13");
register tm_thread *cx __asm__("r14");
register uint64_t ml __asm__("r15");
typedef void (*handler)(void);
#define OP(name, ...) static void h_##name(void) { __VA_ARGS__ }
#define DISPATCH return ((handler)ip[0])()
#define LEAVE(code) do { STATE_OUT; cx->exit = (code); return; } while (0)
#elif defined(TAIL_ARGS)
typedef __attribute__((preserve_none)) void (*handler)(const word *, word *, uint8_t *, tm_thread *, uint64_t);
#define OP(name, ...)                                                                                                         \
    static __attribute__((preserve_none)) void h_##name(const word *ip, word *sp, uint8_t *mem, tm_thread *cx, uint64_t ml) { __VA_ARGS__ }
#define DISPATCH __attribute__((musttail)) return ((handler)ip[0])(ip, sp, mem, cx, ml)
#define LEAVE(code) do { STATE_OUT; cx->exit = (code); return; } while (0)
#else
#define OP(name, ...) case H_##name: { __VA_ARGS__ }
#define DISPATCH goto dispatch
#define LEAVE(code) do { STATE_OUT; cx->exit = (code); return cx->exit; } while (0)
#endif

#if defined(SWITCH)
int tm_thread_run(tm_thread *cx) {
    const word *ip = cx->ip;
    word *sp = cx->sp;
    uint8_t *mem;
    uint64_t ml;
    LOAD_MEMORY;
dispatch:
    switch (ip[0]) {
#endif

#include "special.inc"
#include "generated/handlers.inc"

#if defined(SWITCH)
    default: return TM_EXIT_NO_MEMORY; /* no such handler: not reached, the lowering writes only numbers of the list */
    }
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
int tm_thread_run(tm_thread *thread) {
    /* the registers belong to our callers: kept here, given back on the way out */
    const word *s0 = ip; word *s1 = sp; uint8_t *s2 = mem; tm_thread *s3 = cx; uint64_t s4 = ml;
    cx = thread;
    ip = thread->ip;
    sp = thread->sp;
    LOAD_MEMORY;
    ((handler)ip[0])();
    ip = s0; sp = s1; mem = s2; cx = s3; ml = s4;
    return thread->exit;
}
#elif defined(TAIL_ARGS)
int tm_thread_run(tm_thread *thread) {
    tm_memory *m = thread->instance->memory;
    ((handler)thread->ip[0])(thread->ip, thread->sp, m->base, thread, m->length);
    return thread->exit;
}
#endif

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
