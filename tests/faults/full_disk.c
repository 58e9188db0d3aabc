/* Counts what a process asks of files below a folder, and from the Nth request on says that the disk is full.
 *
 * Loaded before the C library (LD_PRELOAD). `full_disk_arm(n)` begins the count, 0 ends it; the folder is what
 * FULL_DISK_BELOW names. Everything else goes through untouched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long armed;
static atomic_long counted;

void full_disk_arm(long n) {
    atomic_store(&counted, 0);
    atomic_store(&armed, n);
}

long full_disk_counted(void) { return atomic_load(&counted); }

static int lies_below(int fd) {
    const char *folder = getenv("FULL_DISK_BELOW");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (folder == NULL || length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

/* Whether this request finds the disk full. */
static int is_full(int fd) {
    int saved = errno;
    long limit = atomic_load(&armed);
    int full = limit > 0 && lies_below(fd) && atomic_fetch_add(&counted, 1) + 1 >= limit;
    errno = full ? ENOSPC : saved;
    return full;
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) {
    return is_full(fd) ? -1 : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return is_full(fd) ? -1 : REAL(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return is_full(fd) ? -1 : REAL(pwrite64)(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    return is_full(fd) ? -1 : REAL(writev)(fd, parts, count);
}

int fsync(int fd) { return is_full(fd) ? -1 : REAL(fsync)(fd); }

int fdatasync(int fd) { return is_full(fd) ? -1 : REAL(fdatasync)(fd); }

int fallocate64(int fd, int mode, off64_t at, off64_t size) {
    return is_full(fd) ? -1 : REAL(fallocate64)(fd, mode, at, size);
}

int posix_fallocate64(int fd, off64_t at, off64_t size) {
    return is_full(fd) ? ENOSPC : REAL(posix_fallocate64)(fd, at, size);
}
