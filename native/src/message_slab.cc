// See message_slab.h.
#include "message_slab.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace corosync {
namespace {

// Messages in a slab of the usual size; smaller ones begin with less.
constexpr size_t kUsualMessages = 64;

constexpr size_t aligned(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

}  // namespace

MessageSlab::MessageSlab(std::shared_ptr<SlabMemory> memory, std::shared_ptr<SlabPool> pool) : memory_(std::move(memory)), pool_(std::move(pool)) {
  index_.reserve(std::min(kUsualMessages, memory_->capacity() / (2 * sizeof(Record))));
}

MessageSlab::~MessageSlab() {
  if (memory_ != nullptr) pool_->giveBack(std::move(memory_));
}

std::unique_ptr<MessageSlab> MessageSlab::withRoomFor(size_t messageBytes, size_t usualBytes, const std::shared_ptr<SlabPool>& pool) {
  std::shared_ptr<SlabMemory> memory = pool->take(std::max(aligned(messageBytes) + sizeof(Record), usualBytes));
  return memory == nullptr ? nullptr : std::unique_ptr<MessageSlab>(new MessageSlab(std::move(memory), pool));
}

bool MessageSlab::append(const void* message, size_t bytes, uint32_t nodeId, uint32_t pid) {
  if (aligned(bytes) + (index_.size() + 1) * sizeof(Record) > memory_->capacity() - used_) return false;
  std::memcpy(memory_->data() + used_, message, bytes);
  index_.push_back({static_cast<uint32_t>(used_), static_cast<uint32_t>(bytes), nodeId, pid});
  used_ += aligned(bytes);
  return true;
}

// The memory itself, or, where V8 has no ArrayBuffers over foreign memory (builds with a memory cage: Electron), a copy.
Napi::Value MessageSlab::view(Napi::Env env, bool& inPlace) {
  const Napi::Value words = pool_->viewOf(env, memory_);
  inPlace = !words.IsEmpty();
  if (inPlace || env.IsExceptionPending()) return words;
  Napi::Uint32Array copy = Napi::Uint32Array::New(env, used() / sizeof(uint32_t));
  if (!copy.IsEmpty()) std::memcpy(copy.Data(), memory_->data(), used());
  return copy;
}

void MessageSlab::handTo(Napi::Env env, Listener& listener) {
  if (!index_.empty()) std::memcpy(memory_->data() + used_, index_.data(), index_.size() * sizeof(Record));
  bool inPlace = false;
  const Napi::Value words = view(env, inPlace);
  if (env.IsExceptionPending()) return;
  const Napi::Value released = listener.call(env, "messages", {words, Napi::Number::New(env, static_cast<double>(used_)), Napi::Number::New(env, static_cast<double>(index_.size()))});
  // Unless it says so itself, and after an exception, it may hold on to the memory for as long as it likes.
  const bool mayBeKept = env.IsExceptionPending() || !released.IsBoolean() || !released.As<Napi::Boolean>().Value();
  if (!inPlace || !mayBeKept) return;
  pool_->kept(*memory_);
  memory_.reset();
}

}  // namespace corosync
