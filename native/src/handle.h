// What the five classes that JavaScript sees have in common: opening, requests off the loop's thread, events, closing.
//
// Native methods return the library's status and never throw for it; lib/ turns it into typed errors. A handle with events is
// kept alive by them until it is closed, as a socket is; one without is closed when its object is collected.
#pragma once

#include <napi.h>

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "call_thread.h"
#include "event_source.h"
#include "libraries.h"
#include "loop_door.h"
#include "pump.h"
#include "standby.h"

namespace corosync {

class Handle;

// What one environment (the main thread, or a worker) has of this addon. There is nothing beside it: no global state.
struct AddonData {
  std::shared_ptr<LoopDoor> door;
  std::shared_ptr<UvHandleCount> uvHandles = std::make_shared<UvHandleCount>();
  std::set<Handle*> handles;
  napi_async_cleanup_hook_handle cleanup = nullptr;

  static std::shared_ptr<AddonData>& of(Napi::Env env) { return *env.GetInstanceData<std::shared_ptr<AddonData>>(); }
};

// Shared with the handle's threads, which may outlive the JavaScript object. Members are destroyed from the last to the first:
// the standby thread stops before the events and the connection it uses.
struct HandleState {
  HandleState(ConnectionCalls calls, size_t heldLimitBytes) : connection(calls), events(connection, heldLimitBytes) {}
  Connection connection;
  EventSource events;
  Standby standby;
};

// Makes the JavaScript value of an answer; runs on the loop's thread.
using Reply = std::function<Napi::Value(Napi::Env)>;
// [status, undefined]
Reply statusReply(abi::Status status);
// [status, value]; the value only if the status is kOk.
Reply valueReply(abi::Status status, Reply value);

class Handle {
 public:
  virtual ~Handle();
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  // The environment or the object goes away: closes without telling anybody. Loop's thread; does not wait.
  void abandon();
  // After abandon(): cuts the connection if the daemon has not answered by the deadline.
  void awaitClosed(std::chrono::steady_clock::time_point deadline);

 protected:
  static constexpr size_t kUnbounded = SIZE_MAX;

  Handle(Napi::Env env, ConnectionCalls calls, size_t heldLimitBytes);

  struct Events {
    Napi::Object listener;
    // How long the loop may leave events waiting before the standby thread takes them; 0 for no such thread.
    int stallMs;
  };

  // Opens off the loop's thread, then starts the events if there are any. `reply` runs on the call thread after success; it closes the
  // connection again if that is not what it wants.
  Napi::Value open(Napi::Env env, std::function<abi::Status(abi::Handle*)> initialize, std::function<Reply(Connection&)> reply,
                   const Events* events);
  // Runs `work` on the handle's call thread, after the calls before it. Nothing, and an empty value, while the environment ends.
  Napi::Value call(Napi::Env env, std::function<Reply(Connection&)> work);
  // The promise of kInvalidParam, after the calls before it.
  Napi::Value refuse(Napi::Env env);
  Connection& connection() { return state_->connection; }

  // The JavaScript object stays while this is in effect; counted.
  virtual void keepObject() = 0;
  virtual void releaseObject() = 0;
  // What has to be given back to the library before it is finalized: first by JavaScript, then, on the call thread, to the library.
  virtual void detachBuffers() {}
  virtual std::function<void(Connection&)> beforeClose() { return nullptr; }
  bool closing() const { return closing_; }

  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value cut(const Napi::CallbackInfo& info);
  void setRef(const Napi::CallbackInfo& info);

 private:
  bool startEvents(Napi::Env env);
  void stopEvents();
  // Calls under way keep the loop alive, until nobody waits for them any more.
  void holdLoop();
  void releaseLoop();
  void forsakeCalls();
  // The last job.
  std::function<abi::Status()> finalizer();

  std::shared_ptr<AddonData> addon_;
  std::shared_ptr<HandleState> state_;
  CallThread calls_;
  std::shared_ptr<Pump> pump_;
  int stallMs_ = 0;
  size_t callsUnderWay_ = 0;
  bool wasCut_ = false;
  bool forsaken_ = false;
  bool ref_ = true;
  bool closing_ = false;
};

template <class T>
class HandleWrap : public Napi::ObjectWrap<T>, public Handle {
 public:
  HandleWrap(const Napi::CallbackInfo& info, ConnectionCalls calls, size_t heldLimitBytes)
      : Napi::ObjectWrap<T>(info), Handle(info.Env(), calls, heldLimitBytes) {}

 protected:
  using Property = Napi::ClassPropertyDescriptor<T>;
  static std::vector<Property> withCommonMethods(std::vector<Property> methods) {
    methods.push_back(Napi::ObjectWrap<T>::InstanceMethod("close", &HandleWrap::closeMethod));
    methods.push_back(Napi::ObjectWrap<T>::InstanceMethod("cut", &HandleWrap::cutMethod));
    methods.push_back(Napi::ObjectWrap<T>::InstanceMethod("setRef", &HandleWrap::setRefMethod));
    return methods;
  }

 private:
  void keepObject() override { this->Ref(); }
  void releaseObject() override { this->Unref(); }
  Napi::Value closeMethod(const Napi::CallbackInfo& info) { return close(info); }
  Napi::Value cutMethod(const Napi::CallbackInfo& info) { return cut(info); }
  void setRefMethod(const Napi::CallbackInfo& info) { setRef(info); }
};

}  // namespace corosync
