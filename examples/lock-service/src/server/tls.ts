/** Certificates from files, checked before a port is taken: what is wrong with them is said at the start, not to the first client. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";

export interface TlsOptions {
  /** PEM, the whole chain. */
  readonly certFile: string;
  /** PEM, without a passphrase. */
  readonly keyFile: string;
  /** PEM. If given, clients must show a certificate that one of these has signed. */
  readonly caFile?: string | undefined;
}

/** What Node's TLS server takes. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
  readonly requestCert?: boolean;
  readonly rejectUnauthorized?: boolean;
  readonly minVersion: "TLSv1.2";
}

/** Says which file is wrong, and what it should be. */
export class TlsError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "TlsError";
  }
}

/** @throws TlsError */
export async function readTlsFiles({ certFile, keyFile, caFile }: TlsOptions): Promise<TlsFiles> {
  // One after the other: of several that cannot be read the first is named, each time.
  const cert = await readPem("--tls-cert", certFile);
  const key = await readPem("--tls-key", keyFile);
  const ca = caFile === undefined ? undefined : await readPem("--tls-ca", caFile);
  const certificate = parse("--tls-cert", certFile, "a certificate in PEM", () => new X509Certificate(cert));
  const privateKey = parse("--tls-key", keyFile, "a private key in PEM, without a passphrase", () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) throw new TlsError(`--tls-key ${keyFile} is not the key of the certificate in --tls-cert ${certFile}`);
  if (ca !== undefined) parse("--tls-ca", caFile ?? "", "certificates in PEM", () => new X509Certificate(ca));
  const files = { cert, key, minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }) } as const;
  parse("--tls-cert", certFile, "a certificate that TLS can use", () => createSecureContext(files));
  return files;
}

async function readPem(option: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new TlsError(`${option} ${path} cannot be read: ${messageOf(error)}`, error);
  }
}

function parse<T>(option: string, path: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new TlsError(`${option} ${path} must be ${what}: ${messageOf(error)}`, error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
