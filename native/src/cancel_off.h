// While this lives, the thread's system calls are not points where pthread_cancel could end it.
//
// In a process with several threads, which every Node process is, glibc brackets poll, send and recv with switching the thread's
// cancellation type to asynchronous and back: about 20 ns for each of these calls (a send, a poll and a recv of one byte took 770 ns
// so, 710 ns in this scope, 690 ns in a process of one thread). libqb makes two of them for every message delivered and one for
// every message sent. A thread that has that type already is left alone. Nobody cancels threads in Node; with cancellation disabled as
// well nobody could, so that the type is never acted upon. For runs of calls: the scope itself takes 35 ns.
#pragma once

#include <pthread.h>

namespace corosync {

class CancelOff {
 public:
  CancelOff() {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state_);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type_);
  }
  // In this order: the type must not be asynchronous for a moment in which cancellation is enabled.
  ~CancelOff() {
    pthread_setcanceltype(type_, nullptr);
    pthread_setcancelstate(state_, nullptr);
  }
  CancelOff(const CancelOff&) = delete;
  CancelOff& operator=(const CancelOff&) = delete;

 private:
  int state_ = PTHREAD_CANCEL_ENABLE;
  int type_ = PTHREAD_CANCEL_DEFERRED;
};

}  // namespace corosync
