/** When everything that promises have to do is done. */
export function settled(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve); });
}
