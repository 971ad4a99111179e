// The module: one AddonData for each environment that loads it, its clean-up, and the five classes.
#include "arguments.h"
#include "cfg.h"
#include "cmap.h"
#include "cpg.h"
#include "quorum.h"
#include "votequorum.h"

namespace corosync {
namespace {

// How long the end of a process or worker waits for the daemon to take note of it. It does within a millisecond, unless it
// is stopped or its ring is synchronising; then the connections are cut, and it will notice that.
constexpr std::chrono::milliseconds kFarewell{500};

void cleanUp(napi_async_cleanup_hook_handle hook, void* data) {
  auto* addon = static_cast<AddonData*>(data);
  for (Handle* handle : addon->handles) handle->abandon();
  const auto deadline = std::chrono::steady_clock::now() + kFarewell;
  for (Handle* handle : addon->handles) handle->awaitClosed(deadline);
  auto uvHandles = addon->uvHandles;
  uvHandles->whenNone = [hook] { napi_remove_async_cleanup_hook(hook); };
  addon->door->close([uvHandles] { uvHandles->closed(); });
}

// (library) to what is missing, in dlopen's words; empty if nothing is.
Napi::Value missing(const Napi::CallbackInfo& info) {
  const std::string name = argument<std::string>(info[0]).value_or("");
  std::string text = "no such library: " + name;
  if (name == "cpg") text = loadCpg().missing;
  else if (name == "quorum") text = loadQuorum().missing;
  else if (name == "votequorum") text = loadVotequorum().missing;
  else if (name == "cmap") text = loadCmap().missing;
  else if (name == "cfg") text = loadCfg().missing;
  return Napi::String::New(info.Env(), text);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* addon = new std::shared_ptr<AddonData>(std::make_shared<AddonData>());
  env.SetInstanceData(addon);
  (*addon)->door = LoopDoor::open(env);
  if ((*addon)->door == nullptr) {
    Napi::Error::New(env, "libuv refused an async handle").ThrowAsJavaScriptException();
    return exports;
  }
  (*addon)->uvHandles->open += 1;
  napi_add_async_cleanup_hook(env, cleanUp, addon->get(), &(*addon)->cleanup);
  exports.Set("Cpg", Cpg::define(env));
  exports.Set("Quorum", Quorum::define(env));
  exports.Set("Votequorum", Votequorum::define(env));
  exports.Set("Cmap", Cmap::define(env));
  exports.Set("Cfg", Cfg::define(env));
  exports.Set("missing", Napi::Function::New(env, missing, "missing"));
  return exports;
}

}  // namespace
}  // namespace corosync

Napi::Object initCorosync(Napi::Env env, Napi::Object exports) { return corosync::init(env, exports); }

NODE_API_MODULE(corosync, initCorosync)
