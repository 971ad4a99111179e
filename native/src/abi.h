// Corosync's C interface, declared once, so that the addon builds without Corosync's headers and loads its libraries at
// run time. abi_check.cc compares every line of it with the real headers, with each that is installed.
// Not here: what the calls mean (the man pages say it) and how they are found (libraries.h).
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

namespace abi {

using Status = int32_t;  // cs_error_t
using Handle = uint64_t;

// cs_error_t, as far as this code tells them apart. lib/errors.ts names them all.
constexpr Status kOk = 1;
constexpr Status kLibrary = 2;
constexpr Status kTryAgain = 6;
constexpr Status kInvalidParam = 7;
constexpr Status kNoMemory = 8;
constexpr Status kBadHandle = 9;
constexpr Status kNoSpace = 15;
constexpr Status kNoResources = 18;
constexpr Status kNotSupported = 19;
constexpr Status kTooBig = 26;
constexpr Status kNoSections = 27;

constexpr int kDispatchOneNonblocking = 4;  // cs_dispatch_flags_t

// ---- libcpg ----

constexpr size_t kCpgNameBytes = 128;
// cpg_dispatch copies a configuration change into lists of so many addresses, and cpg_membership_get its answer into the caller's, without
// looking at the count. The daemon does the same with an answer's list of 384, and does not survive it.
constexpr size_t kCpgMembersMax = 128;
constexpr int kCpgModelV1 = 1;
constexpr unsigned kCpgDeliverInitialTotemConf = 1;
constexpr int kCpgIterationOneGroup = 2;
// cpg_mcast_joined copies the caller's iovec behind one of its own into an array of 64 without looking at the count.
constexpr unsigned kCpgIovecMax = 63;

struct CpgName {
  uint32_t length;
  char value[kCpgNameBytes];
};

struct CpgAddress {
  uint32_t nodeId;
  uint32_t pid;
  uint32_t reason;
};

struct CpgRingId {
  uint32_t nodeId;
  uint64_t seq;
};

struct CpgIterationDescription {
  CpgName group;
  uint32_t nodeId;
  uint32_t pid;
};

using CpgDeliver = void (*)(Handle, const CpgName*, uint32_t nodeId, uint32_t pid, void* message, size_t bytes);
using CpgConfchg = void (*)(Handle, const CpgName*, const CpgAddress* members, size_t memberCount, const CpgAddress* left,
                            size_t leftCount, const CpgAddress* joined, size_t joinedCount);
using CpgTotemConfchg = void (*)(Handle, CpgRingId, uint32_t nodeCount, const uint32_t* nodes);

struct CpgModelV1 {
  int model;
  CpgDeliver deliver;
  CpgConfchg confchg;
  CpgTotemConfchg totemConfchg;
  unsigned flags;
};

struct CpgApi {
  Status (*initialize)(Handle*, int model, CpgModelV1*, void* context);
  Status (*finalize)(Handle);
  Status (*fdGet)(Handle, int*);
  Status (*dispatch)(Handle, int);
  Status (*join)(Handle, const CpgName*);
  Status (*leave)(Handle, const CpgName*);
  Status (*mcast)(Handle, int guarantee, const iovec*, unsigned count);
  Status (*membershipGet)(Handle, CpgName*, CpgAddress*, int*);
  Status (*localGet)(Handle, unsigned*);
  Status (*maxAtomicGet)(Handle, uint32_t*);
  Status (*flowControlGet)(Handle, int*);
  Status (*iterationInitialize)(Handle, int type, const CpgName*, Handle*);
  Status (*iterationNext)(Handle, CpgIterationDescription*);
  Status (*iterationFinalize)(Handle);
  // Null where the library no longer has them.
  Status (*zcbAlloc)(Handle, size_t, void**);
  Status (*zcbFree)(Handle, void*);
  Status (*zcbMcast)(Handle, int guarantee, void*, size_t);
};

// ---- libquorum ----

constexpr int kQuorumModelV1 = 1;
constexpr unsigned kTrackCurrent = 1;
constexpr unsigned kTrackChanges = 2;

struct QuorumRingId {
  uint32_t nodeId;
  uint64_t seq;
};

using QuorumNotify = void (*)(Handle, uint32_t quorate, QuorumRingId, uint32_t memberCount, const uint32_t* members);
using QuorumNodelistNotify = void (*)(Handle, QuorumRingId, uint32_t memberCount, const uint32_t* members, uint32_t joinedCount,
                                      const uint32_t* joined, uint32_t leftCount, const uint32_t* left);

struct QuorumModelV1 {
  int model;
  QuorumNotify quorum;
  QuorumNodelistNotify nodelist;
};

struct QuorumApi {
  Status (*initialize)(Handle*, int model, QuorumModelV1*, uint32_t* type, void* context);
  Status (*finalize)(Handle);
  Status (*fdGet)(Handle, int*);
  Status (*dispatch)(Handle, int);
  Status (*getQuorate)(Handle, int*);
  Status (*trackStart)(Handle, unsigned flags);
  Status (*trackStop)(Handle);
};

// ---- libvotequorum ----

struct VotequorumInfo {
  unsigned nodeId;
  unsigned nodeState;
  unsigned nodeVotes;
  unsigned nodeExpectedVotes;
  unsigned highestExpected;
  unsigned totalVotes;
  unsigned quorum;
  unsigned flags;
  unsigned deviceVotes;
  char deviceName[255];
};

struct VotequorumApi {
  Status (*initialize)(Handle*, void* callbacks);
  Status (*finalize)(Handle);
  Status (*fdGet)(Handle, int*);
  Status (*dispatch)(Handle, int);
  Status (*getInfo)(Handle, unsigned nodeId, VotequorumInfo*);
};

// ---- libcmap ----

constexpr size_t kCmapKeyBytes = 255;

enum CmapType : int32_t { kInt8 = 1, kUint8, kInt16, kUint16, kInt32, kUint32, kInt64, kUint64, kFloat, kDouble, kString, kBinary };

struct CmapApi {
  Status (*initialize)(Handle*, int map);
  Status (*finalize)(Handle);
  Status (*fdGet)(Handle, int*);
  Status (*dispatch)(Handle, int);
  Status (*get)(Handle, const char* key, void* value, size_t* bytes, int32_t* type);
  Status (*iterInit)(Handle, const char* prefix, Handle*);
  Status (*iterNext)(Handle, Handle, char* key, size_t* bytes, int32_t* type);
  Status (*iterFinalize)(Handle, Handle);
};

// ---- libcfg ----

using CfgShutdown = void (*)(Handle, int flags);

struct CfgCallbacks {
  CfgShutdown shutdown;
};

struct CfgApi {
  Status (*initialize)(Handle*, const CfgCallbacks*);
  Status (*finalize)(Handle);
  Status (*fdGet)(Handle, int*);
  Status (*dispatch)(Handle, int);
  Status (*trackStart)(Handle, uint8_t flags);
  Status (*trackStop)(Handle);
  Status (*tryShutdown)(Handle, int flags);
  Status (*replyToShutdown)(Handle, int answer);
  Status (*localGet)(Handle, unsigned*);
};

}  // namespace abi
