/** libquorum's model V1: is this partition quorate, on which ring, with whom. It can trail cpg by hundreds of milliseconds. */
import { checkListener } from "./arguments.js";
import { CorosyncError } from "./errors.js";
import type { CpgRingId } from "./cpg.js";
import { Handle, type HandleOptions } from "./handle.js";
import { loadNative, type NativeQuorum } from "./native.js";

export interface QuorumListener {
  quorumChanged(quorate: boolean, ring: CpgRingId, members: readonly number[]): void;
  /** Before quorumChanged of the same ring. */
  nodesChanged?(ring: CpgRingId, members: readonly number[], joined: readonly number[], left: readonly number[]): void;
  /** The daemon has gone. The last call; the handle closes itself. */
  ended(error: CorosyncError): void;
}

export interface QuorumOptions extends HandleOptions {
  readonly listener: QuorumListener;
}

export class Quorum extends Handle {
  protected readonly native: NativeQuorum;
  #listener: QuorumListener;
  #provided = false;

  /** @throws CorosyncError NOT_BUILT, NOT_INSTALLED, LIBRARY (not running), ACCESS, INVALID_PARAM, … */
  static async open(options: QuorumOptions): Promise<Quorum> {
    const quorum = new Quorum(options);
    quorum.#provided = await quorum.openWith(() => quorum.#open());
    return quorum;
  }

  private constructor(options: QuorumOptions) {
    super("quorum_model_initialize", options, ["listener"]);
    checkListener("quorum_model_initialize", options.listener, ["quorumChanged", "ended"], ["nodesChanged"]);
    this.#listener = options.listener;
    this.native = new (loadNative("quorum").Quorum)();
  }

  #open(): ReturnType<NativeQuorum["open"]> {
    return this.native.open({
      quorum: (quorate, nodeId, seq, members) => this.#listener.quorumChanged(quorate, { nodeId, seq }, [...members]),
      nodelist: (nodeId, seq, members, joined, left) => this.#listener.nodesChanged?.({ nodeId, seq }, [...members], [...joined], [...left]),
      ended: (status) => {
        const error = CorosyncError.fromStatus(status, "quorum_dispatch");
        this.endedBy(error);
        this.#listener.ended(error);
      },
    });
  }

  /** Whether corosync.conf names a quorum provider. Without one libquorum calls every partition quorate. */
  get provided(): boolean {
    return this.#provided;
  }

  quorate(): Promise<boolean> {
    return this.request("quorum_getquorate", () => this.native.quorate());
  }

  /** Starts the listener's news, with the state as it is now. @throws CorosyncError EXIST if it was started before; the state is told again all the same */
  trackStart(): Promise<void> {
    return this.request("quorum_trackstart", () => this.native.trackStart());
  }

  trackStop(): Promise<void> {
    return this.request("quorum_trackstop", () => this.native.trackStop());
  }
}
