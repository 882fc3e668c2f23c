/**
 * The program that is a lossy link: it joins two TAP interfaces in two namespaces and decides the fate of every frame
 * by a seed. Loss alone and in bursts, copies, late frames that others overtake, delay: what `tc netem` does, on any
 * kernel that has TAP (netem is often not built in). It counts what it did, which tests hold their captures against.
 */

/** What becomes of frames; shares are of 1. */
export type LinkFates = {
  /** That a frame is lost, when the one before was not. */
  readonly lostShare: number;
  /** That the next one is lost, too, when one was. */
  readonly burstShare: number;
  readonly copiedShare: number;
  readonly lateShare: number;
  readonly delayMs: number;
  /** Longest further delay of frames that are late, and of copies. */
  readonly lateMsMax: number;
  /** Frames that are on their way stay there for now. */
  readonly isPaused: boolean;
  /** So many frames of each sender's port are neither lost nor late: the ones with its templates. */
  readonly sparedCount: number;
};

export const soundLink: LinkFates = {
  lostShare: 0, burstShare: 0, copiedShare: 0, lateShare: 0, delayMs: 0, lateMsMax: 0, isPaused: false,
  sparedCount: 0,
};

/** What the link did so far, by the namespace that frames came from. */
export type LinkCounts = {
  readonly taken: number;
  readonly lost: number;
  readonly copied: number;
  readonly late: number;
  readonly delivered: number;
  /** Frames that are on their way. */
  readonly held: number;
};

/**
 * Arguments: the two namespaces, the interface's name in both, the seed, fates to begin with. Each line on standard
 * input is an object of fates, or empty; each is answered by the counts of both directions.
 */
export const relayScript = `
import ctypes, fcntl, heapq, json, os, random, select, struct, sys, time
spaces, link, seed = sys.argv[1:3], sys.argv[3], int(sys.argv[4])
libc = ctypes.CDLL(None, use_errno=True)
def tap(space):
    at = os.open('/run/netns/' + space, os.O_RDONLY)
    if libc.setns(at, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), 'setns')
    os.close(at)
    fd = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22x', link.encode(), 0x1002))
    return fd
taps = [tap(space) for space in spaces]
rest = json.loads(sys.argv[5])
# Each direction has its own chance, so that answers that come now or then change nothing there.
chances = [random.Random(seed + i) for i in range(2)]
wasLost = [False, False]
takenOf = {}
counts = [dict.fromkeys(['taken', 'lost', 'copied', 'late', 'delivered', 'held'], 0) for _ in taps]
queue, number = [], 0
def push(way, frame, delayMs, now):
    global number
    heapq.heappush(queue, (now + delayMs / 1000, number, way, frame))
    number += 1
    counts[way]['held'] += 1
def take(way, frame, now):
    chance, count = chances[way], counts[way]
    lost, copied, late, lateBy, copyBy = (chance.random() for _ in range(5))
    count['taken'] += 1
    sender = frame[26:30] + frame[34:36]
    takenOf[sender] = takenOf.get(sender, 0) + 1
    isSpared = takenOf[sender] <= rest['sparedCount']
    wasLost[way] = not isSpared and lost < rest['burstShare' if wasLost[way] else 'lostShare']
    if wasLost[way]:
        count['lost'] += 1
        return
    isLate = not isSpared and late < rest['lateShare']
    count['late'] += isLate
    push(way, frame, rest['delayMs'] + (lateBy * rest['lateMsMax'] if isLate else 0), now)
    if copied < rest['copiedShare']:
        count['copied'] += 1
        push(way, frame, rest['delayMs'] + copyBy * rest['lateMsMax'], now)
def deliver(now):
    while queue and queue[0][0] <= now and not rest['isPaused']:
        _, _, way, frame = heapq.heappop(queue)
        counts[way]['held'] -= 1
        try:
            os.write(taps[1 - way], frame)
            counts[way]['delivered'] += 1
        except OSError as error:
            print(json.dumps({'error': str(error)}), flush=True)
print('ready', flush=True)
text = b''
while True:
    wait = max(0, queue[0][0] - time.monotonic()) if queue and not rest['isPaused'] else None
    readable, _, _ = select.select([*taps, 0], [], [], wait)
    now = time.monotonic()
    for way, fd in enumerate(taps):
        if fd in readable:
            for _ in range(64):
                try:
                    take(way, os.read(fd, 65536), now)
                except BlockingIOError:
                    break
    if 0 in readable:
        more = os.read(0, 65536)
        if not more:
            break
        text += more
        *lines, text = text.split(b'\\n')
        for line in lines:
            if line.strip():
                rest.update(json.loads(line))
            print(json.dumps(counts), flush=True)
    deliver(time.monotonic())
`;
