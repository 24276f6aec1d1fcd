/* Traps three calls deep. */
__attribute__((noinline)) static int inner(volatile int *n) { if (*n > 2) __builtin_trap(); return *n; }
__attribute__((noinline)) static int middle(volatile int *n) { *n += 1; return inner(n) + *n; }
void _start(void) { volatile int n = 2; n += middle(&n); }
