// Compares abi.h with each of Corosync's own headers that is installed. Compiles to nothing. The numbers that lib/ has are compared in
// test/daemon/numbers.test.ts.
#include "abi.h"

#include <type_traits>

#define SAME_FIELD(OURS, FIELD, THEIRS, THEIR_FIELD)                            \
  static_assert(offsetof(OURS, FIELD) == offsetof(THEIRS, THEIR_FIELD) &&       \
                    sizeof(OURS::FIELD) == sizeof(THEIRS::THEIR_FIELD),         \
                #OURS "." #FIELD " is not where Corosync has " #THEIR_FIELD)
#define SAME_SIZE(OURS, THEIRS) static_assert(sizeof(OURS) == sizeof(THEIRS) && alignof(OURS) == alignof(THEIRS), #OURS " differs from " #THEIRS)
#define SAME_VALUE(OURS, THEIRS) static_assert(static_cast<long>(OURS) == static_cast<long>(THEIRS), #OURS " differs from " #THEIRS)

// Two functions (or callbacks) are called alike: as many parameters, each of the same size and class.
template <class A, class B>
constexpr bool passedAlike = sizeof(A) == sizeof(B) && alignof(A) == alignof(B) && std::is_pointer_v<A> == std::is_pointer_v<B> &&
                             std::is_class_v<A> == std::is_class_v<B>;
template <class A, class B>
struct CalledAlike : std::false_type {};
template <class RA, class... A, class RB, class... B>
struct CalledAlike<RA (*)(A...), RB (*)(B...)> {
  static constexpr bool results() {
    if constexpr (std::is_void_v<RA> || std::is_void_v<RB>) return std::is_void_v<RA> && std::is_void_v<RB>;
    else return passedAlike<RA, RB>;
  }
  static constexpr bool parameters() {
    if constexpr (sizeof...(A) == sizeof...(B)) return (passedAlike<A, B> && ...);
    else return false;
  }
  static constexpr bool value = results() && parameters();
};
#define SAME_CALL(API, FIELD, FUNCTION) \
  static_assert(CalledAlike<decltype(abi::API::FIELD), decltype(&FUNCTION)>::value, #API "." #FIELD " differs from " #FUNCTION)
#define SAME_CALLBACK(OURS, THEIRS) static_assert(CalledAlike<OURS, THEIRS>::value, #OURS " differs from " #THEIRS)

#if __has_include(<corosync/corotypes.h>)
#include <corosync/corotypes.h>
SAME_SIZE(abi::Status, cs_error_t);
SAME_VALUE(abi::kOk, CS_OK);
SAME_VALUE(abi::kLibrary, CS_ERR_LIBRARY);
SAME_VALUE(abi::kTryAgain, CS_ERR_TRY_AGAIN);
SAME_VALUE(abi::kInvalidParam, CS_ERR_INVALID_PARAM);
SAME_VALUE(abi::kNoMemory, CS_ERR_NO_MEMORY);
SAME_VALUE(abi::kBadHandle, CS_ERR_BAD_HANDLE);
SAME_VALUE(abi::kNoSpace, CS_ERR_NO_SPACE);
SAME_VALUE(abi::kNoResources, CS_ERR_NO_RESOURCES);
SAME_VALUE(abi::kNotSupported, CS_ERR_NOT_SUPPORTED);
SAME_VALUE(abi::kTooBig, CS_ERR_TOO_BIG);
SAME_VALUE(abi::kNoSections, CS_ERR_NO_SECTIONS);
SAME_VALUE(abi::kDispatchOneNonblocking, CS_DISPATCH_ONE_NONBLOCKING);
SAME_VALUE(abi::kTrackCurrent, CS_TRACK_CURRENT);
SAME_VALUE(abi::kTrackChanges, CS_TRACK_CHANGES);
#endif

#if __has_include(<corosync/cpg.h>)
#include <corosync/cpg.h>
SAME_SIZE(abi::Handle, cpg_handle_t);
SAME_SIZE(abi::Handle, cpg_iteration_handle_t);
SAME_VALUE(abi::kCpgNameBytes, CPG_MAX_NAME_LENGTH);
SAME_VALUE(abi::kCpgMembersMax, CPG_MEMBERS_MAX);
SAME_VALUE(abi::kCpgIterationOneGroup, CPG_ITERATION_ONE_GROUP);
SAME_VALUE(abi::kCpgModelV1, CPG_MODEL_V1);
SAME_VALUE(abi::kCpgDeliverInitialTotemConf, CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);
SAME_SIZE(abi::CpgName, cpg_name);
SAME_FIELD(abi::CpgName, length, cpg_name, length);
SAME_FIELD(abi::CpgName, value, cpg_name, value);
SAME_SIZE(abi::CpgAddress, cpg_address);
SAME_FIELD(abi::CpgAddress, nodeId, cpg_address, nodeid);
SAME_FIELD(abi::CpgAddress, pid, cpg_address, pid);
SAME_FIELD(abi::CpgAddress, reason, cpg_address, reason);
SAME_SIZE(abi::CpgRingId, cpg_ring_id);
SAME_FIELD(abi::CpgRingId, nodeId, cpg_ring_id, nodeid);
SAME_FIELD(abi::CpgRingId, seq, cpg_ring_id, seq);
SAME_SIZE(abi::CpgIterationDescription, cpg_iteration_description_t);
SAME_FIELD(abi::CpgIterationDescription, group, cpg_iteration_description_t, group);
SAME_FIELD(abi::CpgIterationDescription, nodeId, cpg_iteration_description_t, nodeid);
SAME_FIELD(abi::CpgIterationDescription, pid, cpg_iteration_description_t, pid);
SAME_SIZE(abi::CpgModelV1, cpg_model_v1_data_t);
SAME_FIELD(abi::CpgModelV1, model, cpg_model_v1_data_t, model);
SAME_FIELD(abi::CpgModelV1, deliver, cpg_model_v1_data_t, cpg_deliver_fn);
SAME_FIELD(abi::CpgModelV1, confchg, cpg_model_v1_data_t, cpg_confchg_fn);
SAME_FIELD(abi::CpgModelV1, totemConfchg, cpg_model_v1_data_t, cpg_totem_confchg_fn);
SAME_FIELD(abi::CpgModelV1, flags, cpg_model_v1_data_t, flags);
SAME_CALLBACK(abi::CpgDeliver, cpg_deliver_fn_t);
SAME_CALLBACK(abi::CpgConfchg, cpg_confchg_fn_t);
SAME_CALLBACK(abi::CpgTotemConfchg, cpg_totem_confchg_fn_t);
SAME_CALL(CpgApi, initialize, cpg_model_initialize);
SAME_CALL(CpgApi, finalize, cpg_finalize);
SAME_CALL(CpgApi, fdGet, cpg_fd_get);
SAME_CALL(CpgApi, dispatch, cpg_dispatch);
SAME_CALL(CpgApi, join, cpg_join);
SAME_CALL(CpgApi, leave, cpg_leave);
SAME_CALL(CpgApi, mcast, cpg_mcast_joined);
SAME_CALL(CpgApi, membershipGet, cpg_membership_get);
SAME_CALL(CpgApi, localGet, cpg_local_get);
SAME_CALL(CpgApi, maxAtomicGet, cpg_max_atomic_msgsize_get);
SAME_CALL(CpgApi, flowControlGet, cpg_flow_control_state_get);
SAME_CALL(CpgApi, iterationInitialize, cpg_iteration_initialize);
SAME_CALL(CpgApi, iterationNext, cpg_iteration_next);
SAME_CALL(CpgApi, iterationFinalize, cpg_iteration_finalize);
SAME_CALL(CpgApi, zcbAlloc, cpg_zcb_alloc);
SAME_CALL(CpgApi, zcbFree, cpg_zcb_free);
SAME_CALL(CpgApi, zcbMcast, cpg_zcb_mcast_joined);
#endif

#if __has_include(<corosync/quorum.h>)
#include <corosync/quorum.h>
SAME_VALUE(abi::kQuorumModelV1, QUORUM_MODEL_V1);
SAME_SIZE(abi::QuorumRingId, quorum_ring_id);
SAME_FIELD(abi::QuorumRingId, nodeId, quorum_ring_id, nodeid);
SAME_FIELD(abi::QuorumRingId, seq, quorum_ring_id, seq);
SAME_SIZE(abi::QuorumModelV1, quorum_model_v1_data_t);
SAME_FIELD(abi::QuorumModelV1, model, quorum_model_v1_data_t, model);
SAME_FIELD(abi::QuorumModelV1, quorum, quorum_model_v1_data_t, quorum_notify_fn);
SAME_FIELD(abi::QuorumModelV1, nodelist, quorum_model_v1_data_t, nodelist_notify_fn);
SAME_CALLBACK(abi::QuorumNotify, quorum_v1_quorum_notification_fn_t);
SAME_CALLBACK(abi::QuorumNodelistNotify, quorum_v1_nodelist_notification_fn_t);
SAME_CALL(QuorumApi, initialize, quorum_model_initialize);
SAME_CALL(QuorumApi, finalize, quorum_finalize);
SAME_CALL(QuorumApi, fdGet, quorum_fd_get);
SAME_CALL(QuorumApi, dispatch, quorum_dispatch);
SAME_CALL(QuorumApi, getQuorate, quorum_getquorate);
SAME_CALL(QuorumApi, trackStart, quorum_trackstart);
SAME_CALL(QuorumApi, trackStop, quorum_trackstop);
#endif

#if __has_include(<corosync/votequorum.h>)
#include <corosync/votequorum.h>
SAME_SIZE(abi::VotequorumInfo, votequorum_info);
SAME_FIELD(abi::VotequorumInfo, nodeId, votequorum_info, node_id);
SAME_FIELD(abi::VotequorumInfo, nodeState, votequorum_info, node_state);
SAME_FIELD(abi::VotequorumInfo, nodeVotes, votequorum_info, node_votes);
SAME_FIELD(abi::VotequorumInfo, nodeExpectedVotes, votequorum_info, node_expected_votes);
SAME_FIELD(abi::VotequorumInfo, highestExpected, votequorum_info, highest_expected);
SAME_FIELD(abi::VotequorumInfo, totalVotes, votequorum_info, total_votes);
SAME_FIELD(abi::VotequorumInfo, quorum, votequorum_info, quorum);
SAME_FIELD(abi::VotequorumInfo, flags, votequorum_info, flags);
SAME_FIELD(abi::VotequorumInfo, deviceVotes, votequorum_info, qdevice_votes);
SAME_FIELD(abi::VotequorumInfo, deviceName, votequorum_info, qdevice_name);
SAME_CALL(VotequorumApi, initialize, votequorum_initialize);
SAME_CALL(VotequorumApi, finalize, votequorum_finalize);
SAME_CALL(VotequorumApi, fdGet, votequorum_fd_get);
SAME_CALL(VotequorumApi, dispatch, votequorum_dispatch);
SAME_CALL(VotequorumApi, getInfo, votequorum_getinfo);
#endif

#if __has_include(<corosync/cmap.h>)
#include <corosync/cmap.h>
SAME_VALUE(abi::kCmapKeyBytes, CMAP_KEYNAME_MAXLEN);
SAME_VALUE(abi::kInt8, CMAP_VALUETYPE_INT8);
SAME_VALUE(abi::kUint8, CMAP_VALUETYPE_UINT8);
SAME_VALUE(abi::kInt16, CMAP_VALUETYPE_INT16);
SAME_VALUE(abi::kUint16, CMAP_VALUETYPE_UINT16);
SAME_VALUE(abi::kInt32, CMAP_VALUETYPE_INT32);
SAME_VALUE(abi::kUint32, CMAP_VALUETYPE_UINT32);
SAME_VALUE(abi::kInt64, CMAP_VALUETYPE_INT64);
SAME_VALUE(abi::kUint64, CMAP_VALUETYPE_UINT64);
SAME_VALUE(abi::kFloat, CMAP_VALUETYPE_FLOAT);
SAME_VALUE(abi::kDouble, CMAP_VALUETYPE_DOUBLE);
SAME_VALUE(abi::kString, CMAP_VALUETYPE_STRING);
SAME_VALUE(abi::kBinary, CMAP_VALUETYPE_BINARY);
SAME_CALL(CmapApi, initialize, cmap_initialize_map);
SAME_CALL(CmapApi, finalize, cmap_finalize);
SAME_CALL(CmapApi, fdGet, cmap_fd_get);
SAME_CALL(CmapApi, dispatch, cmap_dispatch);
SAME_CALL(CmapApi, get, cmap_get);
SAME_CALL(CmapApi, iterInit, cmap_iter_init);
SAME_CALL(CmapApi, iterNext, cmap_iter_next);
SAME_CALL(CmapApi, iterFinalize, cmap_iter_finalize);
#endif

#if __has_include(<corosync/cfg.h>)
#include <corosync/cfg.h>
SAME_SIZE(abi::CfgCallbacks, corosync_cfg_callbacks_t);
SAME_CALLBACK(abi::CfgShutdown, corosync_cfg_shutdown_callback_t);
SAME_CALL(CfgApi, initialize, corosync_cfg_initialize);
SAME_CALL(CfgApi, finalize, corosync_cfg_finalize);
SAME_CALL(CfgApi, fdGet, corosync_cfg_fd_get);
SAME_CALL(CfgApi, dispatch, corosync_cfg_dispatch);
SAME_CALL(CfgApi, trackStart, corosync_cfg_trackstart);
SAME_CALL(CfgApi, trackStop, corosync_cfg_trackstop);
SAME_CALL(CfgApi, tryShutdown, corosync_cfg_try_shutdown);
SAME_CALL(CfgApi, replyToShutdown, corosync_cfg_replyto_shutdown);
SAME_CALL(CfgApi, localGet, corosync_cfg_local_get);
#endif
