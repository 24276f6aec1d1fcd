/* br_table: a stack machine of 16 instructions runs a program that counts the primes below n by trial division. */
#include "kernel.h"

enum { HALT, PUSH, LOAD, STORE, ADD, SUBTRACT, MULTIPLY, REMAINDER, LESS, EQUAL, NOT, JUMP, JUMP_UNLESS, DUPLICATE, DROP, SWAP };
enum { COUNT, NUMBER, DIVISOR, LIMIT };

static i32 program[128];
static u32 end;

static u32 emit(i32 op) {
    program[end] = op;
    return end++;
}

static u32 emit_with(i32 op, i32 operand) {
    emit(op);
    return emit(operand);
}

static void write_program(i32 limit) {
    end = 0;
    emit_with(PUSH, limit), emit_with(STORE, LIMIT);
    emit_with(PUSH, 0), emit_with(STORE, COUNT);
    emit_with(PUSH, 2), emit_with(STORE, NUMBER);
    u32 next_number = end;
    emit_with(LOAD, NUMBER), emit_with(LOAD, LIMIT), emit(LESS);
    u32 to_end = emit_with(JUMP_UNLESS, 0);
    emit_with(PUSH, 2), emit_with(STORE, DIVISOR);
    u32 next_divisor = end;
    emit_with(LOAD, NUMBER), emit_with(LOAD, DIVISOR), emit(DUPLICATE), emit(MULTIPLY), emit(LESS), emit(NOT);
    u32 to_prime = emit_with(JUMP_UNLESS, 0);
    emit_with(LOAD, NUMBER), emit_with(LOAD, DIVISOR), emit(REMAINDER), emit_with(PUSH, 0), emit(EQUAL), emit(NOT);
    u32 to_composite = emit_with(JUMP_UNLESS, 0);
    emit_with(PUSH, 1), emit_with(LOAD, DIVISOR), emit(SWAP), emit(ADD), emit_with(STORE, DIVISOR);
    emit_with(JUMP, (i32)next_divisor);
    program[to_prime] = (i32)end;
    emit_with(LOAD, COUNT), emit_with(PUSH, 1), emit(ADD), emit_with(STORE, COUNT);
    program[to_composite] = (i32)end;
    emit_with(LOAD, NUMBER), emit_with(PUSH, -1), emit(SUBTRACT), emit_with(STORE, NUMBER);
    emit_with(JUMP, (i32)next_number);
    program[to_end] = (i32)end;
    emit_with(LOAD, COUNT), emit(DUPLICATE), emit(DROP), emit(HALT);
}

static i32 execute(void) {
    i32 stack[16], variables[4];
    i32 *top = stack;
    const i32 *at = program;
    for (;;) {
        switch (*at++) {
        case HALT: return top[-1];
        case PUSH: *top++ = *at++; break;
        case LOAD: *top++ = variables[*at++]; break;
        case STORE: variables[*at++] = *--top; break;
        case ADD: top--, top[-1] += *top; break;
        case SUBTRACT: top--, top[-1] -= *top; break;
        case MULTIPLY: top--, top[-1] *= *top; break;
        case REMAINDER: top--, top[-1] %= *top; break;
        case LESS: top--, top[-1] = top[-1] < *top; break;
        case EQUAL: top--, top[-1] = top[-1] == *top; break;
        case NOT: top[-1] = !top[-1]; break;
        case JUMP: at = program + *at; break;
        case JUMP_UNLESS: at = *--top ? at + 1 : program + *at; break;
        case DUPLICATE: *top = top[-1], top++; break;
        case DROP: top--; break;
        case SWAP: {
            i32 held = top[-1];
            top[-1] = top[-2], top[-2] = held;
            break;
        }
        default: return -1;
        }
    }
}

EXPORT u32 run(u32 n) {
    write_program((i32)n);
    return (u32)execute();
}
