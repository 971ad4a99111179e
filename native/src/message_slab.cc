// See message_slab.h.
#include "message_slab.h"

#include <algorithm>
#include <cstring>

namespace corosync {
namespace {

// Up to here a slab is moved into memory of V8's own as a whole: cheaper than an external ArrayBuffer, whose bookkeeping and
// finalizer cost some microseconds, and the slab's unused rest goes back at once.
constexpr size_t kMoveBytes = 8 * 1024;

constexpr size_t aligned(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

}  // namespace

std::unique_ptr<MessageSlab> MessageSlab::withRoomFor(size_t messageBytes) {
  const size_t capacity = std::max(kCapacityBytes, aligned(messageBytes) + sizeof(Record));
  auto* data = static_cast<uint8_t*>(std::malloc(capacity));
  return data == nullptr ? nullptr : std::unique_ptr<MessageSlab>(new MessageSlab(data, capacity));
}

bool MessageSlab::append(const void* message, size_t bytes, uint32_t nodeId, uint32_t pid) {
  if (aligned(bytes) + (index_.size() + 1) * sizeof(Record) > capacity_ - used_) return false;
  std::memcpy(data_ + used_, message, bytes);
  index_.push_back({static_cast<uint32_t>(used_), static_cast<uint32_t>(bytes), nodeId, pid});
  used_ += aligned(bytes);
  return true;
}

Napi::ArrayBuffer MessageSlab::toArrayBuffer(Napi::Env env) {
  const size_t total = used();
  if (!index_.empty()) std::memcpy(data_ + used_, index_.data(), index_.size() * sizeof(Record));
  if (total > kMoveBytes) {
    if (void* shrunk = std::realloc(data_, total)) data_ = static_cast<uint8_t*>(shrunk);
    napi_value buffer = nullptr;
    // The finalizer only frees, so it does not matter when it runs; it keeps no reference to this slab or its handle.
    const napi_status status = napi_create_external_arraybuffer(
        env, data_, total, [](napi_env, void* data, void*) { std::free(data); }, nullptr, &buffer);
    if (status == napi_ok) {
      data_ = nullptr;
      return Napi::ArrayBuffer(env, buffer);
    }
    // Builds of V8 with a memory cage have no external buffers (Electron): fall through to the move.
  }
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, total);
  if (!buffer.IsEmpty()) std::memcpy(buffer.Data(), data_, total);
  return buffer;
}

void MessageSlab::handTo(Napi::Env env, Napi::Object listener) {
  const size_t indexOffset = used_;
  const size_t count = index_.size();
  Napi::ArrayBuffer buffer = toArrayBuffer(env);
  if (env.IsExceptionPending()) return;
  callListener(env, listener, "messages",
               {buffer, Napi::Number::New(env, static_cast<double>(indexOffset)), Napi::Number::New(env, static_cast<double>(count))});
}

}  // namespace corosync
