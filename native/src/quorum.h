// libquorum's model V1 for JavaScript: class Quorum.
#pragma once

#include "handle.h"

namespace corosync {

class Quorum final : public HandleWrap<Quorum> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Quorum(const Napi::CallbackInfo& info);

 private:
  // (listener)
  Napi::Value openMethod(const Napi::CallbackInfo& info);
  Napi::Value quorate(const Napi::CallbackInfo& info);
  Napi::Value trackStart(const Napi::CallbackInfo& info);
  Napi::Value trackStop(const Napi::CallbackInfo& info);

  Library<abi::QuorumApi> library_;
};

}  // namespace corosync
