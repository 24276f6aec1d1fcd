/* Shows arguments, a variable and standard input; its first argument is its exit code. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) printf("arg %d: %s\n", i, argv[i]);
    const char *colour = getenv("COLOUR");
    if (colour) printf("COLOUR=%s\n", colour);
    char line[256];
    while (fgets(line, sizeof line, stdin)) printf("in: %s", line);
    fprintf(stderr, "done\n");
    return argc > 1 ? atoi(argv[1]) : 0;
}
