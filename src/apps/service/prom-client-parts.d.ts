/**
 * The parts of prom-client that the detector uses, by their own paths: its front door also loads summaries, push
 * gateways, cluster support and default metrics, which takes 13 MB of memory against 3 MB.
 */
declare module 'prom-client/lib/registry.js' {
  import { Registry } from 'prom-client';
  export default Registry;
}
declare module 'prom-client/lib/gauge.js' {
  import { Gauge } from 'prom-client';
  export default Gauge;
}
declare module 'prom-client/lib/counter.js' {
  import { Counter } from 'prom-client';
  export default Counter;
}
