// See cfg.h.
#include "cfg.h"

#include "arguments.h"

namespace corosync {
namespace {

class ShutdownRequest final : public Event {
 public:
  explicit ShutdownRequest(int flags) : flags_(flags) {}
  size_t bytes() const override { return sizeof(*this); }
  void handTo(Napi::Env env, Listener& listener) override { listener.call(env, "shutdown", {Napi::Number::New(env, flags_)}); }

 private:
  int flags_;
};

void onShutdown(abi::Handle, int flags) { EventSource::dispatching().queue().push(std::make_unique<ShutdownRequest>(flags)); }

}  // namespace

Napi::Function Cfg::define(Napi::Env env) {
  return DefineClass(env, "Cfg",
                     withCommonMethods({
                         InstanceMethod("open", &Cfg::openMethod),
                         InstanceMethod("trackStart", &Cfg::trackStart),
                         InstanceMethod("trackStop", &Cfg::trackStop),
                         InstanceMethod("tryShutdown", &Cfg::tryShutdown),
                         InstanceMethod("replyToShutdown", &Cfg::replyToShutdown),
                         InstanceMethod("localNodeId", &Cfg::localNodeId),
                     }));
}

Cfg::Cfg(const Napi::CallbackInfo& info)
    : HandleWrap(info, connectionCalls(loadCfg().api), kUnbounded),
      library_(loadCfg()) {}

Napi::Value Cfg::openMethod(const Napi::CallbackInfo& info) {
  auto initialize = [api = library_.api](abi::Handle* handle) {
    const abi::CfgCallbacks callbacks{onShutdown};
    return api.initialize(handle, &callbacks);
  };
  auto reply = [](Connection&) { return valueReply(abi::kOk, [](Napi::Env env) { return env.Undefined(); }); };
  const Events events{info[0].As<Napi::Object>(), 0};
  return open(info.Env(), initialize, reply, &events);
}

Napi::Value Cfg::trackStart(const Napi::CallbackInfo& info) {
  return call(info.Env(), [api = library_.api](Connection& connection) {
    return statusReply(connection.request([&](abi::Handle handle) { return api.trackStart(handle, abi::kTrackChanges); }));
  });
}

Napi::Value Cfg::trackStop(const Napi::CallbackInfo& info) {
  return call(info.Env(), [api = library_.api](Connection& connection) {
    return statusReply(connection.request([&](abi::Handle handle) { return api.trackStop(handle); }));
  });
}

// (flags)
Napi::Value Cfg::tryShutdown(const Napi::CallbackInfo& info) {
  const auto flags = argument<int32_t>(info[0]);
  if (!flags) return refuse(info.Env());
  return call(info.Env(), [api = library_.api, flags = *flags](Connection& connection) {
    return statusReply(connection.request([&](abi::Handle handle) { return api.tryShutdown(handle, flags); }));
  });
}

// (answer)
Napi::Value Cfg::replyToShutdown(const Napi::CallbackInfo& info) {
  const auto answer = argument<int32_t>(info[0]);
  if (!answer) return refuse(info.Env());
  return call(info.Env(), [api = library_.api, answer = *answer](Connection& connection) {
    return statusReply(connection.request([&](abi::Handle handle) { return api.replyToShutdown(handle, answer); }));
  });
}

Napi::Value Cfg::localNodeId(const Napi::CallbackInfo& info) {
  return call(info.Env(), [api = library_.api](Connection& connection) {
    unsigned nodeId = 0;
    const abi::Status status = connection.request([&](abi::Handle handle) { return api.localGet(handle, &nodeId); });
    return valueReply(status, [nodeId](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, nodeId); });
  });
}

}  // namespace corosync
