// The three callbacks of libcpg's model V1, as events in the queue.
#pragma once

#include "abi.h"

namespace corosync {

void onCpgDeliver(abi::Handle, const abi::CpgName*, uint32_t nodeId, uint32_t pid, void* message, size_t bytes);
void onCpgConfchg(abi::Handle, const abi::CpgName*, const abi::CpgAddress* members, size_t memberCount, const abi::CpgAddress* left,
                  size_t leftCount, const abi::CpgAddress* joined, size_t joinedCount);
void onCpgTotemConfchg(abi::Handle, abi::CpgRingId ring, uint32_t nodeCount, const uint32_t* nodes);

}  // namespace corosync
