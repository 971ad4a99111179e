// Takes events out of one connection into an ordered queue, under one lock, whichever thread does it. The order of the queue is
// the order of the group: messages, configuration changes and the end are all in it.
//
// Always cpg_dispatch(ONE_NONBLOCKING) under a budget: dispatching "all" has no end while others keep sending.
#pragma once

#include <memory>
#include <mutex>

#include "connection.h"
#include "event.h"
#include "slab_pool.h"

namespace corosync {

class EventSource {
 public:
  struct Budget {
    size_t bytes;
    unsigned dispatches;
  };

  // heldLimitBytes: what may wait for JavaScript. Beyond it the connection is cut and the queue ends with kEvicted.
  EventSource(Connection& connection, size_t heldLimitBytes) : connection_(connection), heldLimitBytes_(heldLimitBytes) {}
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;

  // True if nothing was left to take: the descriptor was seen empty, or the events have ended. Any thread, never blocks for long.
  bool drain(Budget budget);
  // The next event, or null.
  std::unique_ptr<Event> pop();
  bool hasHeld();
  size_t heldBytes();
  // The loop has come to take events.
  void countTurn();
  // Nothing more is taken; the queue may still hold something.
  bool ended();
  // How often the loop has come to take events, and how often anyone has seen the descriptor empty.
  struct Progress {
    uint64_t turns = 0;
    uint64_t timesEmpty = 0;
  };
  Progress progress();
  // Nothing is dispatched after this returns.
  void stop();

  // For the library's callbacks, which get no context that all five libraries could carry: the source that is dispatching on
  // this thread. Only valid inside a callback.
  static EventSource& dispatching();
  EventQueue& queue() { return queue_; }
  // Where messages of this source are put. Its views belong to the loop's thread.
  const std::shared_ptr<SlabPool>& slabs() const { return slabs_; }
  // Ends the events: after an error nothing that follows could be trusted to be complete.
  void end(abi::Status status);

 private:
  Connection& connection_;
  const size_t heldLimitBytes_;
  const std::shared_ptr<SlabPool> slabs_ = std::make_shared<SlabPool>();
  std::mutex mutex_;  // guards what follows
  EventQueue queue_;
  Progress progress_;
  bool ended_ = false;
};

}  // namespace corosync
