// libcpg for JavaScript: class Cpg. One instance is one handle and joins one group, once.
#pragma once

#include <map>
#include <set>

#include "handle.h"

namespace corosync {

class Cpg final : public HandleWrap<Cpg> {
 public:
  static Napi::Function define(Napi::Env env);
  // (initialRing, heldLimitBytes, stallMs)
  explicit Cpg(const Napi::CallbackInfo& info);

 private:
  // (listener)
  Napi::Value openMethod(const Napi::CallbackInfo& info);
  Napi::Value join(const Napi::CallbackInfo& info);
  Napi::Value leave(const Napi::CallbackInfo& info);
  Napi::Value membership(const Napi::CallbackInfo& info);
  Napi::Value iterate(const Napi::CallbackInfo& info);
  Napi::Value flowControl(const Napi::CallbackInfo& info);
  Napi::Value mcast(const Napi::CallbackInfo& info);
  Napi::Value mcastGathered(const Napi::CallbackInfo& info);
  Napi::Value mcastEach(const Napi::CallbackInfo& info);
  Napi::Value zcbAlloc(const Napi::CallbackInfo& info);
  Napi::Value zcbMcast(const Napi::CallbackInfo& info);
  Napi::Value zcbFree(const Napi::CallbackInfo& info);
  void detachBuffers() override;
  std::function<void(Connection&)> beforeClose() override;
  abi::Status sendGathered(int guarantee, const iovec* pieces, unsigned count);

  std::shared_ptr<const Library<abi::CpgApi>> library_;
  unsigned flags_;
  int stallMs_;
  // Zero-copy buffers that JavaScript has, by their address: their memory is the library's.
  std::map<void*, Napi::Reference<Napi::ArrayBuffer>> zcbBuffers_;
  // Those that JavaScript has moved into other ArrayBuffers, by their transfer(); Node refuses all other ways. Nobody can empty these, and
  // whoever reads one whose memory has gone ends the process: so it stays.
  std::set<void*> zcbMoved_;
  // Those that the library has not had back, whether or not JavaScript has heard of them. Call thread.
  std::shared_ptr<std::set<void*>> zcbMapped_ = std::make_shared<std::set<void*>>();
};

}  // namespace corosync
