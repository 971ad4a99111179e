// See event_source.h.
#include "event_source.h"

#include "cancel_off.h"

namespace corosync {
namespace {

thread_local EventSource* current = nullptr;

}  // namespace

EventSource& EventSource::dispatching() { return *current; }

bool EventSource::drain(Budget budget) {
  std::lock_guard<std::mutex> lock(mutex_);
  const CancelOff cancelOff;
  const size_t until = queue_.bytes() + budget.bytes;
  current = this;
  bool empty = false;
  for (unsigned count = 0; !ended_ && !empty && count < budget.dispatches && queue_.bytes() < until; ++count) {
    const abi::Status status = connection_.dispatchOne();
    if (status == abi::kTryAgain) {
      empty = true;
      progress_.timesEmpty += 1;
    } else if (status != abi::kOk) {
      end(status);
    } else if (queue_.bytes() > heldLimitBytes_) {
      end(kEvicted);
    }
  }
  current = nullptr;
  return empty || ended_;
}

void EventSource::end(abi::Status status) {
  if (ended_) return;
  ended_ = true;
  queue_.push(std::make_unique<Ended>(status));
  connection_.end(status);
}

std::unique_ptr<Event> EventSource::pop() {
  std::lock_guard<std::mutex> lock(mutex_);
  return queue_.pop();
}

void EventSource::countTurn() {
  std::lock_guard<std::mutex> lock(mutex_);
  progress_.turns += 1;
}

bool EventSource::ended() {
  std::lock_guard<std::mutex> lock(mutex_);
  return ended_;
}

bool EventSource::hasHeld() {
  std::lock_guard<std::mutex> lock(mutex_);
  return !queue_.empty();
}

size_t EventSource::heldBytes() {
  std::lock_guard<std::mutex> lock(mutex_);
  return queue_.bytes();
}

EventSource::Progress EventSource::progress() {
  std::lock_guard<std::mutex> lock(mutex_);
  return progress_;
}

void EventSource::stop() {
  std::lock_guard<std::mutex> lock(mutex_);
  ended_ = true;
}

}  // namespace corosync
