// What Corosync itself can do on a cluster, in C on libcpg with nothing in between: the floor that flood.mjs is measured against.
// Same arguments, same method, same output as flood.mjs. Needs no headers of Corosync: libcpg is loaded at run time.
//
//   floor flood GROUP BYTES WINDOW SECONDS   sends, with WINDOW own messages under way; counts what is delivered from all senders
//   floor ping GROUP BYTES COUNT             one message at a time: time to its own delivery, and to another node's answer
//   floor pong GROUP                         answers pings until its input ends
#include <dlfcn.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct name { uint32_t length; char value[128]; };
struct address { uint32_t node_id, pid, reason; };
struct ring { uint32_t node_id; uint64_t seq; };
struct model {
  int version;
  void (*deliver)(uint64_t, const struct name *, uint32_t, uint32_t, void *, size_t);
  void (*confchg)(uint64_t, const struct name *, const struct address *, size_t, const struct address *, size_t, const struct address *, size_t);
  void (*ring)(uint64_t, struct ring, uint32_t, const uint32_t *);
  unsigned flags;
};
enum { OK = 1, TRY_AGAIN = 6, ONE_NONBLOCKING = 4, AGREED = 2, WARM_UP_MS = 500 };

static int (*cpg_initialize)(uint64_t *, int, struct model *, void *);
static int (*cpg_fd_get)(uint64_t, int *);
static int (*cpg_dispatch)(uint64_t, int);
static int (*cpg_join)(uint64_t, const struct name *);
static int (*cpg_mcast)(uint64_t, int, const struct iovec *, unsigned);
static int (*cpg_local_get)(uint64_t, unsigned *);

static uint64_t handle;
static int fd;
static unsigned node_id;
static int joined;
static char *message;
static size_t message_bytes;

// What a run counts.
static enum { FLOOD, PING, PONG } mode;
static uint64_t delivered, delivered_bytes, under_way;
static char answer_of;  // the kind of message this mode waits for
static int answered;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

// Processor time of this process, all threads.
static double cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void die(const char *what, int status) {
  fprintf(stderr, "%s: %d\n", what, status);
  exit(1);
}

// 0 if the daemon does not take it now.
static int mcast(void) {
  struct iovec piece = {message, message_bytes};
  int status = cpg_mcast(handle, AGREED, &piece, 1);
  if (status != OK && status != TRY_AGAIN) die("cpg_mcast_joined", status);
  return status == OK;
}

static void on_deliver(uint64_t h, const struct name *group, uint32_t node, uint32_t pid, void *data, size_t bytes) {
  (void)h; (void)group;
  const int own = node == node_id && pid == (uint32_t)getpid();
  delivered += 1;
  delivered_bytes += bytes;
  if (mode == FLOOD && own) under_way -= 1;
  if (mode == PING && *(char *)data == answer_of) answered = 1;
  if (mode == PONG && *(char *)data == 'i') while (!mcast()) usleep(1000);
}

static void on_confchg(uint64_t h, const struct name *g, const struct address *m, size_t mc, const struct address *l, size_t lc, const struct address *j, size_t jc) {
  (void)h; (void)g; (void)m; (void)mc; (void)l; (void)lc;
  for (size_t i = 0; i < jc; i++) if (j[i].node_id == node_id && j[i].pid == (uint32_t)getpid()) joined = 1;
}

static void on_ring(uint64_t h, struct ring r, uint32_t n, const uint32_t *nodes) { (void)h; (void)r; (void)n; (void)nodes; }

// Waits for events, at most so long, and takes them all.
static void turn(int timeout_ms) {
  struct pollfd entry = {fd, POLLIN, 0};
  if (poll(&entry, 1, timeout_ms) <= 0) return;
  int status;
  while ((status = cpg_dispatch(handle, ONE_NONBLOCKING)) == OK);
  if (status != TRY_AGAIN) die("cpg_dispatch", status);
}

