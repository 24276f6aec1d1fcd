/* Works on files below /data: writes, reads back, lists, renames; then tries each way out that its arguments name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
    FILE *f = fopen("/data/made.txt", "w+");
    if (!f) { perror("made.txt"); return 1; }
    fprintf(f, "one\ntwo\n");
    fseek(f, 4, SEEK_SET);
    char line[64];
    if (fgets(line, sizeof line, f)) printf("read back: %s", line);
    fclose(f);
    mkdir("/data/folder", 0777);
    if (rename("/data/made.txt", "/data/folder/moved.txt")) perror("rename");
    struct stat st;
    if (!stat("/data/folder/moved.txt", &st)) printf("size: %d\n", (int)st.st_size);
    DIR *d = opendir("/data");
    for (struct dirent *e; d && (e = readdir(d));) if (e->d_name[0] != '.') printf("entry: %s\n", e->d_name);
    if (d) closedir(d);
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY);
        printf("%s: %s\n", argv[i], fd >= 0 ? "OPENED" : strerror(errno));
    }
    return 0;
}
