// See standby.h.
#include "standby.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "thread.h"

namespace corosync {
namespace {

// cpg_dispatch keeps a buffer of 1 MiB and some kB of lists on the stack.
constexpr size_t kStackBytes = 2 * 1024 * 1024;
// One hold of the lock: well under a millisecond, so that the loop coming back does not wait for it.
constexpr EventSource::Budget kSlice{256 * 1024, 64};
// A loop that takes events all the time, and yet has not seen an end of them for so many rounds, does not keep up. Not sooner: in
// a flood there is always something more, and two threads taking turns are slower than one.
constexpr int kRoundsBehind = 50;

}  // namespace

Standby::~Standby() { stopAndWait(); }

bool Standby::start(Connection& connection, EventSource& source, int stallMs, std::function<void()> held) {
  connection_ = &connection;
  source_ = &source;
  stallMs_ = stallMs;
  held_ = std::move(held);
  stopFd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stopFd_ < 0) return false;
  running_ = startThread(kStackBytes, [this] { run(); });
  return running_;
}

// True if there is something to take. Returns early, with false, when asked to stop.
bool Standby::waitFor(bool events, int timeoutMs) {
  pollfd entries[2] = {{stopFd_, POLLIN, 0}, {connection_->fd(), POLLIN, 0}};
  const int ready = poll(entries, events ? 2 : 1, timeoutMs);
  return ready > 0 && entries[0].revents == 0;
}

// Waits until there is something to take and the loop is too late for it.
Standby::Lateness Standby::waitForLateness() {
  int behind = 0;
  while (!stopped()) {
    if (!waitFor(true, -1)) continue;
    const EventSource::Progress before = source_->progress();
    waitFor(false, stallMs_);
    const EventSource::Progress after = source_->progress();
    if (after.timesEmpty != before.timesEmpty) behind = 0;
    else if (after.turns == before.turns) return Lateness::kStandingStill;
    else if (++behind == kRoundsBehind) return Lateness::kBehind;
  }
  return Lateness::kStopped;
}

// Takes what there is; for a loop that stood still only until it is back, because from then on two threads would do the work of
// one, and in a flood there is no end of it. For a loop that does not keep up, until it does: what the daemon shares with this process (1 MiB)
// is empty again and again long before the daemon's own queue is.
void Standby::take(Lateness lateness) {
  const uint64_t turns = source_->progress().turns;
  bool enough = false;
  while (!enough && !stopped()) {
    const bool empty = source_->drain(kSlice);
    held_();
    if (lateness == Lateness::kStandingStill) {
      enough = empty || source_->progress().turns != turns;
    } else if (empty) {
      enough = source_->ended() || source_->heldBytes() <= kSlice.bytes;
      if (!enough) waitFor(true, stallMs_);
    }
  }
}

bool Standby::stopped() {
  pollfd stop{stopFd_, POLLIN, 0};
  return poll(&stop, 1, 0) != 0;
}

void Standby::run() {
  for (;;) {
    const Lateness lateness = waitForLateness();
    if (lateness == Lateness::kStopped) break;
    take(lateness);
    // After the end the descriptor stays readable for ever; nothing is left to do but to be stopped.
    if (source_->ended()) waitFor(false, -1);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  running_ = false;
  changed_.notify_all();
}

void Standby::stopAndWait() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (stopFd_ < 0) return;
  const uint64_t one = 1;
  if (running_ && write(stopFd_, &one, sizeof(one)) < 0) return;  // cannot fail: the counter is far from its limit
  changed_.wait(lock, [this] { return !running_; });
  ::close(stopFd_);
  stopFd_ = -1;
}

}  // namespace corosync
