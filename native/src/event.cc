// See event.h.
#include "event.h"

#include <algorithm>

namespace corosync {

Napi::Uint32Array toUint32Array(Napi::Env env, const uint32_t* words, size_t count) {
  Napi::Uint32Array array = Napi::Uint32Array::New(env, count);
  if (!array.IsEmpty()) std::copy_n(words, count, array.Data());
  return array;
}

void Ended::handTo(Napi::Env env, Listener& listener) {
  listener.call(env, "ended", {Napi::Number::New(env, status_)});
}

}  // namespace corosync
