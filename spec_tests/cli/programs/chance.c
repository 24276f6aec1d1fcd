/* Shows what of time and chance a program sees. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    unsigned char bytes[8];
    getentropy(bytes, sizeof bytes);
    for (int i = 0; i < 8; i++) printf("%02x", bytes[i]);
    struct timespec before, after, pause = {5, 0};
    clock_gettime(CLOCK_REALTIME, &before);
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_REALTIME, &after);
    printf(" %lld %lld\n", (long long)before.tv_sec, (long long)(after.tv_sec - before.tv_sec));
    return 0;
}
