/**
 * One run of `natlens collect`: the collector, and a detector beside it in the same process when the config names one.
 * The apps do not know each other; here every message that the collector takes is handed to both.
 */
import { runUntilSignal } from '#service';
import { CollectorService, type CollectorConfig } from '#collector';

/**
 * Runs until SIGINT, SIGTERM or SIGHUP; a second one ends at once.
 *
 * @returns exit code: 0, or 70 after a bug of ours
 * @throws OperatorError     something of the config cannot be used, or another one runs on the state
 * @throws EnvironmentError  it cannot start
 */
export async function runCollector(config: CollectorConfig): Promise<0 | 70> {
  return await runUntilSignal(async (onBug) => {
    const parts = { logStream: process.stderr, onBug };
    if (config.detectorConfig === undefined) return await CollectorService.start(config, parts);
    // A collector without a detector does without its code.
    const { openLiveDetector, readConfig } = await import('#detector');
    const detectorConfig = await readConfig(config.detectorConfig);
    // What the collector takes is all that it gets: the same place cannot be listened at twice.
    const detector = await openLiveDetector(
      { ...detectorConfig, input: { ...detectorConfig.input, listen: [] } }, parts);
    const collector = await CollectorService.start(config, {
      ...parts, onDatagram: (datagram) => detector.acceptDatagram(datagram),
      detectorFolder: detectorConfig.stateFolder,
    }).catch(async (thrown: unknown) => {
      await detector.stop();
      throw thrown;
    });
    const running = {
      isCutOff: false,
      stop: async (): Promise<void> => {
        // The detector last: stopping the collector hands it what still came.
        await collector.stop();
        running.isCutOff = await detector.stop();
      },
    };
    return running;
  });
}
