// Keeps taking events when the event loop does not.
//
// A process that does not dispatch makes its daemon's memory grow without bound, and JavaScript may be busy for seconds. The
// loop's own thread dispatches normally: that has the lowest latency and no hand-over between threads. This thread sleeps until
// there is something to take, gives the loop `stallMs`, and only if the loop has taken nothing in that time, because it is busy,
// takes the events itself, in slices, into the same ordered queue. It does the same for a loop that takes events but has
// not seen an end of them for a second, until it keeps up again. The queue's bound (event_source.h) ends what would otherwise be
// swapped from the daemon's memory into ours. An idle connection costs nothing, a busy one 1000/stallMs wake-ups a second.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "event_source.h"

namespace corosync {

class Standby {
 public:
  Standby() = default;
  ~Standby();
  Standby(const Standby&) = delete;
  Standby& operator=(const Standby&) = delete;

  // `held` is called, on this thread, when something was put into the queue. Both references must outlive stopAndWait().
  // False when there is no thread or descriptor left.
  bool start(Connection& connection, EventSource& source, int stallMs, std::function<void()> held);
  // Short: this thread is never inside a call that waits. Idempotent; any thread but this one.
  void stopAndWait();

 private:
  void run();
  enum class Lateness { kStopped, kStandingStill, kBehind };
  Lateness waitForLateness();
  void take(Lateness lateness);
  bool stopped();
  bool waitFor(bool events, int timeoutMs);

  Connection* connection_ = nullptr;
  EventSource* source_ = nullptr;
  int stallMs_ = 0;
  std::function<void()> held_;
  int stopFd_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool running_ = false;
};

}  // namespace corosync
