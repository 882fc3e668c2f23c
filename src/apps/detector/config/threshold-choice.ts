/** The kind of value that says from which anomaly score on a flow is accepted. */
import { percentileMax, type ThresholdChoice } from '#score';
import { showValue, ValueFault, wholeNumber, type ValueKind } from '#service';

const percentiles = wholeNumber({ min: 0, max: percentileMax });

/** `"default"`, or a percentile of the validation flows. */
export const thresholdChoice: ValueKind<ThresholdChoice> = {
  name: 'threshold', bounds: `0 to ${percentileMax}, or "default"`,
  read: (value) => {
    if (value === 'default') return value;
    const percentile = percentiles.read(value);
    return percentile instanceof ValueFault ? new ValueFault(
      `is a whole percentile from 0 to ${percentileMax}, or "default", not ${showValue(value)}`) : percentile;
  },
  write: (value) => value === 'default' ? '"default"' : String(value),
};
