#include "frames.h"
#include "world.h"

#define SLOTS(a, b, c) ((word)(a) | (word)(b) << 16 | (word)(c) << 32)

int frames_run(uint32_t caller, uint32_t callee) {
    const word vector = tm_handler_word(H_v128_const), back = tm_handler_word(H_ret0);
    tm_func funcs[3];
    const word last[] = {vector, SLOTS(1, 0, 0), 1, 2, back, 0};
    const word middle[] = {tm_handler_word(H_tail_call), SLOTS(1, 0, 1), (word)(uintptr_t)&funcs[2]};
    const word first[] = {tm_handler_word(H_call), SLOTS(0, 0, 0), (word)(uintptr_t)&funcs[1], vector, SLOTS(4, 0, 0), 1, 2, back, 0};
    funcs[0] = (tm_func){.code = first, .cells = caller, .ticks = 1};
    funcs[1] = (tm_func){.code = middle, .cells = 4, .ticks = 1};
    funcs[2] = (tm_func){.code = last, .cells = callee, .ticks = 1};
    const uint32_t line[] = {0, 0}, types[] = {0, 0, 0}, places[] = {0};
    tm_code code = {.env = {.n_types = 1, .n_funcs = 3, .type_line = places, .lines = line, .func_types = types}, .funcs = funcs, .n_own = 3};
    tm_instance instance = {.code = &code};
    tm_thread *t = tm_thread_new(100, 10);
    if (!t || tm_thread_link(t, &instance) || tm_thread_enter(t, 0)) broken("no memory");
    t->left = 10;
    int exit = tm_thread_run(t);
    tm_thread_free(t);
    return exit != TM_EXIT_RETURNED;
}
