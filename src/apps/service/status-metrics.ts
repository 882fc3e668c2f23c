/**
 * A status as Prometheus metrics: a table of name, help, kind, and how samples are read from the status. The program
 * counts; here the figures of a moment are shown. Loads prom-client, so it has a door of its own.
 */
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Registry from 'prom-client/lib/registry.js';

export type MetricSample = { readonly labels?: Readonly<Record<string, string>>; readonly value: number };

export type MetricDefinition<S> = {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly labels: readonly string[];
  readonly read: (status: S) => readonly MetricSample[];
};

/** What a metric is read as: null and undefined are not known, and absent then. */
type Reading = number | null | undefined | readonly MetricSample[];

export type DefineMetric<S> =
  (name: string, help: string, read: (status: S) => Reading, ...labels: readonly string[]) => MetricDefinition<S>;

/** How rows of a table are written. @param prefix  of all names */
export function defineMetrics<S>(prefix: string): { counter: DefineMetric<S>; gauge: DefineMetric<S> } {
  const define = (kind: MetricDefinition<S>['kind']): DefineMetric<S> => (name, help, read, ...labels) => ({
    name: prefix + name, help, kind, labels,
    read: (status) => {
      const found = read(status);
      if (found === null || found === undefined) return [];
      return typeof found === 'number' ? [{ value: found }] : found;
    },
  });
  return { counter: define('counter'), gauge: define('gauge') };
}

export class StatusMetrics<S> {
  readonly #registry = new Registry();
  readonly #metrics: readonly { readonly definition: MetricDefinition<S>; readonly metric: Counter | Gauge }[];

  readonly contentType: string = this.#registry.contentType;

  constructor(definitions: readonly MetricDefinition<S>[]) {
    this.#metrics = definitions.map((definition) => {
      const options = {
        name: definition.name, help: definition.help, labelNames: [...definition.labels], registers: [this.#registry],
      };
      return { definition, metric: definition.kind === 'counter' ? new Counter(options) : new Gauge(options) };
    });
  }

  /** The status in the text format of Prometheus. */
  async format(status: S): Promise<string> {
    for (const { definition, metric } of this.#metrics) {
      // Labels that are gone are gone.
      metric.reset();
      const samples = definition.read(status);
      // What is not known is absent, not 0.
      if (samples.length === 0 && definition.labels.length === 0) metric.remove();
      for (const { labels, value } of samples) metric.inc(labels ?? {}, value);
    }
    return this.#registry.metrics();
  }
}
