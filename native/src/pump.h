// Hands one connection's events to JavaScript on the loop's thread: a uv_poll handle on the library's descriptor, a bounded turn
// of dispatching, one call into JavaScript for each batch of messages or other event.
#pragma once

#include <napi.h>
#include <uv.h>

#include <functional>
#include <memory>

#include "event_source.h"
#include "loop_door.h"

namespace corosync {

// The uv handles of one environment that libuv has not let go of yet.
struct UvHandleCount {
  size_t open = 0;
  std::function<void()> whenNone;
  void closed() {
    if (--open == 0 && whenNone) whenNone();
  }
};

class Pump : public std::enable_shared_from_this<Pump> {
 public:
  Pump(std::shared_ptr<LoopDoor> door, std::shared_ptr<UvHandleCount> uvHandles, EventSource& source, Napi::Object listener);
  ~Pump();
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  // Loop's thread. False if libuv refuses the descriptor.
  bool start(Napi::Env env, int fd);
  // Loop's thread, also from inside a listener: no call to the listener after this, and `source` is not touched again.
  void stop();
  bool started() const { return poll_ != nullptr; }
  // Whether the events keep the loop alive (they do at first).
  void setRef(bool ref);
  // Makes a function that any thread may call, even after this pump is gone: there is something in the queue.
  std::function<void()> waker();

 private:
  void turn();

  std::shared_ptr<LoopDoor> door_;
  std::shared_ptr<UvHandleCount> uvHandles_;
  EventSource& source_;
  const std::shared_ptr<SlabPool> slabs_;  // outlives `source_`
  Listener listener_;
  uv_poll_t* poll_ = nullptr;
  bool turning_ = false;
  std::function<void()> wake_;
};

}  // namespace corosync
