/**
 * What the seed paper published, to stand beside our own results: figures only. Standard deviations are over its IoT
 * device models. Source: Meidan et al. 2020, section 7.1 and Table 3, with 13 IoT device models of its own lab.
 */

export type MeanAndDeviation = { readonly mean: number; readonly deviation: number };

export const published = {
  source: 'Meidan et al. 2020, section 7.1 and Table 3',
  algorithm: 'isolation-forest',
  catalog: 'paper',
  deviceModels: 13,
  auc: { mean: 0.85, deviation: 0.05 },
  defaultTpr: { mean: 0.76, deviation: 0.04 },
  defaultFpr: { mean: 0.13, deviation: 0.20 },
  p10Tpr: { mean: 0.73, deviation: 0.05 },
  p10Fpr: { mean: 0.11, deviation: 0.21 },
  trainSeconds: { mean: 3.15, deviation: 2.81 },
  artifactBytes: { mean: 1_350_620, deviation: 280_390 },
  /** Shortest and longest over its device models; no mean is given. */
  timeToDetectMinutes: { low: 4, high: 18 },
} as const;
