// See handle.h.
#include "handle.h"

#include <utility>

#include "arguments.h"

namespace corosync {

Reply statusReply(abi::Status status) {
  return valueReply(status, [](Napi::Env env) { return env.Undefined(); });
}

Reply valueReply(abi::Status status, Reply value) {
  return [status, value = std::move(value)](Napi::Env env) -> Napi::Value {
    Napi::Array pair = Napi::Array::New(env, 2);
    pair.Set(0u, Napi::Number::New(env, status));
    pair.Set(1u, status == abi::kOk ? value(env) : env.Undefined());
    return pair;
  };
}

Handle::Handle(Napi::Env env, ConnectionCalls calls, size_t heldLimitBytes)
    : addon_(AddonData::of(env)), state_(std::make_shared<HandleState>(calls, heldLimitBytes)) {
  addon_->handles.insert(this);
}

Handle::~Handle() {
  abandon();
  addon_->handles.erase(this);
}

Napi::Value Handle::call(Napi::Env env, std::function<Reply(Connection&)> work) {
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  if (napi_create_promise(env, &deferred, &promise) != napi_ok) return {};
  std::shared_ptr<LoopDoor> door = addon_->door;
  keepObject();
  holdLoop();
  auto finish = [this, deferred](Napi::Env loopEnv, const Reply& reply) {
    releaseObject();
    releaseLoop();
    const Napi::Value value = reply(loopEnv);
    if (loopEnv.IsExceptionPending()) napi_reject_deferred(loopEnv, deferred, loopEnv.GetAndClearPendingException().Value());
    else napi_resolve_deferred(loopEnv, deferred, value);
  };
  const bool posted = calls_.post([state = state_, door, finish, work = std::move(work)] {
    Reply reply = work(state->connection);
    door->post([finish, reply = std::move(reply)](Napi::Env loopEnv) { finish(loopEnv, reply); });
  });
  if (!posted) finish(env, statusReply(closing_ ? abi::kBadHandle : abi::kNoResources));
  return Napi::Value(env, promise);
}

Napi::Value Handle::refuse(Napi::Env env) {
  return call(env, [](Connection&) { return statusReply(abi::kInvalidParam); });
}

Napi::Value Handle::open(Napi::Env env, std::function<abi::Status(abi::Handle*)> initialize, std::function<Reply(Connection&)> reply,
                         const Events* events) {
  if (events != nullptr) {
    stallMs_ = events->stallMs;
    pump_ = std::make_shared<Pump>(addon_->door, addon_->uvHandles, state_->events, events->listener);
  }
  return call(env, [this, initialize = std::move(initialize), reply = std::move(reply)](Connection& connection) -> Reply {
    const abi::Status status = connection.open(initialize);
    if (status != abi::kOk) return valueReply(status, nullptr);
    Reply made = reply(connection);
    if (connection.fd() < 0) return made;
    return [this, made = std::move(made)](Napi::Env loopEnv) -> Napi::Value {
      if (pump_ != nullptr && !closing_ && !startEvents(loopEnv)) return valueReply(abi::kNoResources, nullptr)(loopEnv);
      return made(loopEnv);
    };
  });
}

bool Handle::startEvents(Napi::Env env) {
  Connection& connection = state_->connection;
  if (!pump_->start(env, connection.fd())) return false;
  keepObject();
  pump_->setRef(ref_);
  return stallMs_ == 0 || state_->standby.start(connection, state_->events, stallMs_, pump_->waker());
}

void Handle::stopEvents() {
  if (pump_ == nullptr) return;
  if (pump_->started()) releaseObject();
  pump_->stop();
}

std::function<abi::Status()> Handle::finalizer() {
  return [state = state_, before = beforeClose()] {
    state->standby.stopAndWait();
    state->events.stop();
    if (before) before(state->connection);
    return state->connection.close();
  };
}

Napi::Value Handle::close(const Napi::CallbackInfo& info) {
  stopEvents();
  detachBuffers();
  const Napi::Value promise = call(info.Env(), [finalize = finalizer()](Connection&) { return statusReply(finalize()); });
  // Where no promise can be made nobody waits for one, but what is open is to be closed all the same.
  if (promise.IsEmpty()) abandon();
  closing_ = true;
  calls_.stop();
  return promise;
}

// () to whether the calls under way will end of it: there was a connection to cut, for the first time. If not, they are not waited for.
Napi::Value Handle::cut(const Napi::CallbackInfo& info) {
  const bool first = !std::exchange(wasCut_, true);
  const bool willEnd = state_->connection.cut() && first;
  if (!willEnd) forsakeCalls();
  return Napi::Boolean::New(info.Env(), willEnd);
}

void Handle::holdLoop() {
  ++callsUnderWay_;
  if (!forsaken_) addon_->door->hold();
}

void Handle::releaseLoop() {
  --callsUnderWay_;
  if (!forsaken_) addon_->door->release();
}

void Handle::forsakeCalls() {
  if (std::exchange(forsaken_, true)) return;
  for (size_t i = 0; i < callsUnderWay_; ++i) addon_->door->release();
}

void Handle::setRef(const Napi::CallbackInfo& info) {
  ref_ = argument<bool>(info[0]).value_or(ref_);
  if (pump_ != nullptr) pump_->setRef(ref_);
}

void Handle::abandon() {
  if (std::exchange(closing_, true)) return;
  if (pump_ != nullptr) pump_->stop();
  if (!calls_.used()) return;
  calls_.post(finalizer());
  calls_.stop();
}

void Handle::awaitClosed(std::chrono::steady_clock::time_point deadline) {
  if (!calls_.waitStopped(deadline)) state_->connection.cut();
}

}  // namespace corosync
