/* A disk that fails when it is told to, for the process that preloads this.
 *
 * Every operation that changes a file under SHIM_UNDER is counted: write, truncate, sync, create, rename, unlink, mkdir.  The test
 * arms it through ctypes: from the n-th operation on, `times` of them (-1: all) fail with an errno, write only their first half, or
 * kill the process.  With SHIM_LOG, every operation and its data are logged, so that a power cut can be played afterwards.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HALF (-1)
#define KILL (-2)

static volatile long seen, from, times;
static volatile int how;
static char under[1024], last[64];
static int out = -1;

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("SHIM_UNDER"), *log = getenv("SHIM_LOG");
    if (folder) snprintf(under, sizeof under, "%s", folder);
    if (log && *log) out = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* From the test: `from_` counts from now; 0 disarms.  `seen` restarts. */
void shim_arm(const char *folder, long from_, long times_, int how_) {
    if (folder) snprintf(under, sizeof under, "%s", folder);
    seen = 0; times = times_; how = how_; last[0] = 0; from = from_;
}
long shim_seen(void) { return seen; }
const char *shim_last(void) { return last; }

static int ours(const char *path) {
    size_t n = strlen(under);
    return n && strncmp(path, under, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static const char *path_of(int fd, char *into) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, into, 1023);
    into[n > 0 ? n : 0] = 0;
    return into;
}

static void note(char op, const char *path, long long offset, const void *data, long long length) {
    char head[1200];
    if (out < 0) return;
    int n = snprintf(head, sizeof head, "%c %lld %lld %s\n", op, offset, length, path);
    syscall(SYS_write, out, head, n);
    if (data && length > 0) syscall(SYS_write, out, data, length);
}

/* 0: go on; HALF: half of it; else it failed, and errno is set. */
static int met(const char *op) {
    long n = __sync_add_and_fetch(&seen, 1);
    if (!from || n < from || (times >= 0 && n >= from + times)) return 0;
    snprintf(last, sizeof last, "%s", op);
    if (how == KILL) raise(SIGKILL);
    if (how == HALF) { errno = ENOSPC; return HALF; }
    errno = how;
    return 1;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, #name)

static ssize_t put(int fd, const void *data, size_t n, off_t at, int placed) {
    char path[1024];
    if (ours(path_of(fd, path))) {
        int bad = met("write");
        if (bad > 0) return -1;
        if (bad == HALF) { if (n < 2) return -1; n /= 2; }
        long long where = placed ? at : syscall(SYS_lseek, fd, 0, SEEK_CUR);
        struct stat st;
        if (!placed && fstat(fd, &st) == 0 && (fcntl(fd, F_GETFL) & O_APPEND)) where = st.st_size;
        ssize_t done = placed ? syscall(SYS_pwrite64, fd, data, n, at) : syscall(SYS_write, fd, data, n);
        if (done > 0) note('w', path, where, data, done);
        return done;
    }
    return placed ? syscall(SYS_pwrite64, fd, data, n, at) : syscall(SYS_write, fd, data, n);
}
ssize_t write(int fd, const void *data, size_t n) { return put(fd, data, n, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { return put(fd, data, n, at, 1); }
ssize_t pwrite64(int fd, const void *data, size_t n, off_t at) { return put(fd, data, n, at, 1); }

static int cut(int fd, off_t size) {
    char path[1024];
    if (ours(path_of(fd, path))) {
        if (met("truncate")) return -1;
        note('t', path, size, NULL, 0);
    }
    return syscall(SYS_ftruncate, fd, size);
}
int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off_t size) { return cut(fd, size); }

static int synced(int fd, long call) {
    char path[1024];
    int mine = ours(path_of(fd, path));
    if (mine && met("sync")) return -1;
    int done = syscall(call, fd);
    if (mine && done == 0) note('s', path, 0, NULL, 0);
    return done;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int opened(int at, const char *path, int flags, int mode) {
    if ((flags & O_CREAT) && ours(path) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0) {
        if (met("create")) return -1;
        note('c', path, 0, NULL, 0);
    }
    return syscall(SYS_openat, at, path, flags, mode);
}
#define MODE int mode = 0; if (flags & O_CREAT) { va_list list; va_start(list, flags); mode = va_arg(list, int); va_end(list); }
int open(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE return opened(at, path, flags, mode); }

int unlink(const char *path) {
    if (ours(path)) { if (met("unlink")) return -1; note('u', path, 0, NULL, 0); }
    REAL(int, unlink, const char *);
    return real(path);
}
int rename(const char *path, const char *to) {
    if (ours(path)) { if (met("rename")) return -1; note('r', path, strlen(to), to, strlen(to)); }
    REAL(int, rename, const char *, const char *);
    return real(path, to);
}
int mkdir(const char *path, mode_t mode) {
    if (ours(path) && met("mkdir")) return -1;
    REAL(int, mkdir, const char *, mode_t);
    return real(path, mode);
}

/* From the test: where to log from now on. */
void shim_log(const char *path) {
    out = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* From the test: something that was acknowledged, at its place in the log. */
void shim_mark(const char *text) { note('a', "", 0, text, strlen(text)); }
