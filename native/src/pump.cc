// See pump.h.
#include "pump.h"

#include <atomic>
#include <utility>


namespace corosync {
namespace {

// One drained dispatch, one call into JavaScript. Small enough that the answer to the first message is on its way while the
// daemon still hands over the next ones: with 8192 a flood ran at half the rate.
constexpr EventSource::Budget kSlice{SlabPool::kSlabBytes, 1024};
// After this long the loop gets its turn; what is left follows in the next iteration.
constexpr uint64_t kTurnNs = 4'000'000;

struct PollBox {
  uv_poll_t poll;
  Pump* pump;
  std::shared_ptr<UvHandleCount> uvHandles;
};

}  // namespace

Pump::Pump(std::shared_ptr<LoopDoor> door, std::shared_ptr<UvHandleCount> uvHandles, EventSource& source, Napi::Object listener)
    : door_(std::move(door)), uvHandles_(std::move(uvHandles)), source_(source), slabs_(source.slabs()), listener_(listener) {}

Pump::~Pump() { stop(); }

bool Pump::start(Napi::Env env, int fd) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return false;
  auto box = std::make_unique<PollBox>();
  box->pump = this;
  box->uvHandles = uvHandles_;
  if (uv_poll_init(loop, &box->poll, fd) != 0) return false;
  box->poll.data = box.get();
  poll_ = &box.release()->poll;
  wake_ = waker();
  uvHandles_->open += 1;
  // An error (a hangup) is a reason to dispatch as well: the library then says what happened.
  return uv_poll_start(poll_, UV_READABLE | UV_DISCONNECT, [](uv_poll_t* poll, int, int) { static_cast<PollBox*>(poll->data)->pump->turn(); }) == 0;
}

void Pump::stop() {
  listener_.reset();  // it holds the handle's own JavaScript object
  slabs_->dropViews();
  if (poll_ == nullptr) return;
  uv_poll_t* poll = std::exchange(poll_, nullptr);
  uv_poll_stop(poll);
  uv_close(reinterpret_cast<uv_handle_t*>(poll), [](uv_handle_t* handle) {
    std::unique_ptr<PollBox> box(static_cast<PollBox*>(handle->data));
    box->uvHandles->closed();
  });
}

void Pump::setRef(bool ref) {
  if (poll_ == nullptr) return;
  auto* handle = reinterpret_cast<uv_handle_t*>(poll_);
  ref ? uv_ref(handle) : uv_unref(handle);
}

// Other threads get no reference to the pump: the last one must be dropped on the loop's thread.
std::function<void()> Pump::waker() {
  auto posted = std::make_shared<std::atomic<bool>>(false);
  return [door = door_, posted, weak = weak_from_this()] {
    if (posted->exchange(true)) return;
    door->post([posted, weak](Napi::Env) {
      *posted = false;
      if (const auto self = weak.lock()) self->turn();
    });
  };
}

void Pump::turn() {
  // A listener that runs the loop itself would otherwise get later events inside an earlier one.
  if (poll_ == nullptr || turning_) return;
  auto self = shared_from_this();  // a listener may let go of the last reference
  turning_ = true;
  source_.countTurn();
  const uint64_t until = uv_hrtime() + kTurnNs;
  bool empty = false;
  while (poll_ != nullptr && uv_hrtime() < until) {
    const std::unique_ptr<Event> event = source_.pop();
    if (event == nullptr) {
      if (empty) break;
      empty = source_.drain(kSlice);
      continue;
    }
    // The descriptor of a connection that has ended stays readable for ever.
    if (event->last()) uv_poll_stop(poll_);
    door_->enter([&](Napi::Env env) { event->handTo(env, listener_); });
  }
  turning_ = false;
  if (poll_ != nullptr && source_.hasHeld()) wake_();
}

}  // namespace corosync
