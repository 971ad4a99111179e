// What JavaScript passed, as C++ has it.
//
// By Node-API's plain readers, which convert nothing. The operations that could run JavaScript (conversions, properties, calls, promises)
// fail while an environment ends, worker.terminate() is enough, and that can be in the middle of a call. node-addon-api then gives an empty
// value that belongs to no environment, and whatever is asked of that ends the process.
#pragma once

#include <napi.h>

#include <optional>
#include <string>

namespace corosync {

// Nothing if the value is not of this type.
template <class T>
std::optional<T> argument(const Napi::Value& value);

template <>
inline std::optional<bool> argument(const Napi::Value& value) {
  bool result = false;
  if (napi_get_value_bool(value.Env(), value, &result) != napi_ok) return std::nullopt;
  return result;
}

template <>
inline std::optional<int32_t> argument(const Napi::Value& value) {
  int32_t result = 0;
  if (napi_get_value_int32(value.Env(), value, &result) != napi_ok) return std::nullopt;
  return result;
}

template <>
inline std::optional<uint32_t> argument(const Napi::Value& value) {
  uint32_t result = 0;
  if (napi_get_value_uint32(value.Env(), value, &result) != napi_ok) return std::nullopt;
  return result;
}

// A count of bytes, which may be more than 32 bits hold.
template <>
inline std::optional<size_t> argument(const Napi::Value& value) {
  int64_t result = 0;
  if (napi_get_value_int64(value.Env(), value, &result) != napi_ok || result < 0) return std::nullopt;
  return static_cast<size_t>(result);
}

template <>
inline std::optional<std::string> argument(const Napi::Value& value) {
  size_t bytes = 0;
  if (napi_get_value_string_utf8(value.Env(), value, nullptr, 0, &bytes) != napi_ok) return std::nullopt;
  std::string text(bytes, '\0');
  // The closing NUL has its place behind the text.
  if (napi_get_value_string_utf8(value.Env(), value, text.data(), bytes + 1, nullptr) != napi_ok) return std::nullopt;
  return text;
}

}  // namespace corosync
