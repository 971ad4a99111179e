// What Corosync itself can do on a cluster, in C on libcpg with nothing in between: the floor that flood.mjs is measured against.
// Same arguments, same method, same output as flood.mjs. Needs no headers of Corosync: libcpg is loaded at run time.
//
//   floor flood GROUP BYTES WINDOW SECONDS   sends, with WINDOW own messages under way; counts what is delivered from all senders
//   floor ping GROUP BYTES COUNT             one message at a time: time to its own delivery, and to another node's answer
//   floor pong GROUP                         answers pings until its input ends
//   floor commit GROUP BYTES COMMANDS SECONDS NODES SENDERS FILE
//                                            what a commit on nodes 1 to NODES takes at least, with nothing done for it: the first SENDERS
//                                            send batches of COMMANDS commands of BYTES each, one under way. With a FILE each is verified by an
//                                            announcement, written and flushed before it is answered; with "-" it is answered at once
#include <dlfcn.h>
#include <fcntl.h>
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
enum { OK = 1, TRY_AGAIN = 6, ONE_NONBLOCKING = 4, AGREED = 2, WARM_UP_MS = 500, NODES_MAX = 16, PAGE = 4096, FILE_PAGES = 1024 };

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
static size_t members;
static char *message;
static size_t message_bytes;

// What a run counts.
static enum { FLOOD, PING, PONG, COMMIT } mode;
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

// Of a commit: who sent the batch, and which of its batches this is about.
struct claim { char kind; uint32_t origin; uint64_t n; };
// By origin, the last batch that was delivered, that somebody else is known to have, that is on disk here; and what was said of them.
static uint64_t batches[NODES_MAX + 1], verified[NODES_MAX + 1], written[NODES_MAX + 1], announced[NODES_MAX + 1], answered_to[NODES_MAX + 1];
static uint64_t answered_own;

static void on_claim(const void *data, size_t bytes) {
  struct claim claim;
  if (bytes < sizeof(claim)) return;
  memcpy(&claim, data, sizeof(claim));
  if (claim.origin > NODES_MAX) return;
  if (claim.kind == 'b') batches[claim.origin] = claim.n;
  if (claim.kind == 'v' && claim.n > verified[claim.origin]) verified[claim.origin] = claim.n;
  if (claim.kind == 'a' && claim.origin == node_id) answered_own = claim.n;
}

static void on_deliver(uint64_t h, const struct name *group, uint32_t node, uint32_t pid, void *data, size_t bytes) {
  (void)h; (void)group;
  const int own = node == node_id && pid == (uint32_t)getpid();
  delivered += 1;
  delivered_bytes += bytes;
  if (mode == COMMIT) on_claim(data, bytes);
  if (mode == FLOOD && own) under_way -= 1;
  if (mode == PING && *(char *)data == answer_of) answered = 1;
  if (mode == PONG && *(char *)data == 'i') while (!mcast()) usleep(1000);
}

