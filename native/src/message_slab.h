// A batch of messages in one piece of memory: the payloads, each at a multiple of 8 bytes, then the index, four 32-bit words
// (offset, bytes, node id, pid) for each message. A message is copied once, out of the library's buffer into here; JavaScript
// looks at it in place, and says whether it keeps it.
#pragma once

#include "event.h"
#include "slab_pool.h"

namespace corosync {

class MessageSlab final : public Event {
 public:
  // With `usualBytes` of memory, or what the message takes if that is more. Null when memory is short.
  static std::unique_ptr<MessageSlab> withRoomFor(size_t messageBytes, size_t usualBytes, const std::shared_ptr<SlabPool>& pool);
  ~MessageSlab() override;
  MessageSlab(const MessageSlab&) = delete;
  MessageSlab& operator=(const MessageSlab&) = delete;

  // False if it does not fit.
  bool append(const void* message, size_t bytes, uint32_t nodeId, uint32_t pid);
  size_t capacity() const { return memory_->capacity(); }
  size_t used() const { return used_ + index_.size() * sizeof(Record); }

  MessageSlab* openSlab() override { return this; }
  size_t bytes() const override { return used() + sizeof(*this); }
  void handTo(Napi::Env env, Listener& listener) override;

 private:
  struct Record {
    uint32_t offset;
    uint32_t bytes;
    uint32_t nodeId;
    uint32_t pid;
  };

  MessageSlab(std::shared_ptr<SlabMemory> memory, std::shared_ptr<SlabPool> pool);
  Napi::Value view(Napi::Env env, bool& inPlace);

  std::shared_ptr<SlabMemory> memory_;  // null when JavaScript has it
  std::shared_ptr<SlabPool> pool_;
  size_t used_ = 0;
  std::vector<Record> index_;
};

}  // namespace corosync
