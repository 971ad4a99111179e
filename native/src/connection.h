// One open connection to the daemon (a cpg, quorum, votequorum, cmap or cfg handle) and the rules for using it from threads.
//
// libqb keeps a request channel, a response channel and an event channel per connection. One thread may be in a request while
// another takes events, but two may not be in requests: hence `requests_`. The owner of the events (event_source.h) has the
// lock for them. We work on a duplicate of the library's descriptor, so that nothing of ours ever holds a number that the
// library has closed and the process has given to something else.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>

#include "abi.h"

namespace corosync {

// The calls that all five libraries have in the same form.
struct ConnectionCalls {
  abi::Status (*finalize)(abi::Handle);
  abi::Status (*fdGet)(abi::Handle, int*);
  abi::Status (*dispatch)(abi::Handle, int);
};

template <class Api>
ConnectionCalls connectionCalls(const Api& api) {
  return {api.finalize, api.fdGet, api.dispatch};
}

class Connection {
 public:
  explicit Connection(ConnectionCalls calls) : calls_(calls) {}
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // May block. `initialize` makes the handle; on success the descriptor is ready.
  abi::Status open(const std::function<abi::Status(abi::Handle*)>& initialize);

  // May block: waits for the request before it, and for the daemon's answer.
  template <class F>
  abi::Status request(F&& call) {
    std::lock_guard<std::mutex> lock(requests_);
    return open_ ? call(handle_) : abi::kBadHandle;
  }

  // Never blocks. What end() was given, once it was called; kTryAgain while another thread is in a request, or while the daemon does not take what was sent.
  template <class F>
  abi::Status send(F&& call) {
    size_t sent = 0;
    return send(std::forward<F>(call), 1, sent);
  }
  // The same, so many times, until one is not kOk; `sent` counts those that were, and may be read by `call`.
  template <class F>
  abi::Status send(F&& call, size_t times, size_t& sent) {
    std::unique_lock<std::mutex> lock(requests_, std::try_to_lock);
    if (!lock.owns_lock()) return abi::kTryAgain;
    if (!open_) return abi::kBadHandle;
    for (; sent < times; ++sent) {
      if (const abi::Status ended = ended_) return ended;
      if (!mayNotify()) return abi::kTryAgain;
      if (const abi::Status status = call(handle_); status != abi::kOk) return status;
    }
    return abi::kOk;
  }

  // Never blocks. The caller sees to it that one thread dispatches at a time, and none after close().
  abi::Status dispatchOne() { return calls_.dispatch(handle_, abi::kDispatchOneNonblocking); }

  // -1 until open.
  int fd() const { return fd_; }
  // Process id of the daemon; 0 if the system does not tell.
  int daemonPid() const;

  // Ends the socket at once, from any thread: the daemon lets this member go, and a call that waits for the daemon returns
  // kLibrary within two seconds (libqb's liveness interval); but not cpg_iteration_next, which waits without looking at the socket and
  // then never returns (3.1.7, lib/cpg.c: qb_ipcc_recv with -1). close() is still to be called. False if there is nothing to end: while
  // the library connects, which takes as long as a daemon that stands still, only it knows the socket.
  bool cut();

  // cut(), and from now on this is what send() answers: it knows better than the library why.
  void end(abi::Status status) {
    ended_ = status;
    cut();
  }

  // May block. Finalizes, even if the daemon is gone. Idempotent.
  abi::Status close();

 private:
  bool mayNotify();

  const ConnectionCalls calls_;
  abi::Handle handle_ = 0;
  std::mutex requests_;
  bool open_ = false;       // under requests_
  int notifyCredit_ = 0;       // under requests_
  std::atomic<abi::Status> ended_{0};
  std::mutex fdMutex_;      // cut() against the close of fd_
  int fd_ = -1;
};

}  // namespace corosync
