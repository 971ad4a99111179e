// Starts a detached thread with a stack of a stated size and all signals blocked. std::thread can do neither, and throws.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <functional>
#include <memory>
#include <utility>

namespace corosync {

// False when the system has no thread left to give.
inline bool startThread(size_t stackBytes, std::function<void()> body) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, stackBytes);
  auto boxed = std::make_unique<std::function<void()>>(std::move(body));
  // Signals are for Node's own threads to handle; ours must not be interrupted inside a library call.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int failed = pthread_create(
      &thread, &attributes,
      [](void* argument) -> void* {
        std::unique_ptr<std::function<void()>> owned(static_cast<std::function<void()>*>(argument));
        (*owned)();
        return nullptr;
      },
      boxed.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (failed != 0) return false;
  boxed.release();
  return true;
}

}  // namespace corosync
