/** Run as a process of its own on a node: a member with the clustered transport, driven by remote-member.ts. */
import { corosync } from "@lockstep/framework";
import { serveMember } from "./serve-member.js";

serveMember(corosync());
