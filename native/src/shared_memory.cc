// See shared_memory.h.
#include "shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace corosync {
namespace {

// What the library adds to the caller's bytes: headers, and the rest of a page.
constexpr size_t kAddedBytes = 64 * 1024;

}  // namespace

abi::Status sharedMemoryFor(size_t bytes) {
  const size_t all = bytes + kAddedBytes;
  const int fd = ::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return errno == ENOSPC ? abi::kNoSpace : abi::kNoResources;
  const bool room = posix_fallocate(fd, 0, static_cast<off_t>(all)) == 0;
  void* mapped = room ? mmap(nullptr, all, PROT_NONE, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (mapped != MAP_FAILED) munmap(mapped, all);
  ::close(fd);
  if (!room) return abi::kNoSpace;
  return mapped == MAP_FAILED ? abi::kNoResources : abi::kOk;
}

}  // namespace corosync
