// libvotequorum's information for JavaScript: class Votequorum. Its notifications say nothing that libquorum's do not.
#pragma once

#include "handle.h"

namespace corosync {

class Votequorum final : public HandleWrap<Votequorum> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Votequorum(const Napi::CallbackInfo& info);

 private:
  Napi::Value openMethod(const Napi::CallbackInfo& info);
  Napi::Value info(const Napi::CallbackInfo& info);

  Library<abi::VotequorumApi> library_;
};

}  // namespace corosync
