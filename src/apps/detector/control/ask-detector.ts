/** A command's side of the control socket: asks the detector that runs on a state, or says that none does. */
import { askRunning, notRunning, type ControlMethod } from '#service';

export { notRunning };

/** Asks a running detector, as `askRunning` asks any. @param stateFolder  of the detector */
export function askDetector(stateFolder: string, method: ControlMethod, path: string, body?: unknown):
  Promise<unknown> {
  return askRunning('detector', { stateFolder, method, path, body });
}
