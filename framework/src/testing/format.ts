/** One line for what happened, for people who read a failed history or a transcript. */
import { formatBallot, formatRing } from "../core/ballot.js";
import type { CoreEvent, Effect } from "../core/events.js";
import type { LogPoint } from "../log/log.js";
import type { StoreWrite } from "../log/store.js";
import type { Message } from "../core/messages.js";
import type { MemberAddress } from "../transport/group-transport.js";
import type { Heard } from "./group-model.js";

export function formatPoint({ position, hash }: LogPoint): string {
  return `${position}#${hash.slice(0, 4)}`;
}

export function formatMember({ nodeId, pid }: MemberAddress): string {
  return `${nodeId}/${pid}`;
}

export function formatMessage(message: Message): string {
  switch (message.type) {
    case "batch": return `batch ${message.record.incarnation.slice(-3)}/${message.record.n} in ${formatBallot(message.ballot)} after ${formatPoint(message.point)}`;
    case "ack": return `ack ${message.ack} in ${formatBallot(message.ballot)} at ${formatPoint(message.point)}`;
    case "state": {
      const { report } = message;
      return `state [${message.exchange}] ${report.lineage ? "lineage" : "blank"} b=${formatBallot(report.ballot)} V=${formatPoint(report.verified)} c=${report.committed.position} k=${report.k} p=${formatBallot(report.promised)}`;
    }
    case "promise": return `promise ${formatBallot(message.ballot)}`;
    case "exclude": return `exclude [${message.attempt}] ${message.silent.map(formatMember).join(" ")}`;
    case "rejoin": return `rejoin [${message.configuration}] ${message.reason}`;
    case "needSync": return `needSync turn ${message.turn} have ${message.have.map(formatPoint).join(" ") || "nothing"} reach ${message.reach}`;
    case "chunk": return `chunk ${message.index} of turn ${message.turn} to ${message.to}`;
    case "digest": return `digest at ${message.position}`;
    case "askTime": return `what is the time (${message.question})?`;
    case "tellTime": return `to ${message.to} (${message.question}): it is ${Math.round(message.timeMs)}`;
    default: return message satisfies never;
  }
}

export function formatHeard(heard: Heard<Message>): string {
  switch (heard.kind) {
    case "message": return `${heard.sender.nodeId}: ${formatMessage(heard.message)}`;
    case "configuration": {
      const { members, left, joined } = heard.change;
      const changed = [...left.map((member) => `-${formatMember(member)} ${member.reason}`), ...joined.map((member) => `+${formatMember(member)} ${member.reason}`)];
      return `members ${members.map(formatMember).join(" ")} (${changed.join(", ")})`;
    }
    case "ring": return `ring ${formatRing(heard.ring)} of ${heard.nodes.join(" ")}`;
    case "closed": return "daemon lost";
    default: return heard satisfies never;
  }
}

function formatWrite({ cutAfter, base, entries, head }: StoreWrite): string {
  const [first] = entries;
  return [
    cutAfter === undefined ? "" : `cut after ${cutAfter}, `, base === undefined ? "" : `begin at ${formatPoint(base)}, `,
    first === undefined ? "" : `entries ${first.position} to ${first.position + entries.length - 1}, `,
    `${head.lineage ? "lineage" : "blank"} b=${formatBallot(head.ballot)} p=${formatBallot(head.promised)} known ${head.known.join(" ")}`,
  ].join("");
}

export function formatEvent(event: CoreEvent): string | undefined {
  switch (event.type) {
    case "message": return `< ${formatHeard({ kind: "message", sender: event.sender, message: event.message })}`;
    case "configuration": return `< ${formatHeard({ kind: "configuration", change: event.change })}`;
    case "ring": return `< ${formatHeard({ kind: "ring", ring: event.ring, nodes: event.nodes })}`;
    case "quorum": return `< quorum of ring ${formatRing(event.ring)}: ${event.report.quorate ? "quorate" : "not quorate"}`;
    case "transferred": return `transferred ${event.transfer.mode} from ${formatPoint(event.transfer.from)} with ${event.transfer.entries.length} entries`;
    case "transferFailed": return `transfer failed: ${event.reason}`;
    case "persisted": return `written ${event.token}`;
    case "snapshotStored": return `snapshot stored at ${formatPoint(event.point)}`;
    case "diskTrouble": return event.failing ? "the disk takes nothing" : "the disk takes what is written again";
    case "stateDiffers": return `state differs at ${event.position}`;
    case "exchangeAgain": return `asks for an exchange: ${event.reason}`;
    case "tick": return `tick to ${event.nowMs}`;
    case "abandon": return `abandon ${event.n}`;
    case "lateAcknowledgement":
    case "drained":
    case "propose":
    case "applied":
    case "transferProgress": return undefined;
    default: return event satisfies never;
  }
}

export function formatEffect(effect: Effect): string {
  switch (effect.type) {
    case "multicast": return `> ${formatMessage(effect.message)}`;
    case "suspended": return "suspended";
    case "acknowledgeLater": return "to acknowledge later";
    case "committed": return `committed through ${effect.through}`;
    case "phase": return `${effect.phase}${effect.reason === undefined ? "" : `: ${effect.reason}`}`;
    case "viewInstalled": return `view ${formatBallot(effect.ballot)} of ${effect.members.map(({ slot }) => slot).join(" ")}${effect.loud === undefined ? "" : ` (${effect.loud})`}`;
    case "proposeMembers": return "to propose the members entry";
    case "proposeEntry": return "to propose an entry";
    case "stopDonating": return `donate to ${effect.to} no more`;
    case "donate": return `donate to ${effect.to}, turn ${effect.turn}, through ${effect.through}`;
    case "receiveTransfer": return `expect a transfer, turn ${effect.turn}${effect.again === undefined ? "" : `: ${effect.again}`}`;
    case "adoptState": return `adopt the state of position ${effect.position}`;
    case "persist": return `write ${effect.token}: ${formatWrite(effect.write)}`;
    case "storeSnapshot": return `store a snapshot at ${formatPoint(effect.point)}`;
    case "outcomesLost": return `outcomes lost: ${effect.n.join(" ")}`;
    case "withdrawn": return `withdrawn: ${effect.n.join(" ")}`;
    case "stop": return `stop: ${effect.error.code} ${effect.error.message}`;
    default: return effect satisfies never;
  }
}
