// See cpg_events.h.
#include "cpg_events.h"

#include <algorithm>

#include "event_source.h"
#include "message_slab.h"

namespace corosync {
namespace {

constexpr size_t kWordsPerAddress = sizeof(abi::CpgAddress) / sizeof(uint32_t);

class Confchg final : public Event {
 public:
  Confchg(size_t memberCount, size_t leftCount) : memberCount_(memberCount), leftCount_(leftCount) {}
  void add(const abi::CpgAddress* list, size_t count) { addresses_.insert(addresses_.end(), list, list + count); }
  size_t bytes() const override { return sizeof(*this) + addresses_.size() * sizeof(abi::CpgAddress); }
  void handTo(Napi::Env env, Listener& listener) override {
    const auto* words = reinterpret_cast<const uint32_t*>(addresses_.data());
    listener.call(env, "confchg",
                 {toUint32Array(env, words, addresses_.size() * kWordsPerAddress), Napi::Number::New(env, static_cast<double>(memberCount_)),
                  Napi::Number::New(env, static_cast<double>(leftCount_))});
  }

 private:
  std::vector<abi::CpgAddress> addresses_;
  size_t memberCount_;
  size_t leftCount_;
};

class TotemConfchg final : public Event {
 public:
  TotemConfchg(abi::CpgRingId ring, const uint32_t* nodes, size_t count) : ring_(ring), nodes_(nodes, nodes + count) {}
  size_t bytes() const override { return sizeof(*this) + nodes_.size() * sizeof(uint32_t); }
  void handTo(Napi::Env env, Listener& listener) override {
    listener.call(env, "totemConfchg",
                 {Napi::Number::New(env, ring_.nodeId), Napi::BigInt::New(env, ring_.seq), toUint32Array(env, nodes_.data(), nodes_.size())});
  }

 private:
  abi::CpgRingId ring_;
  std::vector<uint32_t> nodes_;
};

// Of the first memory for messages behind another event.
constexpr size_t kFirstSlabBytes = 256;

// How much memory to take for messages behind `last`. In a queue that is empty a whole slab; behind other events little, and twice as much from
// slab to slab: where single messages wait between configuration changes, a whole one for each is a hundred times what it is counted as.
size_t slabBytesBehind(Event* last, const MessageSlab* slab) {
  if (last == nullptr) return SlabPool::kSlabBytes;
  return slab == nullptr ? kFirstSlabBytes : std::min(2 * slab->capacity(), SlabPool::kSlabBytes);
}

}  // namespace

void onCpgDeliver(abi::Handle, const abi::CpgName*, uint32_t nodeId, uint32_t pid, void* message, size_t bytes) {
  EventSource& source = EventSource::dispatching();
  EventQueue& queue = source.queue();
  Event* last = queue.back();
  MessageSlab* slab = last == nullptr ? nullptr : last->openSlab();
  const size_t before = slab == nullptr ? 0 : slab->bytes();
  if (slab != nullptr && slab->append(message, bytes, nodeId, pid)) return queue.grew(slab->bytes() - before);
  std::unique_ptr<MessageSlab> fresh = MessageSlab::withRoomFor(bytes, slabBytesBehind(last, slab), source.slabs());
  if (fresh == nullptr || !fresh->append(message, bytes, nodeId, pid)) return source.end(abi::kNoMemory);
  queue.push(std::move(fresh));
}

void onCpgConfchg(abi::Handle, const abi::CpgName*, const abi::CpgAddress* members, size_t memberCount, const abi::CpgAddress* left,
                  size_t leftCount, const abi::CpgAddress* joined, size_t joinedCount) {
  // The library has written beyond its lists, and one into another.
  if (std::max({memberCount, leftCount, joinedCount}) > abi::kCpgMembersMax) return EventSource::dispatching().end(kTooManyMembers);
  auto event = std::make_unique<Confchg>(memberCount, leftCount);
  event->add(members, memberCount);
  event->add(left, leftCount);
  event->add(joined, joinedCount);
  EventSource::dispatching().queue().push(std::move(event));
}

void onCpgTotemConfchg(abi::Handle, abi::CpgRingId ring, uint32_t nodeCount, const uint32_t* nodes) {
  EventSource::dispatching().queue().push(std::make_unique<TotemConfchg>(ring, nodes, nodeCount));
}

}  // namespace corosync
