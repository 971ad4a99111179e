/** HTTPS with certificates that openssl has made. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { Agent, request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTlsFiles, TlsError } from "../../src/index.js";
import { TestGroup } from "../support/group.js";

let directory: string;
const file = (name: string): string => join(directory, name);

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { cwd: directory, stdio: "ignore" });
}

/** A key, and a certificate signed by the authority. */
function makeCertificate(name: string): void {
  openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
  writeFileSync(file("extensions"), "subjectAltName=IP:127.0.0.1\n");
  openssl("x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out", `${name}.pem`, "-extfile", "extensions");
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lockstep-lock-tls-"));
  openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "2");
  makeCertificate("server");
  makeCertificate("client");
});

afterAll(() => rmSync(directory, { recursive: true }));

const read = (name: string): string => readFileSync(file(name), "utf8");

describe("with a certificate", () => {
  it("a server serves HTTPS", async () => {
    const tls = await readTlsFiles({ certFile: file("server.pem"), keyFile: file("server.key") });
    const group = await TestGroup.start({ tls }, new Agent({ connect: { ca: read("ca.pem") } }));
    expect(group.url(1)).toMatch(/^https:/);
    const session = await group.session(1);
    expect((await group.acquire(2, session, "r", "x")).status).toBe(200);
    const stranger = new Agent();
    await expect(request(`${group.url(1)}/v1/health`, { dispatcher: stranger })).rejects.toThrow(/certificate/);
    await expect(request(`${group.url(1).replace("https", "http")}/v1/health`, { dispatcher: stranger })).rejects.toThrow();
    await stranger.close();
    await group.close();
  });

  it("and an authority for clients, it takes only those that the authority has signed", async () => {
    const tls = await readTlsFiles({ certFile: file("server.pem"), keyFile: file("server.key"), caFile: file("ca.pem") });
    const group = await TestGroup.start({ tls }, new Agent({ connect: { ca: read("ca.pem"), cert: read("client.pem"), key: read("client.key") } }));
    expect((await group.call(1, "GET", "/v1/health")).status).toBe(200);
    const stranger = new Agent({ connect: { ca: read("ca.pem") } });
    await expect(request(`${group.url(1)}/v1/health`, { dispatcher: stranger })).rejects.toThrow(/certificate required|ECONNRESET|other side closed/);
    await stranger.close();
    await group.close();
  });
});

/** The name in the certificate that a server shows. */
async function shown(url: string): Promise<string | undefined> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port), ca: read("ca.pem") });
  await once(socket, "secureConnect");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return Array.isArray(subject.CN) ? subject.CN[0] : subject.CN;
}

it("a server that was given another certificate shows it to connections from then on", async () => {
  const group = await TestGroup.start({ tls: await readTlsFiles({ certFile: file("server.pem"), keyFile: file("server.key") }) }, new Agent({ connect: { ca: read("ca.pem") } }));
  expect(await shown(group.url(1))).toBe("server");
  group.group.servers[0]?.replaceTls(await readTlsFiles({ certFile: file("client.pem"), keyFile: file("client.key") }));
  expect([await shown(group.url(1)), await shown(group.url(2))]).toEqual(["client", "server"]);
  expect((await group.call(1, "GET", "/v1/health")).status).toBe(200);
  await group.close();
});

describe("certificate files", () => {
  it.each([
    ["missing.pem", "server.key", undefined, /--tls-cert .*missing\.pem cannot be read: ENOENT/],
    ["server.pem", "missing.key", undefined, /--tls-key .*missing\.key cannot be read: ENOENT/],
    ["server.key", "server.key", undefined, /--tls-cert .*server\.key must be a certificate in PEM/],
    ["server.pem", "server.pem", undefined, /--tls-key .*server\.pem must be a private key in PEM/],
    ["server.pem", "client.key", undefined, /client\.key is not the key of the certificate in --tls-cert .*server\.pem/],
    ["server.pem", "server.key", "server.key", /--tls-ca .*server\.key must be certificates in PEM/],
  ])("%s, %s and %s are refused with what is wrong", async (cert, key, ca, message) => {
    const reading = readTlsFiles({ certFile: file(cert), keyFile: file(key), caFile: ca === undefined ? undefined : file(ca) });
    await expect(reading).rejects.toThrow(TlsError);
    await expect(reading).rejects.toThrow(message);
  });
});
