// A batch of messages in one piece of memory: the payloads, each at a multiple of 8 bytes, then the index, four 32-bit words
// (offset, bytes, node id, pid) for each message. A message is copied once, out of the library's buffer into here; JavaScript gets
// the piece as one ArrayBuffer and makes views of it.
#pragma once

#include "event.h"

namespace corosync {

class MessageSlab final : public Event {
 public:
  // What one drained dispatch fills at most, unless a single message is larger. Below malloc's threshold for fresh pages from the
  // kernel (128 KiB), so that memory is used again: with 1 MiB, page faults cost four times as much as everything else.
  static constexpr size_t kCapacityBytes = 64 * 1024 - 64;

  // Null when memory is short.
  static std::unique_ptr<MessageSlab> withRoomFor(size_t messageBytes);
  ~MessageSlab() override { std::free(data_); }
  MessageSlab(const MessageSlab&) = delete;
  MessageSlab& operator=(const MessageSlab&) = delete;

  // False if it does not fit.
  bool append(const void* message, size_t bytes, uint32_t nodeId, uint32_t pid);
  size_t used() const { return used_ + index_.size() * sizeof(Record); }

  size_t bytes() const override { return used() + sizeof(*this); }
  void handTo(Napi::Env env, Napi::Object listener) override;

 private:
  struct Record {
    uint32_t offset;
    uint32_t bytes;
    uint32_t nodeId;
    uint32_t pid;
  };

  MessageSlab(uint8_t* data, size_t capacity) : data_(data), capacity_(capacity) {}
  Napi::ArrayBuffer toArrayBuffer(Napi::Env env);

  uint8_t* data_;
  size_t capacity_;
  size_t used_ = 0;
  std::vector<Record> index_;
};

}  // namespace corosync
