/** The door of `apps/detector`: for the command alone. */
export { configureDetect } from './command.ts';
export type { DetectParts, FlowReceiver, ReplayPart, ReplayResult } from './flow-receiver.ts';
export type { DetectorConfig } from './config/detector-config.ts';
export { readConfig } from './config/read-config.ts';
export { openLiveDetector, type LiveDetector, type LiveDetectorParts } from './live-detector.ts';
export type { HomeExplanation } from './home-desk.ts';
export type { DetectorStatus } from './status.ts';
