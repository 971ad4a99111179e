// See connection.h.
#include "connection.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "table_gate.h"

namespace corosync {
namespace {

// More than the kernel counts for one notification of one byte in a unix socket's send buffer (768 on x86-64).
constexpr int kNotificationBytes = 1024;
constexpr int kCreditMax = 64;

// So many descriptors a connection takes at a time. If it is refused its socket, libqb closes descriptor 0, which is not its own (2.0.6,
// lib/ipcc.c: the socket's number was not set), and answers as if there were no daemon. So ask for sockets first.
constexpr size_t kDescriptors = 3;

bool descriptorsLeft() {
  std::vector<int> taken;
  while (taken.size() < kDescriptors) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) break;
    taken.push_back(fd);
  }
  for (const int fd : taken) ::close(fd);
  return taken.size() == kDescriptors;
}

}  // namespace

abi::Status Connection::open(const std::function<abi::Status(abi::Handle*)>& initialize) {
  std::lock_guard<std::mutex> lock(requests_);
  abi::Status status = abi::kOk;
  handle_ = 0;
  {
    const TableGate gate;
    if (!descriptorsLeft()) return abi::kNoResources;
    status = initialize(&handle_);
    // cmap_initialize_map connects before it asks for its map, and leaves the connection to the caller if that fails. The others have
    // destroyed the handle that they left here, and so it is BAD_HANDLE.
    if (status != abi::kOk && handle_ != 0) calls_.finalize(handle_);
  }
  if (status != abi::kOk) return status;
  int libraryFd = -1;
  status = calls_.fdGet(handle_, &libraryFd);
  const int ours = status == abi::kOk ? fcntl(libraryFd, F_DUPFD_CLOEXEC, 0) : -1;
  if (ours < 0) {
    const TableGate gate;
    calls_.finalize(handle_);
    return status == abi::kOk ? abi::kNoResources : status;
  }
  std::lock_guard<std::mutex> fdLock(fdMutex_);
  fd_ = ours;
  open_ = true;
  return abi::kOk;
}

// libqb tells the daemon of every request by one byte on the socket, and repeats that send in a loop while the socket is
// full: with a daemon that is stopped, message 279 would never return (measured). So look at the room first, now and then.
bool Connection::mayNotify() {
  if (notifyCredit_ == 0) {
    int queued = 0, buffer = 0;
    socklen_t bytes = sizeof(buffer);
    const bool known = ioctl(fd_, SIOCOUTQ, &queued) == 0 && getsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &buffer, &bytes) == 0;
    if (known) notifyCredit_ = std::clamp((buffer - queued) / kNotificationBytes - 1, 0, kCreditMax);
    if (notifyCredit_ == 0) return false;
  }
  notifyCredit_ -= 1;
  return true;
}

int Connection::daemonPid() const {
  ucred credentials{};
  socklen_t bytes = sizeof(credentials);
  if (fd_ < 0 || getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) return 0;
  return credentials.pid;
}

bool Connection::cut() {
  std::lock_guard<std::mutex> lock(fdMutex_);
  if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
  return fd_ >= 0;
}

abi::Status Connection::close() {
  std::lock_guard<std::mutex> lock(requests_);
  if (!open_) return abi::kOk;
  open_ = false;
  abi::Status status = abi::kOk;
  {
    const TableGate gate;
    status = calls_.finalize(handle_);
  }
  std::lock_guard<std::mutex> fdLock(fdMutex_);
  // corosync_cfg_replyto_shutdown forgets to let go of the handle (3.1.7, lib/cfg.c), so that finalizing it does not disconnect, and
  // the daemon goes on asking somebody who is no longer there.
  shutdown(fd_, SHUT_RDWR);
  ::close(fd_);
  fd_ = -1;
  return status;
}

}  // namespace corosync
