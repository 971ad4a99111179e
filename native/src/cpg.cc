// See cpg.h. Arguments come checked from lib/cpg.ts; the checks here only keep a mistake from becoming a memory error.
#include "cpg.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "arguments.h"
#include "cancel_off.h"
#include "cpg_events.h"
#include "shared_memory.h"
#include "table_gate.h"

namespace corosync {
namespace {

bool toName(const Napi::Value& value, abi::CpgName& name) {
  const auto text = argument<std::string>(value);
  if (!text || text->empty() || text->size() >= abi::kCpgNameBytes) return false;
  name = {};
  name.length = static_cast<uint32_t>(text->size());
  std::memcpy(name.value, text->data(), text->size());
  return true;
}

bool toIovec(const Napi::Value& value, iovec& piece) {
  void* data = nullptr;
  size_t elements = 0, offset = 0;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(value.Env(), value, &type, &elements, &data, nullptr, &offset) != napi_ok || type != napi_uint8_array) return false;
  piece = {data, elements};
  return true;
}

Napi::Value status(Napi::Env env, abi::Status status) { return Napi::Number::New(env, status); }

using Rows = std::vector<abi::CpgIterationDescription>;

abi::Status iterateOver(const abi::CpgApi& api, abi::Handle handle, int type, const abi::CpgName* name, Rows& rows) {
  const TableGate gate;  // iterations have a table of their own
  abi::Handle iteration = 0;
  abi::Status result = api.iterationInitialize(handle, type, name, &iteration);
  if (result != abi::kOk) return result;
  abi::CpgIterationDescription row;
  while ((result = api.iterationNext(iteration, &row)) == abi::kOk) rows.push_back(row);
  api.iterationFinalize(iteration);
  return result == abi::kNoSections ? abi::kOk : result;
}

// kTooManyMembers if the group has more members than the library's lists have places.
abi::Status checkMembers(const abi::CpgApi& api, abi::Handle handle, const abi::CpgName& name, size_t most) {
  Rows rows;
  const abi::Status result = iterateOver(api, handle, abi::kCpgIterationOneGroup, &name, rows);
  return result == abi::kOk && rows.size() > most ? kTooManyMembers : result;
}

}  // namespace

Napi::Function Cpg::define(Napi::Env env) {
  return DefineClass(env, "Cpg",
                     withCommonMethods({
                         InstanceMethod("open", &Cpg::openMethod),
                         InstanceMethod("join", &Cpg::join),
                         InstanceMethod("leave", &Cpg::leave),
                         InstanceMethod("membership", &Cpg::membership),
                         InstanceMethod("iterate", &Cpg::iterate),
                         InstanceMethod("flowControl", &Cpg::flowControl),
                         InstanceMethod("mcast", &Cpg::mcast),
                         InstanceMethod("mcastGathered", &Cpg::mcastGathered),
                         InstanceMethod("mcastEach", &Cpg::mcastEach),
                         InstanceMethod("zcbAlloc", &Cpg::zcbAlloc),
                         InstanceMethod("zcbMcast", &Cpg::zcbMcast),
                         InstanceMethod("zcbFree", &Cpg::zcbFree),
                     }));
}

Cpg::Cpg(const Napi::CallbackInfo& info)
    : HandleWrap(info, connectionCalls(loadCpg().api), argument<size_t>(info[1]).value_or(0)),
      library_(std::make_shared<const Library<abi::CpgApi>>(loadCpg())),
      flags_(argument<bool>(info[0]).value_or(false) ? abi::kCpgDeliverInitialTotemConf : 0),
      stallMs_(argument<int32_t>(info[2]).value_or(0)) {}

Napi::Value Cpg::openMethod(const Napi::CallbackInfo& info) {
  auto initialize = [library = library_, flags = flags_](abi::Handle* handle) {
    abi::CpgModelV1 model{abi::kCpgModelV1, onCpgDeliver, onCpgConfchg, onCpgTotemConfchg, flags};
    return library->api.initialize(handle, abi::kCpgModelV1, &model, nullptr);
  };
  auto reply = [library = library_](Connection& connection) -> Reply {
    unsigned nodeId = 0;
    uint32_t maxAtomic = 0;
    abi::Status status = connection.request([&](abi::Handle handle) { return library->api.localGet(handle, &nodeId); });
    if (status == abi::kOk) status = connection.request([&](abi::Handle handle) { return library->api.maxAtomicGet(handle, &maxAtomic); });
    // Whoever is told to try again opens again, and that is to be the only connection.
    if (status != abi::kOk) connection.close();
    return valueReply(status, [nodeId, maxAtomic, daemonPid = connection.daemonPid()](Napi::Env env) -> Napi::Value {
      const uint32_t words[] = {nodeId, maxAtomic, static_cast<uint32_t>(daemonPid)};
      return toUint32Array(env, words, 3);
    });
  };
  const Events events{info[0].As<Napi::Object>(), stallMs_};
  return open(info.Env(), initialize, reply, &events);
}

