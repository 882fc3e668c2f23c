/**
 * Debian's Chromium as a test drives it: over the DevTools pipe (file descriptors 3 and 4), without a socket or a
 * package. Sizes and colour schemes are emulated, so that one start shows a page on every screen.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

export type Screen = { readonly width: number; readonly height: number; readonly colorScheme: 'light' | 'dark' };

type Reply = { readonly id?: number; readonly method?: string; readonly params?: unknown; readonly result?: unknown;
  readonly error?: { readonly message: string } };

/** The first browser in PATH, or undefined. */
export function findChromium(): string | undefined {
  return ['chromium', 'chromium-browser', 'google-chrome'].find((name) =>
    spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
}

/** One page in a browser of its own; `close` ends both. */
export class Browser {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  /** Addresses that the page asked for, its own included. */
  readonly requested: string[] = [];
  /** Complaints of the content policy and failures of scripts. */
  readonly complaints: string[] = [];
  #lastId = 0;
  #session = '';
  #onLoad: () => void = () => undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    let rest = '';
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const parts = `${rest}${text}`.split('\0');
      rest = parts.pop() ?? '';
      for (const part of parts) this.#take(JSON.parse(part) as Reply);
    });
  }

  /** Starts a browser whose profile lies in a folder of the test. */
  static async open(program: string, profileFolder: string): Promise<Browser> {
    const child = spawn(program, ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
      '--remote-debugging-pipe', `--user-data-dir=${profileFolder}`, '--no-first-run', '--hide-scrollbars',
        'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    const browser = new Browser(child);
    const { targetId } = await browser.send('Target.createTarget', { url: 'about:blank' }) as { targetId: string };
    const { sessionId } = await browser.send('Target.attachToTarget',
      { targetId, flatten: true }) as { sessionId: string };
    browser.#session = sessionId;
    for (const domain of ['Page', 'Network', 'Log', 'Runtime']) await browser.send(`${domain}.enable`);
    return browser;
  }

  #take(reply: Reply): void {
    if (reply.id !== undefined) {
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    } else if (reply.method === 'Page.loadEventFired') this.#onLoad();
    else if (reply.method === 'Network.requestWillBeSent') {
      this.requested.push((reply.params as { request: { url: string } }).request.url);
    } else if (reply.method === 'Log.entryAdded' || reply.method === 'Runtime.exceptionThrown') {
      this.complaints.push(JSON.stringify(reply.params));
    }
  }

  /** One command of the DevTools protocol. */
  async send(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#lastId;
    const reply = new Promise<Reply>((resolve) => this.#waiting.set(id, resolve));
    const session = this.#session === '' ? {} : { sessionId: this.#session };
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    const { result, error } = await reply;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** Loads a page on a screen. */
  async show(url: string, { width, height, colorScheme }: Screen): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: colorScheme }] });
    const loaded = new Promise<void>((resolve) => {
      this.#onLoad = resolve;
    });
    await this.send('Page.navigate', { url });
    await loaded;
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.send('Runtime.evaluate', { expression, returnByValue: true }) as
      { result: { value: unknown } };
    return result.value;
  }

  /** A picture of the page (PNG): the whole of it, or from a height on. */
  async capture(clip?: { readonly y: number; readonly height: number; readonly width: number }): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', {
      format: 'png', captureBeyondViewport: true, ...(clip === undefined ? {} : { clip: { x: 0, scale: 1, ...clip } }),
    }) as { data: string };
    return Buffer.from(data, 'base64');
  }

  async close(): Promise<void> {
    const ended = new Promise<void>((resolve) => void this.#child.once('exit', () => resolve()));
    this.#child.kill();
    await ended;
  }
}
