/** What it means that a port cannot be had, and what to do. */

/** Undefined if the error is about something else. */
export function explainListenError(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error)) return undefined;
  const port = "port" in error ? Number(error.port) : NaN;
  const address = "address" in error ? String(error.address) : "";
  switch (error.code) {
    case "EADDRINUSE":
      return `Port ${port} of ${address} is in use already, perhaps by another lockstep-lock.\n` +
        "Choose others: --port 8400 (three replicas take 8400, 8401 and 8402), or --ports 8400,8401,8402.";
    case "EACCES":
      // Windows has no ports for some users only.
      if (process.platform === "win32") {
        return `Windows does not give port ${port} to anybody: it keeps it for something (netsh interface ipv4 show excludedportrange protocol=tcp lists those), ` +
          "or another program has it for itself. Choose another, such as --port 8400.";
      }
      return `This user may not listen on port ${port}. Choose one above 1023, such as --port 8400.`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${address === "" ? "The --host given" : address} is not an address of this machine. Choose another --host, such as 127.0.0.1.`;
    default:
      return undefined;
  }
}
