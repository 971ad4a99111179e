// See slab_pool.h.
#include "slab_pool.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace corosync {
namespace {

constexpr size_t roundedUp(size_t bytes) { return (bytes + 15) & ~size_t{15}; }

// Empty if V8 refuses.
Napi::Uint32Array wordsOver(Napi::Env env, const std::shared_ptr<SlabMemory>& memory) {
  auto* owner = new std::shared_ptr<SlabMemory>(memory);
  napi_value buffer = nullptr;
  // The finalizer only lets go of memory, so it does not matter when it runs, nor on which thread.
  const napi_status status = napi_create_external_arraybuffer(
      env, memory->data(), memory->capacity(), [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<SlabMemory>*>(hint); }, owner, &buffer);
  if (status != napi_ok) {
    delete owner;
    return {};
  }
  return Napi::Uint32Array::New(env, memory->capacity() / sizeof(uint32_t), Napi::ArrayBuffer(env, buffer), 0);
}

}  // namespace

std::shared_ptr<SlabMemory> SlabMemory::allocate(size_t capacity) {
  auto* data = static_cast<uint8_t*>(std::malloc(capacity));
  return data == nullptr ? nullptr : std::shared_ptr<SlabMemory>(new SlabMemory(data, capacity));
}

SlabMemory::~SlabMemory() { std::free(data_); }

std::shared_ptr<SlabMemory> SlabPool::take(size_t bytes) {
  if (bytes != kSlabBytes) return SlabMemory::allocate(roundedUp(bytes));
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!spare_.empty()) {
      std::shared_ptr<SlabMemory> memory = std::move(spare_.back());
      spare_.pop_back();
      return memory;
    }
  }
  return SlabMemory::allocate(kSlabBytes);
}

void SlabPool::giveBack(std::shared_ptr<SlabMemory> memory) {
  if (memory->capacity() != kSlabBytes || !memory->reusable()) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (spare_.size() < kSpare) spare_.push_back(std::move(memory));
}

Napi::Value SlabPool::viewOf(Napi::Env env, const std::shared_ptr<SlabMemory>& memory) {
  const auto known = std::find_if(views_.begin(), views_.end(), [&](const View& view) { return view.memory == memory; });
  if (known != views_.end()) return known->words.Value();
  const Napi::Uint32Array words = wordsOver(env, memory);
  // Two ArrayBuffers over the same memory are more than V8 promises to bear: what is not remembered is not used again.
  if (words.IsEmpty() || memory->capacity() != kSlabBytes || views_.size() == kSpare) memory->useOnce();
  else views_.push_back({memory, Napi::Persistent(words.As<Napi::Object>())});
  return words;
}

void SlabPool::dropViews() {
  for (const View& view : views_) view.memory->useOnce();
  views_.clear();
  std::lock_guard<std::mutex> lock(mutex_);
  spare_.clear();
}

void SlabPool::kept(const SlabMemory& memory) {
  views_.erase(std::remove_if(views_.begin(), views_.end(), [&](const View& view) { return view.memory.get() == &memory; }), views_.end());
}

}  // namespace corosync
