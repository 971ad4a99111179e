// See table_gate.h.
#include "table_gate.h"

#include <condition_variable>
#include <mutex>

namespace corosync {
namespace {

struct Gate {
  std::mutex mutex;
  std::condition_variable opened;
  bool taken = false;
  uint64_t ticket = 0;
  std::chrono::steady_clock::time_point until;
};

// Never destroyed: detached threads may use it while the process ends.
Gate& gate() {
  static Gate* const instance = new Gate;
  return *instance;
}

}  // namespace

TableGate::TableGate() {
  Gate& shared = gate();
  std::unique_lock<std::mutex> lock(shared.mutex);
  while (shared.taken && std::chrono::steady_clock::now() < shared.until) shared.opened.wait_until(lock, shared.until);
  shared.taken = true;
  shared.until = std::chrono::steady_clock::now() + kHold;
  ticket_ = ++shared.ticket;
}

TableGate::~TableGate() {
  Gate& shared = gate();
  std::lock_guard<std::mutex> lock(shared.mutex);
  if (shared.ticket != ticket_) return;  // it was opened for somebody else meanwhile
  shared.taken = false;
  shared.opened.notify_all();
}

}  // namespace corosync
