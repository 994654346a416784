// Where is each pod shown, and how did it end?
import type { Pod, Stop } from "../api/types";
import type { PodView } from "./state";

/** Most pods shown as cards. */
export const CARDS_MAX = 8;
/** Fewest slots, so that a small service does not move when it grows a little. */
const SLOTS_MIN = 5;
/** Time for which a pod that was killed or crashed stays visible, in milliseconds: enough to see which one it was. */
export const GONE_SHOWN = 6_000;
/** Time for which a pod that ended as planned stays visible, in milliseconds. */
export const PLANNED_SHOWN = 3_000;

/** How a pod ended: the first two are faults, the others were planned. */
export type Ending = "killed" | "crashed" | "drained" | "scaled down";

export function isFault(ending: Ending): boolean {
  return ending === "killed" || ending === "crashed";
}

/** Number of slots that a service with so many pods at most needs: one more, for the replacement of a pod just killed. */
export function slotsFor(most: number): number {
  return Math.min(CARDS_MAX, Math.max(SLOTS_MIN, most + 1));
}

/** What is known when an event of a pod comes. */
interface Known {
  /** How the pods named here were asked to stop. */
  readonly stops: ReadonlyMap<string, Stop>;
  /** Highest number of pods that the service may have. */
  readonly most: number;
  readonly at: number;
}

/** Applies an event of a pod. A pod keeps its slot, and a new one takes the first free slot. */
export function withPod(pods: readonly PodView[], pod: Pod, { stops, most, at }: Known): readonly PodView[] {
  const known = pods.find(({ name }) => name === pod.name);
  const gone = pod.phase === "gone";
  if (known) {
    const goneAt = gone ? (known.goneAt ?? at) : null;
    const ending = gone ? (known.ending ?? endingOf(known, stops.get(pod.name))) : null;
    // The last event of a pod may omit its counts.
    return pods.map((other) => (other === known ? { ...known, ...pod, slot: known.slot, goneAt, ending } : other));
  }
  // A pod that ended before this page saw it is not shown.
  if (gone) return pods;
  const slot = freeSlot(pods, slotsFor(most));
  return [...pods.filter((other) => other.slot !== slot), { ...pod, slot, goneAt: null, ending: null }].sort(
    (a, b) => a.slot - b.slot,
  );
}

/** Removes the pods that have been gone for long enough. */
export function withoutGone(pods: readonly PodView[], at: number): readonly PodView[] {
  const kept = pods.filter(({ goneAt, ending }) => {
    if (goneAt === null || ending === null) return true;
    return at - goneAt < (isFault(ending) ? GONE_SHOWN : PLANNED_SHOWN);
  });
  return kept.length === pods.length ? pods : kept;
}

/** Returns the pod that a command line ends at once, as a crash would; `null` if it ends none. */
export function killedBy(command: string, pods: readonly PodView[]): string | null {
  if (!/^kill\s.*-(9|KILL)\b|^kubectl\s.*\s--(force|grace-period=0)\b/.test(command)) return null;
  return pods.find(({ name }) => command.split(/[\s/]+/).includes(name))?.name ?? null;
}

function endingOf(before: PodView, stop: Stop | undefined): Ending {
  if (stop === "kill") return "killed";
  if (stop !== undefined) return "drained";
  // Whoever ends a pod as planned says so first; one that ends without notice has crashed.
  return before.phase === "stopping" ? "scaled down" : "crashed";
}

// The strip never grows for the sake of pods that are gone: beyond its slots, the one gone longest gives its own away.
function freeSlot(pods: readonly PodView[], slots: number): number {
  const taken = new Set(pods.map(({ slot }) => slot));
  let slot = 0;
  while (taken.has(slot)) slot += 1;
  if (slot < slots) return slot;
  const [oldest] = pods.filter(({ goneAt }) => goneAt !== null).sort((a, b) => (a.goneAt ?? 0) - (b.goneAt ?? 0));
  return oldest?.slot ?? slot;
}
