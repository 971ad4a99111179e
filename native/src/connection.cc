// See connection.h.
#include "connection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace corosync {
namespace {

// Sends per look at the socket. POLLOUT promises three quarters of the send buffer; one notification takes less than 1 KiB
// of it, so 16 fit even where the system's default buffer was set as low as 22 KiB.
constexpr unsigned kNotificationsPerPoll = 16;

}  // namespace

abi::Status Connection::open(const std::function<abi::Status(abi::Handle*)>& initialize) {
  std::lock_guard<std::mutex> lock(requests_);
  abi::Status status = initialize(&handle_);
  if (status != abi::kOk) return status;
  int libraryFd = -1;
  status = calls_.fdGet(handle_, &libraryFd);
  const int ours = status == abi::kOk ? fcntl(libraryFd, F_DUPFD_CLOEXEC, 0) : -1;
  if (ours < 0) {
    calls_.finalize(handle_);
    return status == abi::kOk ? abi::kNoResources : status;
  }
  std::lock_guard<std::mutex> fdLock(fdMutex_);
  fd_ = ours;
  open_ = true;
  return abi::kOk;
}

// libqb tells the daemon of every request by one byte on the socket, and repeats that send in a loop while the socket is
// full: with a daemon that is stopped, the 279th message would never return (measured). So look first.
bool Connection::mayNotify() {
  if (notifyCredit_ == 0) {
    pollfd entry{fd_, POLLOUT, 0};
    // A hangup is for the library to report.
    if (poll(&entry, 1, 0) != 1) return false;
    notifyCredit_ = kNotificationsPerPoll;
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

void Connection::cut() {
  std::lock_guard<std::mutex> lock(fdMutex_);
  if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
}

abi::Status Connection::close() {
  std::lock_guard<std::mutex> lock(requests_);
  if (!open_) return abi::kOk;
  open_ = false;
  const abi::Status status = calls_.finalize(handle_);
  std::lock_guard<std::mutex> fdLock(fdMutex_);
  ::close(fd_);
  fd_ = -1;
  return status;
}

}  // namespace corosync
