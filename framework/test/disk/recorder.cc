// Loaded into a process (LD_PRELOAD): writes down, in order, what the process does to files below RECORD_DIRECTORY, into the file
// RECORD_TO. recording.ts reads it. One line each, numbers after the names:
//
//   create FILE           a name for a new, empty file
//   write FILE at bytes sync     and the bytes; sync: by O_DSYNC or O_SYNC it is flushed when it is done
//   truncate FILE size
//   flush FILE            fsync or fdatasync was done, of a file or a directory
//   rename FROM TO, remove FILE, directory DIR
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((decltype(&name))dlsym(RTLD_NEXT, #name))

namespace {

// One at a time, with what it does: so the order in the recording is the order of things.
pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

struct Turn {
  Turn() { pthread_mutex_lock(&one_at_a_time); }
  ~Turn() { pthread_mutex_unlock(&one_at_a_time); }
};

bool is_below(const char* path) {
  const char* directory = getenv("RECORD_DIRECTORY");
  return directory != nullptr && strncmp(path, directory, strlen(directory)) == 0;
}

bool path_of(int file, char* path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return false;
  path[length] = 0;
  return is_below(path);
}

int recording() {
  static int file = REAL(open)(getenv("RECORD_TO"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  return file;
}

void put(const void* bytes, size_t length) {
  const char* from = (const char*)bytes;
  while (length > 0) {
    ssize_t done = REAL(write)(recording(), from, length);
    if (done < 0) abort();
    from += done;
    length -= (size_t)done;
  }
}

void say(const char* format, ...) {
  char line[2 * PATH_MAX + 100];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(line, sizeof line, format, values);
  va_end(values);
  put(line, (size_t)length);
}

void wrote(int file, const struct iovec* parts, int count, off_t at, ssize_t done) {
  char path[PATH_MAX];
  int error = errno;
  if (done > 0 && path_of(file, path)) {
    int sync = (fcntl(file, F_GETFL) & O_DSYNC) != 0;
    say("write %s %lld %zd %d\n", path, (long long)at, done, sync);
    size_t left = (size_t)done;
    for (int index = 0; index < count && left > 0; index++) {
      size_t some = parts[index].iov_len < left ? parts[index].iov_len : left;
      put(parts[index].iov_base, some);
      left -= some;
    }
  }
  errno = error;
}

template <typename Real>
int opened(const char* path, int flags, Real real) {
  Turn turn;
  bool creates = (flags & O_CREAT) != 0 && is_below(path) && access(path, F_OK) != 0;
  int file = real();
  if (file >= 0 && creates) say("create %s\n", path);
  if (file >= 0 && !creates && (flags & O_TRUNC) != 0 && is_below(path)) say("truncate %s 0\n", path);
  return file;
}

template <typename Real>
int done_to(const char* what, int file, Real real) {
  Turn turn;
  int result = real();
  char path[PATH_MAX];
  if (result == 0 && path_of(file, path)) say(what, path);
  return result;
}

}  // namespace

extern "C" {

#define OPEN(name)                                                                            \
  int name(const char* path, int flags, ...) {                                                \
    va_list more;                                                                             \
    va_start(more, flags);                                                                    \
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;                          \
    va_end(more);                                                                             \
    return opened(path, flags, [=] { return REAL(name)(path, flags, mode); });                \
  }
OPEN(open)
OPEN(open64)

#define WRITE_AT(name, off)                                                                   \
  ssize_t name(int file, const void* bytes, size_t length, off at) {                          \
    Turn turn;                                                                                \
    ssize_t done = REAL(name)(file, bytes, length, at);                                       \
    struct iovec part = {(void*)bytes, length};                                               \
    wrote(file, &part, 1, at, done);                                                          \
    return done;                                                                              \
  }
WRITE_AT(pwrite, off_t)
WRITE_AT(pwrite64, off64_t)

#define WRITE_PARTS_AT(name, off)                                                             \
  ssize_t name(int file, const struct iovec* parts, int count, off at) {                      \
    Turn turn;                                                                                \
    ssize_t done = REAL(name)(file, parts, count, at);                                        \
    wrote(file, parts, count, at, done);                                                      \
    return done;                                                                              \
  }
WRITE_PARTS_AT(pwritev, off_t)
WRITE_PARTS_AT(pwritev64, off64_t)

ssize_t write(int file, const void* bytes, size_t length) {
  Turn turn;
  off_t at = lseek(file, 0, SEEK_CUR);
  ssize_t done = REAL(write)(file, bytes, length);
  struct iovec part = {(void*)bytes, length};
  wrote(file, &part, 1, at, done);
  return done;
}

ssize_t writev(int file, const struct iovec* parts, int count) {
  Turn turn;
  off_t at = lseek(file, 0, SEEK_CUR);
  ssize_t done = REAL(writev)(file, parts, count);
  wrote(file, parts, count, at, done);
  return done;
}

#define TRUNCATE(name, off)                                                                   \
  int name(int file, off size) {                                                              \
    Turn turn;                                                                                \
    int result = REAL(name)(file, size);                                                      \
    char path[PATH_MAX];                                                                      \
    if (result == 0 && path_of(file, path)) say("truncate %s %lld\n", path, (long long)size); \
    return result;                                                                            \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int fsync(int file) {
  return done_to("flush %s\n", file, [=] { return REAL(fsync)(file); });
}
int fdatasync(int file) {
  return done_to("flush %s\n", file, [=] { return REAL(fdatasync)(file); });
}

int rename(const char* from, const char* to) {
  Turn turn;
  int result = REAL(rename)(from, to);
  if (result == 0 && is_below(from)) say("rename %s %s\n", from, to);
  return result;
}

int unlink(const char* path) {
  Turn turn;
  int result = REAL(unlink)(path);
  if (result == 0 && is_below(path)) say("remove %s\n", path);
  return result;
}

int mkdir(const char* path, mode_t mode) {
  Turn turn;
  int result = REAL(mkdir)(path, mode);
  if (result == 0 && is_below(path)) say("directory %s\n", path);
  return result;
}

}  // extern "C"
