/** votequorum's knowledge of votes. Changes are announced by libquorum (quorum.ts); ask again then. */
import { limit } from "./arguments.js";
import { Handle, type HandleOptions } from "./handle.js";
import { loadNative, type NativeVotequorum } from "./native.js";

export type NodeState = "member" | "dead" | "leaving" | "unknown";
/** VOTEQUORUM_NODESTATE_…, which begin with 1. */
export const nodeStates: readonly NodeState[] = ["unknown", "member", "dead", "leaving"];

/** VOTEQUORUM_INFO_… */
export const infoFlags = {
  twoNode: 1,
  quorate: 2,
  waitForAll: 4,
  lastManStanding: 8,
  autoTieBreaker: 16,
  allowDownscale: 32,
  deviceRegistered: 64,
  deviceAlive: 128,
  deviceCastsVote: 256,
  deviceMasterWins: 512,
} as const;

/** votequorum_getinfo(3). */
export interface VotequorumInfo {
  readonly nodeId: number;
  readonly state: NodeState;
  readonly votes: number;
  readonly expectedVotes: number;
  readonly highestExpected: number;
  /** Of this partition, the device's included. */
  readonly totalVotes: number;
  /** Votes needed for quorum. */
  readonly quorum: number;
  readonly deviceVotes: number;
  readonly deviceName: string;
  readonly twoNode: boolean;
  readonly quorate: boolean;
  readonly waitForAll: boolean;
  readonly lastManStanding: boolean;
  readonly autoTieBreaker: boolean;
  readonly allowDownscale: boolean;
  readonly deviceRegistered: boolean;
  readonly deviceAlive: boolean;
  readonly deviceCastsVote: boolean;
  readonly deviceMasterWins: boolean;
}

export class Votequorum extends Handle {
  protected readonly native: NativeVotequorum;

  /** @throws CorosyncError NOT_BUILT, NOT_INSTALLED, LIBRARY (not running), ACCESS, INVALID_PARAM, … */
  static async open(options: HandleOptions = {}): Promise<Votequorum> {
    const votequorum = new Votequorum(options);
    await votequorum.openWith(() => votequorum.native.open());
    return votequorum;
  }

  private constructor(options: HandleOptions) {
    super("votequorum_initialize", options);
    this.native = new (loadNative("votequorum").Votequorum)();
  }

  /**
   * @param nodeId 0 (default) for this node
   * @throws CorosyncError NOT_EXIST for a node the daemon does not know; NOT_SUPPORTED or LIBRARY without a votequorum provider
   */
  async info(nodeId = 0): Promise<VotequorumInfo> {
    limit("votequorum_getinfo", "nodeId", nodeId, 0, 0xffffffff);
    const { flags, state, ...numbers } = await this.request("votequorum_getinfo", () => this.native.info(nodeId));
    return {
      ...numbers,
      state: nodeStates[state] ?? "unknown",
      twoNode: (flags & infoFlags.twoNode) !== 0,
      quorate: (flags & infoFlags.quorate) !== 0,
      waitForAll: (flags & infoFlags.waitForAll) !== 0,
      lastManStanding: (flags & infoFlags.lastManStanding) !== 0,
      autoTieBreaker: (flags & infoFlags.autoTieBreaker) !== 0,
      allowDownscale: (flags & infoFlags.allowDownscale) !== 0,
      deviceRegistered: (flags & infoFlags.deviceRegistered) !== 0,
      deviceAlive: (flags & infoFlags.deviceAlive) !== 0,
      deviceCastsVote: (flags & infoFlags.deviceCastsVote) !== 0,
      deviceMasterWins: (flags & infoFlags.deviceMasterWins) !== 0,
    };
  }
}
