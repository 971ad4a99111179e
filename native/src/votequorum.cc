// See votequorum.h.
#include "votequorum.h"

#include <cstring>

#include "arguments.h"

namespace corosync {

Napi::Function Votequorum::define(Napi::Env env) {
  return DefineClass(env, "Votequorum",
                     withCommonMethods({
                         InstanceMethod("open", &Votequorum::openMethod),
                         InstanceMethod("info", &Votequorum::info),
                     }));
}

Votequorum::Votequorum(const Napi::CallbackInfo& info)
    : HandleWrap(info, connectionCalls(loadVotequorum().api), kUnbounded), library_(loadVotequorum()) {}

Napi::Value Votequorum::openMethod(const Napi::CallbackInfo& info) {
  auto initialize = [api = library_.api](abi::Handle* handle) { return api.initialize(handle, nullptr); };
  auto reply = [](Connection&) { return valueReply(abi::kOk, [](Napi::Env env) { return env.Undefined(); }); };
  return open(info.Env(), initialize, reply, nullptr);
}

// (nodeId, 0 for this node) to [status, {…}].
Napi::Value Votequorum::info(const Napi::CallbackInfo& info) {
  const auto nodeId = argument<uint32_t>(info[0]);
  if (!nodeId) return refuse(info.Env());
  return call(info.Env(), [api = library_.api, nodeId = *nodeId](Connection& connection) {
    abi::VotequorumInfo found{};
    const abi::Status status = connection.request([&](abi::Handle handle) { return api.getInfo(handle, nodeId, &found); });
    return valueReply(status, [found](Napi::Env env) -> Napi::Value {
      Napi::Object object = Napi::Object::New(env);
      object.Set("nodeId", found.nodeId);
      object.Set("state", found.nodeState);
      object.Set("votes", found.nodeVotes);
      object.Set("expectedVotes", found.nodeExpectedVotes);
      object.Set("highestExpected", found.highestExpected);
      object.Set("totalVotes", found.totalVotes);
      object.Set("quorum", found.quorum);
      object.Set("flags", found.flags);
      object.Set("deviceVotes", found.deviceVotes);
      object.Set("deviceName", Napi::String::New(env, found.deviceName, strnlen(found.deviceName, sizeof(found.deviceName))));
      return object;
    });
  });
}

}  // namespace corosync