Napi::Value Cpg::join(const Napi::CallbackInfo& info) {
  abi::CpgName name;
  if (!toName(info[0], name)) return refuse(info.Env());
  return call(info.Env(), [library = library_, name](Connection& connection) {
    return statusReply(connection.request([&](abi::Handle handle) {
      // With one place for this member.
      const abi::Status status = checkMembers(library->api, handle, name, abi::kCpgMembersMax - 1);
      return status == abi::kOk ? library->api.join(handle, &name) : status;
    }));
  });
}

Napi::Value Cpg::leave(const Napi::CallbackInfo& info) {
  abi::CpgName name;
  if (!toName(info[0], name)) return refuse(info.Env());
  return call(info.Env(), [library = library_, name](Connection& connection) {
    return statusReply(connection.request([&](abi::Handle handle) { return library->api.leave(handle, &name); }));
  });
}

Napi::Value Cpg::membership(const Napi::CallbackInfo& info) {
  abi::CpgName name;
  if (!toName(info[0], name)) return refuse(info.Env());
  return call(info.Env(), [library = library_, name](Connection& connection) mutable {
    std::vector<abi::CpgAddress> members(abi::kCpgMembersMax);
    int count = 0;
    const abi::Status status = connection.request([&](abi::Handle handle) {
      const abi::Status result = checkMembers(library->api, handle, name, members.size());
      return result == abi::kOk ? library->api.membershipGet(handle, &name, members.data(), &count) : result;
    });
    members.resize(static_cast<size_t>(count));
    return valueReply(status, [members](Napi::Env env) -> Napi::Value {
      return toUint32Array(env, reinterpret_cast<const uint32_t*>(members.data()), members.size() * 3);
    });
  });
}

// The whole iteration in one request, so that no other request comes between its steps: (type, group | undefined) to rows of
// [group, nodeId, pid].
Napi::Value Cpg::iterate(const Napi::CallbackInfo& info) {
  const auto type = argument<int32_t>(info[0]);
  if (!type) return refuse(info.Env());
  abi::CpgName name{};
  const bool named = toName(info[1], name);
  return call(info.Env(), [library = library_, type = *type, name, named](Connection& connection) {
    Rows rows;
    const abi::Status status = connection.request([&](abi::Handle handle) { return iterateOver(library->api, handle, type, named ? &name : nullptr, rows); });
    return valueReply(status, [rows](Napi::Env env) -> Napi::Value {
      Napi::Array array = Napi::Array::New(env, rows.size());
      for (uint32_t i = 0; i < rows.size(); ++i) {
        Napi::Array row = Napi::Array::New(env, 3);
        row.Set(0u, Napi::String::New(env, rows[i].group.value, std::min<size_t>(rows[i].group.length, abi::kCpgNameBytes)));
        row.Set(1u, Napi::Number::New(env, rows[i].nodeId));
        row.Set(2u, Napi::Number::New(env, rows[i].pid));
        array.Set(i, row);
      }
      return array;
    });
  });
}

Napi::Value Cpg::flowControl(const Napi::CallbackInfo& info) {
  return call(info.Env(), [library = library_](Connection& connection) {
    int state = 0;
    const abi::Status status = connection.request([&](abi::Handle handle) { return library->api.flowControlGet(handle, &state); });
    return valueReply(status, [state](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, state); });
  });
}

abi::Status Cpg::sendGathered(int guarantee, const iovec* pieces, unsigned count) {
  return connection().send([&](abi::Handle handle) { return library_->api.mcast(handle, guarantee, pieces, count); });
}

// (guarantee, Uint8Array) to status.
Napi::Value Cpg::mcast(const Napi::CallbackInfo& info) {
  const auto guarantee = argument<int32_t>(info[0]);
  iovec piece;
  if (!guarantee || !toIovec(info[1], piece)) return status(info.Env(), abi::kInvalidParam);
  return status(info.Env(), sendGathered(*guarantee, &piece, 1));
}

// (guarantee, pieces: Uint8Array[]) to status: one message.
Napi::Value Cpg::mcastGathered(const Napi::CallbackInfo& info) {
  const auto guarantee = argument<int32_t>(info[0]);
  iovec pieces[abi::kCpgIovecMax];
  const Napi::Array array = info[1].As<Napi::Array>();
  const uint32_t count = array.Length();
  if (!guarantee || count > abi::kCpgIovecMax) return status(info.Env(), abi::kInvalidParam);
  for (uint32_t i = 0; i < count; ++i) {
    if (!toIovec(array.Get(i), pieces[i])) return status(info.Env(), abi::kInvalidParam);
  }
  return status(info.Env(), sendGathered(*guarantee, pieces, count));
}

