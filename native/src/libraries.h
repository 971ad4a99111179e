// Finds Corosync's client libraries at run time by their sonames and fills the tables of abi.h. Nothing is linked, so the addon
// loads on machines without Corosync; the error text says which library is missing.
#pragma once

#include <string>

#include "abi.h"

namespace corosync {

// One library's table. `missing` is empty when the table is usable.
template <class Api>
struct Library {
  Api api{};
  std::string missing;
  bool usable() const { return missing.empty(); }
};

// Libraries stay loaded for the life of the process: threads may still be inside them when an environment ends.
Library<abi::CpgApi> loadCpg();
Library<abi::QuorumApi> loadQuorum();
Library<abi::VotequorumApi> loadVotequorum();
Library<abi::CmapApi> loadCmap();
Library<abi::CfgApi> loadCfg();

}  // namespace corosync
