// See loop_door.h.
#include "loop_door.h"

#include <utility>

namespace corosync {
namespace {

struct AsyncBox {
  uv_async_t async;
  LoopDoor* door;
  std::function<void()> closed;
};

}  // namespace

LoopDoor::LoopDoor(Napi::Env env) : env_(env), context_(std::make_unique<Napi::AsyncContext>(env, "lockstep.corosync")) {}

LoopDoor::~LoopDoor() = default;

std::shared_ptr<LoopDoor> LoopDoor::open(Napi::Env env) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return nullptr;
  std::shared_ptr<LoopDoor> door(new LoopDoor(env));
  auto box = std::make_unique<AsyncBox>();
  box->door = door.get();
  if (uv_async_init(loop, &box->async, [](uv_async_t* async) { static_cast<AsyncBox*>(async->data)->door->runTasks(); }) != 0) return nullptr;
  box->async.data = box.get();
  door->async_ = &box.release()->async;
  uv_unref(reinterpret_cast<uv_handle_t*>(door->async_));
  return door;
}

void LoopDoor::post(Task task) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (async_ == nullptr) return;
  tasks_.push_back(std::move(task));
  uv_async_send(async_);
}

void LoopDoor::hold() {
  if (++holds_ == 1 && async_ != nullptr) uv_ref(reinterpret_cast<uv_handle_t*>(async_));
}

void LoopDoor::release() {
  if (--holds_ == 0 && async_ != nullptr) uv_unref(reinterpret_cast<uv_handle_t*>(async_));
}

// While an environment ends, libuv's callbacks still come, but JavaScript can no longer be called. Node-API has no question for
// that; any operation that could run JavaScript fails.
bool LoopDoor::mayEnter() {
  if (context_ == nullptr) return false;  // closed
  napi_value number, result;
  return napi_create_uint32(env_, 0, &number) == napi_ok && napi_coerce_to_number(env_, number, &result) == napi_ok;
}

void LoopDoor::enter(const Task& task) {
  Napi::HandleScope handles(env_);
  if (!mayEnter()) return;
  bool failed = false;
  napi_value error = nullptr;
  {
    Napi::CallbackScope callback(env_, *context_);
    task(env_);
    failed = napi_is_exception_pending(env_, &failed) == napi_ok && failed;
    if (failed) napi_get_and_clear_last_exception(env_, &error);
  }
  // As for any callback of the loop: the process' uncaughtException handlers decide.
  if (failed && error != nullptr) napi_fatal_exception(env_, error);
}

void LoopDoor::runTasks() {
  std::vector<Task> tasks;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const Task& task : tasks) enter(task);
}

void LoopDoor::close(std::function<void()> closed) {
  uv_async_t* async = nullptr;
  std::vector<Task> dropped;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    std::swap(async, async_);
    dropped.swap(tasks_);
  }
  context_.reset();
  if (async == nullptr) return;
  static_cast<AsyncBox*>(async->data)->closed = std::move(closed);
  uv_close(reinterpret_cast<uv_handle_t*>(async), [](uv_handle_t* handle) {
    std::unique_ptr<AsyncBox> box(static_cast<AsyncBox*>(handle->data));
    box->closed();
  });
}

}  // namespace corosync