// (guarantee, messages: Uint8Array[]), each element a message, to [status, how many were sent]: beside each other, because a status of
// ours is negative. kOk also where the daemon did not take all of them now.
Napi::Value Cpg::mcastEach(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto guarantee = argument<int32_t>(info[0]);
  if (!guarantee) return statusReply(abi::kInvalidParam)(env);
  const Napi::Array array = info[1].As<Napi::Array>();
  // First all of JavaScript's part, then all of the daemon's: a daemon that is given the messages without a pause stays awake
  // between them, and its wake-ups cost more than the messages.
  std::vector<iovec> pieces(array.Length());
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Napi::HandleScope scope(env);
    if (!toIovec(array.Get(static_cast<uint32_t>(i)), pieces[i])) return statusReply(abi::kInvalidParam)(env);
  }
  size_t sent = 0;
  const CancelOff cancelOff;
  const abi::Status result = connection().send([&](abi::Handle handle) { return library_->api.mcast(handle, *guarantee, &pieces[sent], 1); }, pieces.size(), sent);
  const auto count = [count = static_cast<double>(sent)](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, count); };
  return valueReply(result == abi::kTryAgain ? abi::kOk : result, count)(env);
}

// (bytes) to [status, ArrayBuffer], or undefined if the handle was closed meanwhile.
Napi::Value Cpg::zcbAlloc(const Napi::CallbackInfo& info) {
  const auto size = argument<size_t>(info[0]);
  if (!size) return refuse(info.Env());
  return call(info.Env(), [this, library = library_, mapped = zcbMapped_, bytes = *size](Connection& connection) {
    void* buffer = nullptr;
    const abi::CpgApi& api = library->api;
    const bool has = api.zcbAlloc != nullptr && api.zcbFree != nullptr && api.zcbMcast != nullptr;
    abi::Status status = has ? sharedMemoryFor(bytes) : abi::kNotSupported;
    if (status == abi::kOk) status = connection.request([&](abi::Handle handle) { return api.zcbAlloc(handle, bytes, &buffer); });
    if (status == abi::kOk) mapped->insert(buffer);
    return valueReply(status, [this, buffer, bytes](Napi::Env env) -> Napi::Value {
      if (closing()) return env.Undefined();
      // No finalizer: the memory is the library's until zcbFree or close() give it back, and is reachable from zcbBuffers_.
      napi_value value = nullptr;
      if (napi_create_external_arraybuffer(env, buffer, bytes, nullptr, nullptr, &value) != napi_ok) return env.Undefined();
      const Napi::ArrayBuffer array(env, value);
      zcbBuffers_[buffer] = Napi::Reference<Napi::ArrayBuffer>::New(array, 1);
      return array;
    });
  });
}

// (ArrayBuffer, guarantee, bytes) to status.
Napi::Value Cpg::zcbMcast(const Napi::CallbackInfo& info) {
  void* buffer = info[0].As<Napi::ArrayBuffer>().Data();
  const auto guarantee = argument<int32_t>(info[1]);
  const auto bytes = argument<size_t>(info[2]);
  if (!guarantee || !bytes || zcbBuffers_.count(buffer) == 0) return refuse(info.Env());
  return call(info.Env(), [library = library_, buffer, guarantee = *guarantee, bytes = *bytes](Connection& connection) {
    return statusReply(connection.request([&](abi::Handle handle) { return library->api.zcbMcast(handle, guarantee, buffer, bytes); }));
  });
}

// (ArrayBuffer) to status. The buffer is detached: views of it are empty from now on.
Napi::Value Cpg::zcbFree(const Napi::CallbackInfo& info) {
  Napi::ArrayBuffer array = info[0].As<Napi::ArrayBuffer>();
  void* buffer = array.Data();
  if (zcbBuffers_.erase(buffer) == 0) return refuse(info.Env());
  array.Detach();
  return call(info.Env(), [library = library_, mapped = zcbMapped_, buffer](Connection& connection) {
    const abi::Status status = connection.request([&](abi::Handle handle) { return library->api.zcbFree(handle, buffer); });
    if (status == abi::kOk) mapped->erase(buffer);
    return statusReply(status);
  });
}

void Cpg::detachBuffers() {
  for (auto& [buffer, array] : zcbBuffers_) {
    Napi::ArrayBuffer memory = array.Value();
    if (memory.Data() == buffer) memory.Detach();
    else zcbMoved_.insert(buffer);
  }
  zcbBuffers_.clear();
}

std::function<void(Connection&)> Cpg::beforeClose() {
  return [library = library_, mapped = zcbMapped_, moved = zcbMoved_](Connection& connection) {
    for (void* buffer : *mapped) {
      if (moved.count(buffer) == 0) connection.request([&](abi::Handle handle) { return library->api.zcbFree(handle, buffer); });
    }
    mapped->clear();
  };
}

}  // namespace corosync
