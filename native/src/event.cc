// See event.h.
#include "event.h"

#include <algorithm>

namespace corosync {

void callListener(Napi::Env env, Napi::Object listener, const char* name, const std::vector<napi_value>& arguments) {
  const Napi::Value callback = listener.Get(name);
  if (!env.IsExceptionPending() && callback.IsFunction()) callback.As<Napi::Function>().Call(listener, arguments);
}

Napi::Uint32Array toUint32Array(Napi::Env env, const uint32_t* words, size_t count) {
  Napi::Uint32Array array = Napi::Uint32Array::New(env, count);
  if (!array.IsEmpty()) std::copy_n(words, count, array.Data());
  return array;
}

void Ended::handTo(Napi::Env env, Napi::Object listener) {
  callListener(env, listener, "ended", {Napi::Number::New(env, status_)});
}

}  // namespace corosync
