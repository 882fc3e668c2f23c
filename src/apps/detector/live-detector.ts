/**
 * A detector beside a probe or a collector in the same process: datagrams or flows are handed in, and it need not
 * listen anywhere itself. It is the very service of `natlens detect`, with its state, its control socket and its log.
 */
import type { LogStream } from '#base';
import type { ExportDatagram } from '#capture';
import type { FlowBatch } from '#flow';
import type { DetectorConfig } from './config/detector-config.ts';
import { DetectorService } from './detector-service.ts';
import { createRoutes } from './routes.ts';
import type { DetectorStatus } from './status.ts';

export type LiveDetectorParts = {
  readonly logStream: LogStream;
  /** Our own bug: the process is to end. */
  readonly onBug: (thrown: unknown) => void;
};

export type LiveDetector = {
  /** Takes named flows of any batch size; they are not kept. */
  accept(flows: FlowBatch): void;
  /** Takes a datagram of an exporter; its bytes are not kept, and its time of arrival is now. */
  acceptDatagram(datagram: ExportDatagram): void;
  status(): Promise<DetectorStatus>;
  /** Ends in order. @returns true when an action was given up that may still hold sockets: the process must end */
  stop(): Promise<boolean>;
};

/**
 * Starts a detector.
 *
 * @throws OperatorError     another one runs on this state; a key, template or address cannot be used
 * @throws EnvironmentError  the state cannot be written, a port cannot be listened at
 */
export async function openLiveDetector(config: DetectorConfig, parts: LiveDetectorParts): Promise<LiveDetector> {
  const service = await DetectorService.start(config, { ...parts, routes: createRoutes });
  return {
    accept: (flows) => service.acceptFlows(flows),
    acceptDatagram: (datagram) => service.acceptDatagram(datagram),
    status: () => service.status(),
    stop: async () => {
      await service.stop();
      return service.isCutOff;
    },
  };
}
