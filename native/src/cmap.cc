// See cmap.h.
#include "cmap.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "arguments.h"

namespace corosync {
namespace {

struct CmapValue {
  int32_t type = 0;
  std::vector<uint8_t> data;
};

abi::Status read(const abi::CmapApi& api, abi::Handle handle, const std::string& key, CmapValue& value) {
  // The value may grow between asking for its size and for itself.
  for (;;) {
    size_t bytes = 0;
    abi::Status status = api.get(handle, key.c_str(), nullptr, &bytes, &value.type);
    if (status != abi::kOk) return status;
    value.data.resize(bytes);
    status = api.get(handle, key.c_str(), value.data.data(), &bytes, &value.type);
    if (status == abi::kOk) value.data.resize(bytes);
    if (status != abi::kNoSpace && status != abi::kInvalidParam) return status;
    size_t now = 0;
    if (api.get(handle, key.c_str(), nullptr, &now, &value.type) != abi::kOk || now <= value.data.size()) return status;
  }
}

template <class T>
T as(const CmapValue& value) {
  T result{};
  std::memcpy(&result, value.data.data(), std::min(sizeof(result), value.data.size()));
  return result;
}

// [type, value]: numbers up to 32 bits and floating ones as number, 64 bits as bigint, strings, and bytes as Uint8Array.
Napi::Value toValue(Napi::Env env, const CmapValue& value) {
  switch (value.type) {
    case abi::kInt8: return Napi::Number::New(env, as<int8_t>(value));
    case abi::kUint8: return Napi::Number::New(env, as<uint8_t>(value));
    case abi::kInt16: return Napi::Number::New(env, as<int16_t>(value));
    case abi::kUint16: return Napi::Number::New(env, as<uint16_t>(value));
    case abi::kInt32: return Napi::Number::New(env, as<int32_t>(value));
    case abi::kUint32: return Napi::Number::New(env, as<uint32_t>(value));
    case abi::kInt64: return Napi::BigInt::New(env, as<int64_t>(value));
    case abi::kUint64: return Napi::BigInt::New(env, as<uint64_t>(value));
    case abi::kFloat: return Napi::Number::New(env, as<float>(value));
    case abi::kDouble: return Napi::Number::New(env, as<double>(value));
    case abi::kString: {
      const auto* text = reinterpret_cast<const char*>(value.data.data());
      return Napi::String::New(env, text, strnlen(text, value.data.size()));
    }
    default: {
      Napi::Uint8Array bytes = Napi::Uint8Array::New(env, value.data.size());
      if (!bytes.IsEmpty()) std::copy(value.data.begin(), value.data.end(), bytes.Data());
      return bytes;
    }
  }
}

Napi::Value toRow(Napi::Env env, const std::string& key, const CmapValue& value) {
  Napi::Array row = Napi::Array::New(env, 3);
  row.Set(0u, Napi::String::New(env, key));
  row.Set(1u, Napi::Number::New(env, value.type));
  row.Set(2u, toValue(env, value));
  return row;
}

}  // namespace

Napi::Function Cmap::define(Napi::Env env) {
  return DefineClass(env, "Cmap",
                     withCommonMethods({
                         InstanceMethod("open", &Cmap::openMethod),
                         InstanceMethod("get", &Cmap::get),
                         InstanceMethod("entries", &Cmap::entries),
                     }));
}

Cmap::Cmap(const Napi::CallbackInfo& info)
    : HandleWrap(info, connectionCalls(loadCmap().api), kUnbounded),
      library_(loadCmap()),
      map_(argument<int32_t>(info[0]).value_or(0)) {}

Napi::Value Cmap::openMethod(const Napi::CallbackInfo& info) {
  auto initialize = [api = library_.api, map = map_](abi::Handle* handle) { return api.initialize(handle, map); };
  auto reply = [](Connection&) { return valueReply(abi::kOk, [](Napi::Env env) { return env.Undefined(); }); };
  return open(info.Env(), initialize, reply, nullptr);
}

// (key) to [status, [key, type, value]].
Napi::Value Cmap::get(const Napi::CallbackInfo& info) {
  const auto text = argument<std::string>(info[0]);
  if (!text) return refuse(info.Env());
  return call(info.Env(), [api = library_.api, key = *text](Connection& connection) {
    CmapValue value;
    const abi::Status status = connection.request([&](abi::Handle handle) { return read(api, handle, key, value); });
    return valueReply(status, [key, value](Napi::Env env) { return toRow(env, key, value); });
  });
}

// (prefix) to [status, rows]. A key that goes away during the iteration is left out.
Napi::Value Cmap::entries(const Napi::CallbackInfo& info) {
  const auto text = argument<std::string>(info[0]);
  if (!text) return refuse(info.Env());
  return call(info.Env(), [api = library_.api, prefix = *text](Connection& connection) {
    std::vector<std::pair<std::string, CmapValue>> rows;
    const abi::Status status = connection.request([&](abi::Handle handle) {
      abi::Handle iteration = 0;
      abi::Status result = api.iterInit(handle, prefix.empty() ? nullptr : prefix.c_str(), &iteration);
      if (result != abi::kOk) return result;
      char key[abi::kCmapKeyBytes + 1];
      size_t bytes = 0;
      int32_t type = 0;
      while ((result = api.iterNext(handle, iteration, key, &bytes, &type)) == abi::kOk) {
        CmapValue value;
        if (read(api, handle, key, value) == abi::kOk) rows.emplace_back(key, std::move(value));
      }
      api.iterFinalize(handle, iteration);
      return result == abi::kNoSections ? abi::kOk : result;
    });
    return valueReply(status, [rows](Napi::Env env) -> Napi::Value {
      Napi::Array array = Napi::Array::New(env, rows.size());
      for (uint32_t i = 0; i < rows.size(); ++i) array.Set(i, toRow(env, rows[i].first, rows[i].second));
      return array;
    });
  });
}

}  // namespace corosync
