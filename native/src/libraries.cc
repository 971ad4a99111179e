// See libraries.h.
#include "libraries.h"

#include <dlfcn.h>

namespace corosync {
namespace {

class Loader {
 public:
  explicit Loader(const char* soname) : soname_(soname), library_(dlopen(soname, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) {
    if (library_ == nullptr) missing = lastError();
  }

  template <class F>
  void require(F& slot, const char* name) {
    optional(slot, name);
    if (slot == nullptr && missing.empty()) missing = std::string(soname_) + " has no " + name;
  }

  template <class F>
  void optional(F& slot, const char* name) {
    slot = library_ == nullptr ? nullptr : reinterpret_cast<F>(dlsym(library_, name));
  }

  std::string missing;

 private:
  static std::string lastError() {
    const char* text = dlerror();
    return text == nullptr ? "dlopen failed" : text;
  }

  const char* soname_;
  void* library_;
};

}  // namespace

Library<abi::CpgApi> loadCpg() {
  Library<abi::CpgApi> library;
  Loader loader("libcpg.so.4");
  abi::CpgApi& api = library.api;
  loader.require(api.initialize, "cpg_model_initialize");
  loader.require(api.finalize, "cpg_finalize");
  loader.require(api.fdGet, "cpg_fd_get");
  loader.require(api.dispatch, "cpg_dispatch");
  loader.require(api.join, "cpg_join");
  loader.require(api.leave, "cpg_leave");
  loader.require(api.mcast, "cpg_mcast_joined");
  loader.require(api.membershipGet, "cpg_membership_get");
  loader.require(api.localGet, "cpg_local_get");
  loader.require(api.maxAtomicGet, "cpg_max_atomic_msgsize_get");
  loader.require(api.flowControlGet, "cpg_flow_control_state_get");
  loader.require(api.iterationInitialize, "cpg_iteration_initialize");
  loader.require(api.iterationNext, "cpg_iteration_next");
  loader.require(api.iterationFinalize, "cpg_iteration_finalize");
  loader.optional(api.zcbAlloc, "cpg_zcb_alloc");
  loader.optional(api.zcbFree, "cpg_zcb_free");
  loader.optional(api.zcbMcast, "cpg_zcb_mcast_joined");
  library.missing = loader.missing;
  return library;
}

Library<abi::QuorumApi> loadQuorum() {
  Library<abi::QuorumApi> library;
  Loader loader("libquorum.so.5");
  abi::QuorumApi& api = library.api;
  loader.require(api.initialize, "quorum_model_initialize");
  loader.require(api.finalize, "quorum_finalize");
  loader.require(api.fdGet, "quorum_fd_get");
  loader.require(api.dispatch, "quorum_dispatch");
  loader.require(api.getQuorate, "quorum_getquorate");
  loader.require(api.trackStart, "quorum_trackstart");
  loader.require(api.trackStop, "quorum_trackstop");
  library.missing = loader.missing;
  return library;
}

Library<abi::VotequorumApi> loadVotequorum() {
  Library<abi::VotequorumApi> library;
  Loader loader("libvotequorum.so.8");
  abi::VotequorumApi& api = library.api;
  loader.require(api.initialize, "votequorum_initialize");
  loader.require(api.finalize, "votequorum_finalize");
  loader.require(api.fdGet, "votequorum_fd_get");
  loader.require(api.dispatch, "votequorum_dispatch");
  loader.require(api.getInfo, "votequorum_getinfo");
  library.missing = loader.missing;
  return library;
}

Library<abi::CmapApi> loadCmap() {
  Library<abi::CmapApi> library;
  Loader loader("libcmap.so.4");
  abi::CmapApi& api = library.api;
  loader.require(api.initialize, "cmap_initialize_map");
  loader.require(api.finalize, "cmap_finalize");
  loader.require(api.fdGet, "cmap_fd_get");
  loader.require(api.dispatch, "cmap_dispatch");
  loader.require(api.get, "cmap_get");
  loader.require(api.iterInit, "cmap_iter_init");
  loader.require(api.iterNext, "cmap_iter_next");
  loader.require(api.iterFinalize, "cmap_iter_finalize");
  library.missing = loader.missing;
  return library;
}

Library<abi::CfgApi> loadCfg() {
  Library<abi::CfgApi> library;
  Loader loader("libcfg.so.7");
  abi::CfgApi& api = library.api;
  loader.require(api.initialize, "corosync_cfg_initialize");
  loader.require(api.finalize, "corosync_cfg_finalize");
  loader.require(api.fdGet, "corosync_cfg_fd_get");
  loader.require(api.dispatch, "corosync_cfg_dispatch");
  loader.require(api.trackStart, "corosync_cfg_trackstart");
  loader.require(api.trackStop, "corosync_cfg_trackstop");
  loader.require(api.tryShutdown, "corosync_cfg_try_shutdown");
  loader.require(api.replyToShutdown, "corosync_cfg_replyto_shutdown");
  loader.require(api.localGet, "corosync_cfg_local_get");
  library.missing = loader.missing;
  return library;
}

}  // namespace corosync
