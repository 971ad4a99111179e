// What the daemon tells a handle: an ordered sequence of events, held until JavaScript takes them.
// Not here: who dispatches (event_source.h) and who hands over (pump.h).
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <vector>

#include "abi.h"
#include "listener.h"

namespace corosync {

class MessageSlab;

class Event {
 public:
  virtual ~Event() = default;
  // Memory held, in bytes.
  virtual size_t bytes() const = 0;
  // This, if messages can be added to it. (A dynamic_cast for each message showed in profiles.)
  virtual MessageSlab* openSlab() { return nullptr; }
  // Nothing follows this event.
  virtual bool last() const { return false; }
  // Calls the listener. Loop's thread, inside a callback scope; may take the memory along.
  virtual void handTo(Napi::Env env, Listener& listener) = 0;
};

// Statuses of ours, beside the library's.
constexpr abi::Status kEvicted = -1;
constexpr abi::Status kTooManyMembers = -6;

// The last event of a handle: why there will be no more.
class Ended final : public Event {
 public:

  explicit Ended(abi::Status status) : status_(status) {}
  size_t bytes() const override { return sizeof(*this); }
  bool last() const override { return true; }
  void handTo(Napi::Env env, Listener& listener) override;

 private:
  abi::Status status_;
};

// A copy of `words` as a Uint32Array.
Napi::Uint32Array toUint32Array(Napi::Env env, const uint32_t* words, size_t count);

// Not thread safe: event_source.h has the lock.
class EventQueue {
 public:
  void push(std::unique_ptr<Event> event) {
    bytes_ += event->bytes();
    events_.push_back(std::move(event));
  }
  // Null if empty.
  std::unique_ptr<Event> pop() {
    if (events_.empty()) return nullptr;
    std::unique_ptr<Event> event = std::move(events_.front());
    events_.pop_front();
    bytes_ -= event->bytes();
    return event;
  }
  Event* back() { return events_.empty() ? nullptr : events_.back().get(); }
  // After the last event has grown in place.
  void grew(size_t bytes) { bytes_ += bytes; }
  size_t bytes() const { return bytes_; }
  bool empty() const { return events_.empty(); }

 private:
  std::deque<std::unique_ptr<Event>> events_;
  size_t bytes_ = 0;
};

}  // namespace corosync
