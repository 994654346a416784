/* How much of a server's log would a power cut leave?
 *
 * As much as the server asked the disk to keep. The file that KANA_TEST_SYNCED names says, of the last time that the
 * disk has answered: when it was asked the time before, when it was asked, and how many bytes the log had then; 8 bytes
 * each in this machine's order, times in microseconds since the Unix epoch. Preloaded.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char LOG[] = ".incr.aof";

static int is_log(int file) {
    char link[32], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path);
    size_t ending = sizeof LOG - 1;
    return length >= (ssize_t)ending && memcmp(path + length - ending, LOG, ending) == 0;
}

static int64_t asked_before;

static int sync_by(long number, int file) {
    if (!is_log(file)) return syscall(number, file);
    struct timespec now;
    struct stat before;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t asked = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
    if (fstat(file, &before) != 0) _exit(70);
    int result = syscall(number, file);
    if (result != 0) return result;
    int64_t said[3] = { asked_before, asked, before.st_size };
    asked_before = asked;
    int out = open(getenv("KANA_TEST_SYNCED"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (out < 0 || pwrite(out, said, sizeof said, 0) != sizeof said) _exit(71);
    close(out);
    return result;
}

int fsync(int file) { return sync_by(SYS_fsync, file); }
int fdatasync(int file) { return sync_by(SYS_fdatasync, file); }
