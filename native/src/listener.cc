// See listener.h.
#include "listener.h"

namespace corosync {

Napi::Value Listener::call(Napi::Env env, const char* name, std::initializer_list<napi_value> arguments) {
  if (method_.IsEmpty() || name_ != name) {
    // Not object_.Get(), which ends the process if there is no result, as there is none while the environment ends.
    const Napi::Value method = object_.Value().Get(name);
    if (env.IsExceptionPending() || !method.IsFunction()) return {};
    method_ = Napi::Persistent(method.As<Napi::Function>());
    name_ = name;
  }
  return method_.Value().Call(object_.Value(), arguments);
}

void Listener::reset() {
  object_.Reset();
  method_.Reset();
}

}  // namespace corosync
