/* Shifts the times of files as libfaketime shifts the clock: it knows `stat`, but not `statx`, which Rust uses.
 * Preloaded by scripts/test-clock.sh; PIPECTL_TEST_SHIFT holds the seconds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>

static void shift(struct statx_timestamp *time, long long seconds) {
    if (time->tv_sec != 0) time->tv_sec += seconds;
}

int statx(int folder, const char *restrict path, int flags, unsigned mask, struct statx *restrict found) {
    int (*real)(int, const char *, int, unsigned, struct statx *) = dlsym(RTLD_NEXT, "statx");
    int result = real(folder, path, flags, mask, found);
    const char *seconds = getenv("PIPECTL_TEST_SHIFT");
    if (result == 0 && seconds != NULL) {
        shift(&found->stx_atime, atoll(seconds));
        shift(&found->stx_btime, atoll(seconds));
        shift(&found->stx_ctime, atoll(seconds));
        shift(&found->stx_mtime, atoll(seconds));
    }
    return result;
}
