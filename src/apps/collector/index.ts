/** The door of `apps/collector`: for the command alone. */
export { CollectorService, type ServiceParts as CollectorParts } from './collector-service.ts';
export type { CollectorConfig } from './config/collector-config.ts';
export { explainConfig as explainCollectorConfig } from './config/explain-config.ts';
export { readConfig as readCollectorConfig, type OptionValues as CollectorOptions } from './config/read-config.ts';
export { formatCollectorStatus } from './format-status.ts';
export type { CollectorStatus } from './status.ts';
