/** libcfg: a service is asked before its node's daemon shuts down, and may refuse. */
import { checkListener, numberOf } from "./arguments.js";
import { CorosyncError } from "./errors.js";
import { Handle, type HandleOptions } from "./handle.js";
import { loadNative, type NativeCfg } from "./native.js";

/** "request": answer with replyToShutdown(). "regardless": it will happen whatever is answered; answer all the same. "immediate": it happens at once, and no listener is asked. */
export type ShutdownKind = "request" | "regardless" | "immediate";
/** corosync_cfg_shutdown_flags_t */
export const kinds: readonly ShutdownKind[] = ["request", "regardless", "immediate"];

export type ShutdownAnswer = "yes" | "no";
/** corosync_cfg_shutdown_reply_flags_t */
export const answers: readonly ShutdownAnswer[] = ["no", "yes"];

export interface CfgListener {
  /** Somebody wants to stop this node's daemon. Answer within its patience (shutdown_timeout, 5 s by default), or it counts as "no". */
  shutdownRequested(kind: ShutdownKind): void;
  /** The daemon has gone. The last call; the handle closes itself. */
  ended(error: CorosyncError): void;
}

export interface CfgOptions extends HandleOptions {
  readonly listener: CfgListener;
}

export class Cfg extends Handle {
  protected readonly native: NativeCfg;
  #listener: CfgListener;

  /** @throws CorosyncError NOT_BUILT, NOT_INSTALLED, LIBRARY (not running), ACCESS, INVALID_PARAM, … */
  static async open(options: CfgOptions): Promise<Cfg> {
    const cfg = new Cfg(options);
    await cfg.openWith(() => cfg.#open());
    return cfg;
  }

  private constructor(options: CfgOptions) {
    super("corosync_cfg_initialize", options, ["listener"]);
    checkListener("corosync_cfg_initialize", options.listener, ["shutdownRequested", "ended"]);
    this.#listener = options.listener;
    this.native = new (loadNative("cfg").Cfg)();
  }

  #open(): ReturnType<NativeCfg["open"]> {
    return this.native.open({
      shutdown: (flags) => this.#listener.shutdownRequested(kinds[flags] ?? "request"),
      ended: (status) => {
        const error = CorosyncError.fromStatus(status, "corosync_cfg_dispatch");
        this.endedBy(error);
        this.#listener.ended(error);
      },
    });
  }

  /** From now on this handle is asked. */
  trackStart(): Promise<void> {
    return this.request("corosync_cfg_trackstart", () => this.native.trackStart());
  }

  trackStop(): Promise<void> {
    return this.request("corosync_cfg_trackstop", () => this.native.trackStop());
  }

  /** Resolves also if nobody is asking (any more): the daemon says so, but libcfg keeps it to itself. @throws CorosyncError INVALID_PARAM, LIBRARY, … */
  async replyToShutdown(answer: ShutdownAnswer): Promise<void> {
    const number = numberOf("corosync_cfg_replyto_shutdown", "the answer", answer, answers);
    await this.request("corosync_cfg_replyto_shutdown", () => this.native.replyToShutdown(number));
  }

  /**
   * Asks this node's daemon to stop. @throws CorosyncError BUSY if somebody refused, or did not answer in time; EXIST while another
   * request is being answered; LIBRARY if the daemon has gone before it could answer
   */
  async tryShutdown(kind: ShutdownKind): Promise<void> {
    const number = numberOf("corosync_cfg_try_shutdown", "the kind", kind, kinds);
    await this.request("corosync_cfg_try_shutdown", () => this.native.tryShutdown(number));
  }

  localNodeId(): Promise<number> {
    return this.request("corosync_cfg_local_get", () => this.native.localNodeId());
  }
}
