/** The health endpoint of a probe; loads what it needs only when it is asked for. */
import { HealthServer } from '#service';
import type { ProbeStatus } from './probe-status.ts';

/**
 * Makes the endpoint; `start` listens.
 *
 * @param place  port 0: any free one
 */
export function createProbeHealth(
  place: { readonly address: string; readonly port: number }, status: () => ProbeStatus,
): HealthServer<ProbeStatus> {
  return new HealthServer(place, {
    status, loadMetrics: async () => (await import('./probe-metrics.ts')).createProbeMetrics(),
  });
}
