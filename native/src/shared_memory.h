// Whether a file of a size has room where libcpg keeps the memory that it shares with the daemon (/dev/shm).
//
// cpg_zcb_alloc asserts that it can make its file, and ends the process if it cannot. So we make one of that size before, and let go of it.
#pragma once

#include <cstddef>

#include "abi.h"

namespace corosync {

// kOk; kNoSpace if there is no room, kNoResources if there is no descriptor or no address space.
abi::Status sharedMemoryFor(size_t bytes);

}  // namespace corosync
