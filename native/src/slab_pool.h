// Memory for messages, used again when JavaScript has looked at them and kept nothing: fresh memory for each batch costs page
// faults, cold caches and the garbage collector's attention, together several times the copying itself.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace corosync {

// Shared by the batch that is filled and the ArrayBuffer that shows it: freed when both have gone.
class SlabMemory {
 public:
  // Null when memory is short.
  static std::shared_ptr<SlabMemory> allocate(size_t capacity);
  ~SlabMemory();
  SlabMemory(const SlabMemory&) = delete;
  SlabMemory& operator=(const SlabMemory&) = delete;

  uint8_t* data() const { return data_; }
  size_t capacity() const { return capacity_; }
  // For whoever has it now.
  bool reusable() const { return reusable_; }
  void useOnce() { reusable_ = false; }

 private:
  SlabMemory(uint8_t* data, size_t capacity) : data_(data), capacity_(capacity) {}
  uint8_t* const data_;
  const size_t capacity_;
  bool reusable_ = true;
};

class SlabPool {
 public:
  // Below malloc's threshold for fresh pages from the kernel (128 KiB), for those that JavaScript keeps.
  static constexpr size_t kSlabBytes = 64 * 1024 - 64;

  // Any thread. So many bytes, rounded up to a multiple of 16; null when memory is short. Only slabs of the usual size are used again.
  std::shared_ptr<SlabMemory> take(size_t bytes);
  // Any thread. Nobody looks at it any more.
  void giveBack(std::shared_ptr<SlabMemory> memory);

  // Loop's thread. All of the memory as a Uint32Array, the same one each time until it is kept; empty if V8 refuses (then an
  // exception is pending, or this build of V8 has no ArrayBuffers over foreign memory).
  Napi::Value viewOf(Napi::Env env, const std::shared_ptr<SlabMemory>& memory);
  // Loop's thread. JavaScript keeps the view, and with it the memory.
  void kept(const SlabMemory& memory);
  // Loop's thread, before the environment ends.
  void dropViews();

 private:
  // One that is filled while another is looked at, and one to spare.
  static constexpr size_t kSpare = 3;

  struct View {
    std::shared_ptr<SlabMemory> memory;
    Napi::ObjectReference words;
  };

  std::mutex mutex_;
  std::vector<std::shared_ptr<SlabMemory>> spare_;  // under mutex_
  std::vector<View> views_;                         // loop's thread
};

}  // namespace corosync
