/** Whether a device model is an IoT device's, when no inventory says it: flow files have no column for it. */
import type { DeviceKind } from './inventory-table.ts';

/** Types of `type.make.version` that are computers of people. */
const computerTypes: ReadonlySet<string> = new Set([
  'computer', 'desktop', 'laptop', 'mac', 'notebook', 'pc', 'phone', 'server', 'smartphone', 'tablet', 'workstation',
]);

/** Non-IoT are names such as `nonIoT-pc`, and types that people type and surf on; all others are IoT. */
export function guessKind(deviceModel: string): DeviceKind {
  const type = (deviceModel.split('.')[0] ?? '').toLowerCase();
  return /^non[-_]?iot/.test(type) || computerTypes.has(type) ? 'non-iot' : 'iot';
}