static void on_confchg(uint64_t h, const struct name *g, const struct address *m, size_t mc, const struct address *l, size_t lc, const struct address *j, size_t jc) {
  (void)h; (void)g; (void)m; (void)l; (void)lc;
  members = mc;
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

static void say(char kind, uint32_t origin, uint64_t n, size_t bytes) {
  struct claim claim = {kind, origin, n};
  memcpy(message, &claim, sizeof(claim));
  message_bytes = bytes;
  while (!mcast()) turn(1);
}

// One synchronous write for all that waits; false if nothing does.
static int flush_batches(int file, const char *pages, size_t batch_bytes) {
  static size_t page;
  size_t bytes = 0;
  for (int origin = 1; origin <= NODES_MAX; origin++) bytes += (verified[origin] - written[origin]) * batch_bytes;
  if (bytes == 0) return 0;
  const size_t used = (bytes + PAGE - 1) / PAGE;
  if (page + used > FILE_PAGES) page = 0;
  if (pwrite(file, pages, used * PAGE, page * PAGE) < 0) die("pwrite", 0);
  page += used;
  memcpy(written, verified, sizeof(written));
  return 1;
}

// The node after a batch's sender answers it: with two of three, that is a majority.
static void answer_batches(uint32_t origin, int on_disk) {
  if (on_disk && batches[origin] > announced[origin]) {
    announced[origin] = batches[origin];
    if (announced[origin] > verified[origin]) say('v', origin, announced[origin], sizeof(struct claim));
  }
  const uint64_t kept = on_disk ? written[origin] : batches[origin];
  if (kept <= answered_to[origin]) return;
  answered_to[origin] = kept;
  say('a', origin, kept, sizeof(struct claim));
}

static void commit(size_t command_bytes, unsigned commands, double seconds, unsigned nodes, unsigned senders, const char *path) {
  const int on_disk = strcmp(path, "-") != 0;
  const size_t batch_bytes = sizeof(struct claim) + command_bytes * commands;
  char *pages = NULL;
  int file = -1;
  if (posix_memalign((void **)&pages, PAGE, PAGE * FILE_PAGES) != 0) die("posix_memalign", 0);
  memset(pages, 'v', PAGE * FILE_PAGES);
  if (on_disk) {
    file = open(path, O_RDWR | O_CREAT, 0600);
    if (file < 0 || write(file, pages, PAGE * FILE_PAGES) < 0 || fsync(file) < 0) die(path, file);
    close(file);
    file = open(path, O_RDWR | O_DSYNC);
  }
  free(message);
  message = calloc(1, batch_bytes);
  while (members < nodes) turn(1000);
  const uint32_t before = node_id == 1 ? nodes : node_id - 1;
  const double start = now_ms(), from = start + WARM_UP_MS, until = from + seconds * 1e3;
  double *ms = calloc(1000000, sizeof(*ms)), sent_at = 0;
  uint64_t n = 0, count = 0;
  for (double now = start; now < until; now = now_ms()) {
    if (node_id <= senders && (n == 0 || (answered_own >= n && (!on_disk || written[node_id] >= n)))) {
      if (n > 0 && now >= from && count < 1000000) ms[count++] = now - sent_at;
      sent_at = now;
      say('b', node_id, ++n, batch_bytes);
    }
    turn(1);
    answer_batches(before, on_disk);
    if (on_disk && flush_batches(file, pages, batch_bytes)) answer_batches(before, on_disk);
  }
  qsort(ms, count, sizeof(*ms), by_size);
  printf("{\"program\":\"c\",\"mode\":\"commit\",\"node\":%u,\"commandsPerSecond\":%.0f,\"p50Ms\":%.3f}\n", node_id, count * commands / seconds, ms[count / 2]);
  fflush(stdout);
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
  if (argc < 3) die("usage: floor flood GROUP BYTES WINDOW SECONDS | ping GROUP BYTES COUNT | pong GROUP | commit GROUP BYTES COMMANDS SECONDS NODES SENDERS FILE", argc);
  mode = !strcmp(argv[1], "flood") ? FLOOD : !strcmp(argv[1], "ping") ? PING : !strcmp(argv[1], "commit") ? COMMIT : PONG;
  message_bytes = mode == PONG ? 64 : strtoul(argv[3], NULL, 10);
  message = calloc(1, message_bytes + 1);
  load();
  join(argv[2]);
  if (mode == FLOOD) flood(strtoul(argv[4], NULL, 10), atof(argv[5]));
  if (mode == PING) {
    measure("own delivery", 'o', 'o', atoi(argv[4]));
    measure("another's answer", 'i', 'a', atoi(argv[4]));
  }
  if (mode == COMMIT) {
    if (argc < 9) die("commit wants GROUP BYTES COMMANDS SECONDS NODES SENDERS FILE", argc);
    commit(message_bytes, atoi(argv[4]), atof(argv[5]), atoi(argv[6]), atoi(argv[7]), argv[8]);
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