static void flood(unsigned window, double seconds) {
  double from = 0, cpu = 0, warm = now_ms() + WARM_UP_MS;
  uint64_t count = 0, bytes = 0;
  for (;;) {
    int busy = 0;
    while (!busy && under_way < window) {
      if (mcast()) under_way += 1;
      else busy = 1;
    }
    turn(busy ? 1 : 100);
    const double now = now_ms();
    if (from == 0 && now >= warm) from = now, cpu = cpu_us(), count = delivered, bytes = delivered_bytes;
    if (from != 0 && now - from >= seconds * 1e3) {
      const double s = (now - from) / 1e3;
      printf("{\"program\":\"c\",\"mode\":\"flood\",\"node\":%u,\"bytes\":%zu,\"window\":%u,\"cpuUsPerMessage\":%.2f,\"messagesPerSecond\":%.0f,\"megabytesPerSecond\":%.2f}\n",
             node_id, message_bytes, window, (cpu_us() - cpu) / (delivered - count), (delivered - count) / s, (delivered_bytes - bytes) / s / 1e6);
      fflush(stdout);
      return;
    }
  }
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void measure(const char *what, char kind, char answer, int count) {
  double *ms = calloc(count, sizeof(*ms));
  message[0] = kind;
  answer_of = answer;
  for (int i = 0; i < count; i++) {
    const double from = now_ms();
    answered = 0;
    while (!mcast()) usleep(1000);
    while (!answered) turn(1000);
    ms[i] = now_ms() - from;
  }
  qsort(ms, count, sizeof(*ms), by_size);
  printf("{\"program\":\"c\",\"mode\":\"%s\",\"node\":%u,\"bytes\":%zu,\"count\":%d,\"p50Ms\":%.3f,\"p99Ms\":%.3f}\n", what, node_id, message_bytes, count, ms[count / 2], ms[count * 99 / 100]);
  fflush(stdout);
  free(ms);
}

static void load(void) {
  void *library = dlopen("libcpg.so.4", RTLD_NOW);
  if (!library) die(dlerror(), 0);
  *(void **)&cpg_initialize = dlsym(library, "cpg_model_initialize");
  *(void **)&cpg_fd_get = dlsym(library, "cpg_fd_get");
  *(void **)&cpg_dispatch = dlsym(library, "cpg_dispatch");
  *(void **)&cpg_join = dlsym(library, "cpg_join");
  *(void **)&cpg_mcast = dlsym(library, "cpg_mcast_joined");
  *(void **)&cpg_local_get = dlsym(library, "cpg_local_get");
}

static void join(const char *group) {
  struct model model = {1, on_deliver, on_confchg, on_ring, 0};
  struct name name = {strlen(group), ""};
  memcpy(name.value, group, name.length);
  int status;
  if ((status = cpg_initialize(&handle, 1, &model, NULL)) != OK) die("cpg_model_initialize", status);
  if ((status = cpg_fd_get(handle, &fd)) != OK) die("cpg_fd_get", status);
  if ((status = cpg_local_get(handle, &node_id)) != OK) die("cpg_local_get", status);
  while ((status = cpg_join(handle, &name)) == TRY_AGAIN) usleep(10000);
  if (status != OK) die("cpg_join", status);
  while (!joined) turn(1000);
}

int main(int argc, char **argv) {
  if (argc < 3) die("usage: floor flood GROUP BYTES WINDOW SECONDS | ping GROUP BYTES COUNT | pong GROUP", argc);
  mode = !strcmp(argv[1], "flood") ? FLOOD : !strcmp(argv[1], "ping") ? PING : PONG;
  message_bytes = mode == PONG ? 64 : strtoul(argv[3], NULL, 10);
  message = calloc(1, message_bytes + 1);
  load();
  join(argv[2]);
  if (mode == FLOOD) flood(strtoul(argv[4], NULL, 10), atof(argv[5]));
  if (mode == PING) {
    measure("own delivery", 'o', 'o', atoi(argv[4]));
    measure("another's answer", 'i', 'a', atoi(argv[4]));
  }
  if (mode == PONG) {
    message[0] = 'a';
    puts("ready");
    fflush(stdout);
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    while (poll(&input, 1, 0) == 0) turn(100);
  }
  return 0;
}
