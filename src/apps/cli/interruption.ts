/**
 * What must not stay when a signal ends the command (Ctrl-C, `kill`, a closed terminal). The process then dies of that
 * signal, as it would have without us: a shell sees 130, 143 or 129, and stops its script on Ctrl-C.
 */
const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const cleanUps = new Set<() => void>();

/**
 * Has something cleaned up if a signal ends the process.
 *
 * @param cleanUp  synchronous; nothing runs after it
 * @returns        forgets it again
 */
export function cleanUpOnSignal(cleanUp: () => void): () => void {
  if (cleanUps.size === 0) for (const signal of endingSignals) process.on(signal, endBySignal);
  cleanUps.add(cleanUp);
  return () => {
    cleanUps.delete(cleanUp);
    if (cleanUps.size === 0) stopListening();
  };
}

function endBySignal(signal: NodeJS.Signals): void {
  stopListening();
  try {
    for (const cleanUp of cleanUps) cleanUp();
  } finally {
    process.kill(process.pid, signal);
  }
}

function stopListening(): void {
  for (const signal of endingSignals) process.off(signal, endBySignal);
}
