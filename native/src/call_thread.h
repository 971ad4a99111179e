// Runs the library calls that can block, in order, on a thread of the handle's own.
//
// Not libuv's pool: Corosync answers nothing while its ring synchronises, or while the daemon is stopped, and four such
// calls would hold up every file and DNS operation of the process. The thread is detached and shares ownership of what it
// uses, because a call into a frozen daemon cannot be waited for when the process or the worker ends.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "thread.h"

namespace corosync {

class CallThread {
 public:
  using Job = std::function<void()>;

  CallThread() : state_(std::make_shared<State>()) {}
  ~CallThread() { stop(); }
  CallThread(const CallThread&) = delete;
  CallThread& operator=(const CallThread&) = delete;

  // False when the thread could not be started, or is stopping: the job will not run.
  bool post(Job job) {
    std::lock_guard<std::mutex> lock(state_->mutex);
    if (state_->stopping) return false;
    if (!state_->running) {
      if (!startThread(kStackBytes, [state = state_] { run(*state); })) return false;
      state_->running = true;
    }
    state_->jobs.push_back(std::move(job));
    state_->changed.notify_all();
    return true;
  }

  // Whether anything was ever posted.
  bool used() {
    std::lock_guard<std::mutex> lock(state_->mutex);
    return state_->running || state_->stopping;
  }

  // Ends the thread after the jobs posted so far. Does not wait.
  void stop() {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }

  // Waits for the end that stop() asked for. False if it did not come in time.
  bool waitStopped(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock<std::mutex> lock(state_->mutex);
    return state_->changed.wait_until(lock, deadline, [this] { return !state_->running; });
  }

 private:
  // The requests themselves need little; cpg_membership_get and cmap_iter_next keep a few kB of answers on the stack.
  static constexpr size_t kStackBytes = 512 * 1024;

  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Job> jobs;
    bool running = false;
    bool stopping = false;
  };

  static void run(State& state) {
    std::unique_lock<std::mutex> lock(state.mutex);
    for (;;) {
      state.changed.wait(lock, [&] { return state.stopping || !state.jobs.empty(); });
      if (state.jobs.empty()) break;
      Job job = std::move(state.jobs.front());
      state.jobs.pop_front();
      lock.unlock();
      job();
      job = nullptr;  // whatever the job owned goes before the lock is taken again
      lock.lock();
    }
    state.running = false;
    state.changed.notify_all();
  }

  std::shared_ptr<State> state_;
};

}  // namespace corosync
