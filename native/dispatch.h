/* How the loop goes from one handler to the next. build.py asks the compiler for this choice as well: a switch gets fewer
   handlers.
     TAIL_GREG   gcc on x86-64: handlers are functions without arguments, the state lives in callee-saved registers, and each
                 handler ends in a sibling call of the next (checked by tm_self_test)
     TAIL_ARGS   clang with musttail: the state is passed in registers
     SWITCH      anything else, -O0, sanitizers: one function with a switch
*/
#ifndef TAMIS_DISPATCH_H
#define TAMIS_DISPATCH_H

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(TAMIS_SWITCH) || !defined(__OPTIMIZE__) || defined(SANITIZED)
#define SWITCH 1
#elif defined(__clang__)
#if __has_attribute(musttail) && __has_attribute(preserve_none) && (defined(__x86_64__) || defined(__aarch64__))
#define TAIL_ARGS 1
#else
#define SWITCH 1
#endif
#elif defined(__GNUC__) && defined(__x86_64__)
#define TAIL_GREG 1
#else
#define SWITCH 1
#endif

#endif
