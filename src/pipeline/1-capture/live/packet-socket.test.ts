/** Rings that cannot be asked for, refused before any right is needed; what comes after is in test/system. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EnvironmentError, limits, OperatorError } from '#base';
import { liveCaptureDefaults, openPacketSocket, type LiveCaptureOptions } from './packet-socket.ts';

const isRefused = (options: Partial<LiveCaptureOptions>, words: RegExp): void => {
  assert.throws(() => openPacketSocket({ ...liveCaptureDefaults, interfaceName: 'lo', ...options }),
    (thrown) => thrown instanceof OperatorError && thrown.code === 'bad-option' && words.test(thrown.message));
};

test('rings, snap lengths and block times beyond the limits are refused', () => {
  isRefused({ ringBytes: limits.liveRingBytesMax + 1 }, /^a ring of 1073741825 bytes is not possible/);
  isRefused({ ringBytes: 1 << 16, snapBytes: 64 }, /^a ring of 65536 bytes is not possible: give 131072 to/);
  isRefused({ ringBytes: NaN }, /^a ring of NaN bytes/);
  isRefused({ snapBytes: limits.liveSnapBytesMax + 1 }, /give 64 to 131072/);
  isRefused({ snapBytes: 63 }, /give 64 to 131072/);
  isRefused({ snapBytes: 100.5 }, /give 64 to 131072/);
  isRefused({ blockTimeoutMs: 0 }, /give 1 to 1000/);
  isRefused({ blockTimeoutMs: 1_001 }, /give 1 to 1000/);
  // With four blocks of 64 KiB, one does not hold so long a frame.
  isRefused({ ringBytes: 1 << 18, snapBytes: 1 << 16 }, /larger ring or a smaller snap length/);
});

test('who may not see packets is told what to type', { skip: process.getuid?.() === 0 && 'root may' }, () => {
  assert.throws(() => openPacketSocket({ ...liveCaptureDefaults, interfaceName: 'lo' }), (thrown) =>
    thrown instanceof EnvironmentError && (thrown.code === 'no-native-calls' ||
      (thrown.code === 'no-capture-right' && thrown.message.includes(`setcap cap_net_raw+ep ${process.execPath}`))));
});
