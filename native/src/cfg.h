// libcfg for JavaScript, as far as a service that must agree to a shutdown of its node needs it: class Cfg.
#pragma once

#include "handle.h"

namespace corosync {

class Cfg final : public HandleWrap<Cfg> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Cfg(const Napi::CallbackInfo& info);

 private:
  // (listener)
  Napi::Value openMethod(const Napi::CallbackInfo& info);
  Napi::Value trackStart(const Napi::CallbackInfo& info);
  Napi::Value trackStop(const Napi::CallbackInfo& info);
  Napi::Value tryShutdown(const Napi::CallbackInfo& info);
  Napi::Value replyToShutdown(const Napi::CallbackInfo& info);
  Napi::Value localNodeId(const Napi::CallbackInfo& info);

  Library<abi::CfgApi> library_;
};

}  // namespace corosync
