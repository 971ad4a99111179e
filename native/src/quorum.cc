// See quorum.h.
#include "quorum.h"

namespace corosync {
namespace {

class QuorumChange final : public Event {
 public:
  QuorumChange(bool quorate, abi::QuorumRingId ring, const uint32_t* members, size_t count)
      : quorate_(quorate), ring_(ring), members_(members, members + count) {}
  size_t bytes() const override { return sizeof(*this) + members_.size() * sizeof(uint32_t); }
  void handTo(Napi::Env env, Listener& listener) override {
    listener.call(env, "quorum",
                 {Napi::Boolean::New(env, quorate_), Napi::Number::New(env, ring_.nodeId), Napi::BigInt::New(env, ring_.seq),
                  toUint32Array(env, members_.data(), members_.size())});
  }

 private:
  bool quorate_;
  abi::QuorumRingId ring_;
  std::vector<uint32_t> members_;
};

class NodelistChange final : public Event {
 public:
  explicit NodelistChange(abi::QuorumRingId ring) : ring_(ring) {}
  std::vector<uint32_t> members, joined, left;
  size_t bytes() const override { return sizeof(*this) + (members.size() + joined.size() + left.size()) * sizeof(uint32_t); }
  void handTo(Napi::Env env, Listener& listener) override {
    listener.call(env, "nodelist",
                 {Napi::Number::New(env, ring_.nodeId), Napi::BigInt::New(env, ring_.seq), toUint32Array(env, members.data(), members.size()),
                  toUint32Array(env, joined.data(), joined.size()), toUint32Array(env, left.data(), left.size())});
  }

 private:
  abi::QuorumRingId ring_;
};

void onQuorum(abi::Handle, uint32_t quorate, abi::QuorumRingId ring, uint32_t count, const uint32_t* members) {
  EventSource::dispatching().queue().push(std::make_unique<QuorumChange>(quorate != 0, ring, members, count));
}

void onNodelist(abi::Handle, abi::QuorumRingId ring, uint32_t memberCount, const uint32_t* members, uint32_t joinedCount,
                const uint32_t* joined, uint32_t leftCount, const uint32_t* left) {
  auto event = std::make_unique<NodelistChange>(ring);
  event->members.assign(members, members + memberCount);
  event->joined.assign(joined, joined + joinedCount);
  event->left.assign(left, left + leftCount);
  EventSource::dispatching().queue().push(std::move(event));
}

}  // namespace

Napi::Function Quorum::define(Napi::Env env) {
  return DefineClass(env, "Quorum",
                     withCommonMethods({
                         InstanceMethod("open", &Quorum::openMethod),
                         InstanceMethod("quorate", &Quorum::quorate),
                         InstanceMethod("trackStart", &Quorum::trackStart),
                         InstanceMethod("trackStop", &Quorum::trackStop),
                     }));
}

Quorum::Quorum(const Napi::CallbackInfo& info)
    : HandleWrap(info, connectionCalls(loadQuorum().api), kUnbounded),
      library_(loadQuorum()) {}

Napi::Value Quorum::openMethod(const Napi::CallbackInfo& info) {
  auto type = std::make_shared<uint32_t>(0);
  auto initialize = [api = library_.api, type](abi::Handle* handle) {
    abi::QuorumModelV1 model{abi::kQuorumModelV1, onQuorum, onNodelist};
    return api.initialize(handle, abi::kQuorumModelV1, &model, type.get(), nullptr);
  };
  auto reply = [type](Connection&) {
    return valueReply(abi::kOk, [provided = *type != 0](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, provided); });
  };
  // Notifications are few and small: whatever comes while JavaScript is busy can wait in the daemon.
  const Events events{info[0].As<Napi::Object>(), 0};
  return open(info.Env(), initialize, reply, &events);
}

Napi::Value Quorum::quorate(const Napi::CallbackInfo& info) {
  return call(info.Env(), [api = library_.api](Connection& connection) {
    int quorate = 0;
    const abi::Status status = connection.request([&](abi::Handle handle) { return api.getQuorate(handle, &quorate); });
    return valueReply(status, [quorate](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, quorate != 0); });
  });
}

Napi::Value Quorum::trackStart(const Napi::CallbackInfo& info) {
  return call(info.Env(), [api = library_.api](Connection& connection) {
    return statusReply(connection.request([&](abi::Handle handle) { return api.trackStart(handle, abi::kTrackCurrent | abi::kTrackChanges); }));
  });
}

Napi::Value Quorum::trackStop(const Napi::CallbackInfo& info) {
  return call(info.Env(), [api = library_.api](Connection& connection) {
    return statusReply(connection.request([&](abi::Handle handle) { return api.trackStop(handle); }));
  });
}

}  // namespace corosync
