// The way from any thread to the event loop's thread of one environment: post() a task, it runs there, in order.
// One uv_async_t per environment. After close() tasks are dropped: their JavaScript is gone.
#pragma once

#include <napi.h>
#include <uv.h>

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace corosync {

class LoopDoor {
 public:
  using Task = std::function<void(Napi::Env)>;

  // Loop's thread. Null if libuv refuses.
  static std::shared_ptr<LoopDoor> open(Napi::Env env);
  ~LoopDoor();
  LoopDoor(const LoopDoor&) = delete;
  LoopDoor& operator=(const LoopDoor&) = delete;

  // Any thread.
  void post(Task task);

  // Loop's thread: while something is held, the loop stays alive.
  void hold();
  void release();

  // Loop's thread: runs `task` as a callback from the loop: handle scope, microtasks after it, exceptions to the process.
  void enter(const Task& task);

  // Loop's thread. `closed` is called when libuv has let go of the handle.
  void close(std::function<void()> closed);

 private:
  explicit LoopDoor(Napi::Env env);
  void runTasks();
  bool mayEnter();

  Napi::Env env_;
  std::unique_ptr<Napi::AsyncContext> context_;
  size_t holds_ = 0;
  std::mutex mutex_;  // guards what follows
  std::vector<Task> tasks_;
  uv_async_t* async_ = nullptr;
};

}  // namespace corosync
