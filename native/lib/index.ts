/** Corosync's libcpg, libquorum, libvotequorum, libcmap and libcfg. Importing this needs neither Corosync nor the addon; using it does. */
export { Cpg } from "./cpg.js";
export type { CpgGuarantee, CpgListener, CpgOptions, CpgRingId } from "./cpg.js";
export type { CpgAddress, CpgChangedAddress, CpgConfigurationChange, CpgReason } from "./configuration-change.js";
export { MessageBatch } from "./message-batch.js";
export type { ZeroCopyBuffer } from "./zero-copy.js";
export { Quorum } from "./quorum.js";
export type { QuorumListener, QuorumOptions } from "./quorum.js";
export { Votequorum } from "./votequorum.js";
export type { NodeState, VotequorumInfo } from "./votequorum.js";
export { Cmap } from "./cmap.js";
export type { CmapEntry, CmapMap, CmapOptions, CmapType, CmapValue } from "./cmap.js";
export { Cfg } from "./cfg.js";
export type { CfgListener, CfgOptions, ShutdownAnswer, ShutdownKind } from "./cfg.js";
export type { HandleOptions } from "./handle.js";
export { CorosyncError, corosyncErrors, isCorosyncError } from "./errors.js";
export type { CorosyncErrorName } from "./errors.js";
export { assertSafeVersion, daemonVersion } from "./version.js";
