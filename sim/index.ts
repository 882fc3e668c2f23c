/** The door of the simulator: worlds made from a seed, for tests, the demo and the simulate command. */
export { deviceKinds, type DeviceKind } from './devices.ts';
export type { DeviceTruth } from './device-world.ts';
export { simulateHome, defaultStartMicroseconds } from './home.ts';
export type { HomeOptions, SimulatedHome, SimulatedPacket } from './home.ts';
export { writeHomeCapture, type HomeCapture } from './home-capture.ts';
export { encodeCapture, writeCapture, type CaptureFormat, type TimedFrame } from './pcap-writer.ts';
export type { ServerPlacement } from './servers.ts';
export { batchFrames, type CapturedFrame } from './packet-batches.ts';
export * from './packet-builder.ts';
export { addressBytes } from './servers.ts';
export { batchPackets } from './packet-batches.ts';
export { homeUnits } from './lab/home-units.ts';
export { labNote, writeLabFolder, type LabFolder, type LabFolderOptions } from './lab/lab-folder.ts';
export {
  outsideAddress, outsideOf, portPolicies, Router, type PortPolicy, type RouterOptions, type Translation,
} from './lab/router.ts';
export {
  labDeviceModels, labUnits, simulateLab, type FirmwareChange, type LabDevice, type LabOptions, type SimulatedLab,
} from './lab/simulate-lab.ts';
export {
  exportDay, forgetInitiator, forgetResponder, putRecord, type ExportedMessage, type ExportedRecord, type ExporterDay,
  type Restart,
} from './exports/exporter-day.ts';
export { sendThrough, type Arrival, type LossyNetwork } from './exports/lossy-network.ts';
