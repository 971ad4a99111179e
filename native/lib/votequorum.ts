/** votequorum's knowledge of votes. Changes are announced by libquorum (quorum.ts); ask again then. */
import { Handle, limit, type HandleOptions } from "./handle.js";
import { loadNative, type NativeVotequorum } from "./native.js";

export type NodeState = "member" | "dead" | "leaving" | "unknown";
const nodeStates: readonly NodeState[] = ["unknown", "member", "dead", "leaving"];

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

  /** @throws CorosyncError NOT_BUILT, NOT_INSTALLED, LIBRARY (not running), ACCESS, … */
  static async open(options: HandleOptions = {}): Promise<Votequorum> {
    const votequorum = new Votequorum(options);
    await votequorum.openWith("votequorum_initialize", () => votequorum.native.open());
    return votequorum;
  }

  private constructor(options: HandleOptions) {
    super(options);
    this.native = new (loadNative("votequorum").Votequorum)();
  }

  /**
   * @param nodeId 0 (default) for this node
   * @throws CorosyncError NOT_EXIST for a node the daemon does not know; NOT_SUPPORTED or LIBRARY without a votequorum provider
   */
  async info(nodeId = 0): Promise<VotequorumInfo> {
    limit("nodeId", nodeId, 0, 0xffffffff);
    const { flags, state, ...numbers } = await this.request("votequorum_getinfo", () => this.native.info(nodeId));
    return {
      ...numbers,
      state: nodeStates[state] ?? "unknown",
      twoNode: (flags & 1) !== 0,
      quorate: (flags & 2) !== 0,
      waitForAll: (flags & 4) !== 0,
      lastManStanding: (flags & 8) !== 0,
      autoTieBreaker: (flags & 16) !== 0,
      allowDownscale: (flags & 32) !== 0,
      deviceRegistered: (flags & 64) !== 0,
      deviceAlive: (flags & 128) !== 0,
      deviceCastsVote: (flags & 256) !== 0,
      deviceMasterWins: (flags & 512) !== 0,
    };
  }
}
