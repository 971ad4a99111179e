/** libcfg: a service is asked before its node's daemon shuts down, and may refuse. */
import { CorosyncError } from "./errors.js";
import { Handle, type HandleOptions } from "./handle.js";
import { loadNative, type NativeCfg } from "./native.js";

/** "request": answer with replyToShutdown(). "regardless": it will happen whatever is answered; answer all the same. "immediate": it happens now. */
export type ShutdownKind = "request" | "regardless" | "immediate";
const kinds: readonly ShutdownKind[] = ["request", "regardless", "immediate"];

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

  /** @throws CorosyncError NOT_BUILT, NOT_INSTALLED, LIBRARY (not running), ACCESS, … */
  static async open(options: CfgOptions): Promise<Cfg> {
    const cfg = new Cfg(options);
    await cfg.openWith("corosync_cfg_initialize", () => cfg.#open());
    return cfg;
  }

  private constructor(options: CfgOptions) {
    super(options);
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

  replyToShutdown(answer: "yes" | "no"): Promise<void> {
    return this.request("corosync_cfg_replyto_shutdown", () => this.native.replyToShutdown(answer === "yes" ? 1 : 0));
  }

  /**
   * Asks this node's daemon to stop. @throws CorosyncError BUSY if somebody refused
   */
  tryShutdown(kind: ShutdownKind): Promise<void> {
    return this.request("corosync_cfg_try_shutdown", () => this.native.tryShutdown(kinds.indexOf(kind)));
  }

  localNodeId(): Promise<number> {
    return this.request("corosync_cfg_local_get", () => this.native.localNodeId());
  }
}
