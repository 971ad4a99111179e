// libcmap for JavaScript, reading only: class Cmap.
#pragma once

#include "handle.h"

namespace corosync {

class Cmap final : public HandleWrap<Cmap> {
 public:
  static Napi::Function define(Napi::Env env);
  // (map)
  explicit Cmap(const Napi::CallbackInfo& info);

 private:
  Napi::Value openMethod(const Napi::CallbackInfo& info);
  Napi::Value get(const Napi::CallbackInfo& info);
  Napi::Value entries(const Napi::CallbackInfo& info);

  Library<abi::CmapApi> library_;
  int map_;
};

}  // namespace corosync
